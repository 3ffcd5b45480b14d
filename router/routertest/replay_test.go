package routertest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router/routertest"
)

const lag = 200 * time.Millisecond

func TestLagIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 2)
		w, near, far := writer(t, c), reader(t, c, 0), reader(t, c, 1)
		run(t, w, create)
		assert.Equal(t, 0, count(t, near.DB()), "without a lag a replica follows at once")
		c.Replicas()[1].SetLag(lag)
		run(t, w, insert)
		assert.Equal(t, 1, count(t, near.DB()))

		time.Sleep(lag - 1)
		assert.Equal(t, 0, count(t, far.DB()), "one nanosecond before")
		assert.Equal(t, routertest.Position(1), probe(t, far).Position)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, routertest.Position(2), probe(t, far).Position)
		assert.Equal(t, 1, count(t, far.DB()))
	})
}

// The lag counts from the commit of a transaction, not from its statements.
func TestLagCountsFromCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		run(t, w, create)
		c.Replicas()[0].SetLag(lag)
		time.Sleep(lag)

		tx, err := w.DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		for range 3 {
			_, err = tx.ExecContext(t.Context(), insert)
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		assert.Equal(t, 0, count(t, r.DB()), "nothing is committed")
		require.NoError(t, tx.Commit())
		time.Sleep(lag - 1)
		assert.Equal(t, 0, count(t, r.DB()))
		time.Sleep(time.Nanosecond)
		assert.Equal(t, 3, count(t, r.DB()), "a transaction shows as one")
		assert.Equal(t, routertest.Position(2), c.Replicas()[0].Position(), "and is one entry")
	})
}

func TestSetLagTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		replica := c.Replicas()[0]
		run(t, w, create, insert)
		replica.SetLag(time.Hour)
		run(t, w, insert)
		assert.Equal(t, 1, count(t, r.DB()), "what was due when the lag grew shows on")
		replica.SetLag(0)
		assert.Equal(t, 2, count(t, r.DB()))
	})
}

func TestPauseReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		replica := c.Replicas()[0]
		run(t, w, create, insert)
		replica.PauseReplay()
		run(t, w, insert)
		time.Sleep(time.Hour)
		assert.Equal(t, 1, count(t, r.DB()), "the pause begins at what was due")
		assert.Equal(t, routertest.Position(2), probe(t, r).Position)

		replica.SetLag(2 * time.Hour)
		replica.ResumeReplay()
		assert.Equal(t, 1, count(t, r.DB()), "the lag still holds")
		time.Sleep(time.Hour)
		assert.Equal(t, 2, count(t, r.DB()))
	})
}

// Arguments are replayed as they were, even if the caller uses their memory again.
func TestReplayKeepsArguments(t *testing.T) {
	c := routertest.New(t, 1)
	w, r := writer(t, c), reader(t, c, 0)
	c.Replicas()[0].PauseReplay()
	run(t, w, "CREATE TABLE t (b BLOB, n INTEGER, at TIMESTAMP, s TEXT)")
	b := []byte("before")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	_, err := w.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (?, ?, ?, ?)", b, true, at, nil)
	require.NoError(t, err)
	copy(b, "after!")
	c.Replicas()[0].ResumeReplay()
	var got struct {
		b  []byte
		n  bool
		at time.Time
		s  *string
	}
	require.NoError(t, r.DB().QueryRowContext(t.Context(), "SELECT * FROM t").Scan(&got.b, &got.n, &got.at, &got.s))
	assert.Equal(t, "before", string(got.b))
	assert.True(t, got.n)
	assert.True(t, at.Equal(got.at), "%v", got.at)
	assert.Nil(t, got.s)
}

// failures is a test that keeps what it is told.
type failures struct {
	*testing.T
	got []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.got = append(f.got, fmt.Sprintf(format, args...))
}

func TestReplayFailureFailsTheTest(t *testing.T) {
	f := &failures{T: t}
	c := routertest.New(f, 1)
	w, r := writer(t, c), reader(t, c, 0)
	run(t, w, "CREATE TABLE t (n INTEGER CHECK (n > 0))", "CREATE TABLE r (n INTEGER)")
	// Whatever number comes, the replica's is another one with a chance of all but 2⁻⁶³.
	run(t, w, "INSERT INTO r VALUES (random())")
	var n int64
	require.NoError(t, w.DB().QueryRowContext(t.Context(), "SELECT n FROM r").Scan(&n))
	_, err := w.DB().ExecContext(t.Context(), "INSERT INTO t SELECT CASE n WHEN ? THEN 1 ELSE 0 END FROM r", n)
	require.NoError(t, err)
	run(t, w, "INSERT INTO t VALUES (7)")
	for range 2 {
		assert.Equal(t, 0, count(t, r.DB()))
	}
	require.Len(t, f.got, 1, "told once")
	assert.Contains(t, f.got[0], "replica-1 cannot replay entry 4")
	assert.Contains(t, f.got[0], "INSERT INTO t SELECT")
	assert.Equal(t, routertest.Position(3), c.Replicas()[0].Position(), "replay ends there")
}
