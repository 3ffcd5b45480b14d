package routertest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

func TestPromote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 3)
		servers := c.Servers()
		old, next, behind, ahead := servers[0], servers[1], servers[2], servers[3]
		w := writer(t, c)
		run(t, w, create, insert)
		behind.SetLag(lag)
		next.PauseReplay()
		run(t, w, insert)
		time.Sleep(lag - 1)
		require.Equal(t, routertest.Position(2), next.Position())
		require.Equal(t, routertest.Position(3), ahead.Position())
		history := old.History()

		c.Promote(next)
		assert.Same(t, next, c.Primary())
		assert.True(t, next.IsPrimary())
		assert.Equal(t, []*routertest.Server{behind, ahead}, c.Replicas())
		assert.NotEqual(t, history, next.History())
		assert.Equal(t, next.History(), behind.History(), "a replica that is not ahead follows")
		assert.Equal(t, history, ahead.History(), "one that is has diverged")
		assert.Equal(t, history, old.History())

		e := open(t, c, c.WriterURI(), binds.Writer)
		assert.Equal(t, 1, count(t, e.DB()), "the address leads to the new primary, which lost what it had not replayed")
		run(t, e, "INSERT INTO t (n) VALUES (10)", "INSERT INTO t (n) VALUES (11)")
		run(t, w, "INSERT INTO t (n) VALUES (20)")
		assert.Equal(t, 3, count(t, w.DB()), "a connection stays with the old primary, which knows nothing")
		assert.Equal(t, 3, count(t, reader(t, c, 2).DB()), "as does the diverged replica")
		time.Sleep(lag)
		behind.SetLag(0)
		var sum int
		require.NoError(t, reader(t, c, 1).DB().QueryRowContext(t.Context(), "SELECT sum(n) FROM t").Scan(&sum))
		assert.Equal(t, 1+10+11, sum)
		assert.Panics(t, func() { c.Promote(next) }, "it is a primary")
	})
}

// A promotion that nobody told the clients.
func TestPromoteWithoutAddress(t *testing.T) {
	c := routertest.New(t, 1)
	replica := c.Replicas()[0]
	run(t, writer(t, c), create)
	r, misled := reader(t, c, 0), open(t, c, c.ReaderURIs()[0], binds.Writer)
	require.NoError(t, r.Ping(t.Context()))
	_, err := misled.DB().ExecContext(t.Context(), insert)
	assert.Equal(t, binds.ReadOnly, misled.Classify(err), "a replica refuses whoever asks: %v", err)

	replica.Promote()
	assert.Contains(t, probe(t, writer(t, c)).Server, "/primary#", "the address stays")
	assert.True(t, probe(t, r).Primary)
	run(t, misled, insert)
	_, err = r.DB().ExecContext(t.Context(), insert)
	assert.Equal(t, binds.ReadOnly, r.Classify(err), "a reader keeps its belt: %v", err)

	c.MoveWriter(replica)
	assert.Contains(t, probe(t, writer(t, c)).Server, "/replica-1#")
	assert.Equal(t, 1, count(t, writer(t, c).DB()))
}

func TestRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		old, next := c.Servers()[0], c.Servers()[1]
		stale := writer(t, c)
		run(t, stale, create, insert)
		c.Promote(next)
		run(t, stale, insert, insert) // lost with the old history
		w := writer(t, c)
		run(t, w, insert)
		before := probe(t, stale)

		c.Rejoin(old)
		old.SetLag(lag)
		c.Balance(0, old)
		r := reader(t, c, 0)
		assert.Equal(t, 2, count(t, r.DB()), "a copy of the primary")
		after := probe(t, r)
		assert.NotEqual(t, before.Server, after.Server)
		assert.Equal(t, next.History(), after.History)
		assert.False(t, after.Primary)
		_, err := stale.DB().ExecContext(t.Context(), insert)
		require.NoError(t, err, "its connection broke, and the address has moved")
		assert.Equal(t, 2, count(t, r.DB()))
		time.Sleep(lag)
		assert.Equal(t, 3, count(t, r.DB()))
		c.Promote(old)
		assert.Same(t, old, c.Primary())
		assert.Panics(t, func() { c.Rejoin(old) }, "the primary")
		assert.Panics(t, func() { c.Rejoin(routertest.New(t, 0).Primary()) }, "a foreign server")
	})
}

func TestBalance(t *testing.T) {
	c, foreign := routertest.New(t, 2), routertest.New(t, 0)
	run(t, writer(t, foreign), create, insert)
	serverOf := func(e *binds.Engine) string {
		conn, err := e.Connector().Connect(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		p, err := c.Probe(t.Context(), binds.AskConn(conn))
		require.NoError(t, err)
		return p.Server
	}
	servers := append(c.Replicas(), foreign.Primary())
	c.Balance(0, servers...)
	r := reader(t, c, 0)
	var seen []string
	for range 4 {
		seen = append(seen, serverOf(r))
	}
	assert.Equal(t, []string{c.String() + "/replica-1#1", c.String() + "/replica-2#1",
		foreign.String() + "/primary#1", c.String() + "/replica-1#1"}, seen)
	assert.Contains(t, serverOf(reader(t, c, 1)), "/replica-2#", "the other address stays")

	c.Balance(0, foreign.Primary())
	e := reader(t, c, 0)
	assert.Equal(t, 1, count(t, e.DB()))
	assert.Equal(t, foreign.Primary().History(), probe(t, e).History)
	assert.NotEqual(t, c.Primary().History(), foreign.Primary().History())

	c.Balance(0)
	err := reader(t, c, 0).Ping(t.Context())
	assert.Equal(t, binds.NotSent, c.Classify(err), "%v", err)
}

func TestURIs(t *testing.T) {
	c, other := routertest.New(t, 2), routertest.New(t, 1)
	assert.Equal(t, []string{"routertest"}, c.Drivers().Schemes())
	assert.Len(t, c.ReaderURIs(), 2)
	for reason, uri := range map[string]string{
		"of another cluster": other.WriterURI(),
		"no such address":    c.WriterURI() + "s3cret",
		"nothing":            "routertest://s3cret",
	} {
		_, err := c.Drivers().Open(t.Context(), "test", uri)
		require.Error(t, err, reason)
		assert.NotContains(t, err.Error(), "s3cret", reason)
	}
}
