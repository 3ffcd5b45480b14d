package mysqlbind

import (
	"context"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// answers returns an Ask that gives the answers in turn.
func answers(t *testing.T, in ...any) binds.Ask {
	t.Cleanup(func() { assert.Empty(t, in, "answers that nobody asked for") })
	return func(context.Context, string) ([]string, error) {
		require.NotEmpty(t, in, "asked once more")
		next := in[0]
		in = in[1:]
		if err, ok := next.(error); ok {
			return nil, err
		}
		return next.([]string), nil
	}
}

func mariaRow(readOnly, logBin, strict, binlog, replayed string) []string {
	return []string{"10.11.19-MariaDB-log", "db1:3306", "1", "bc27-02fc", readOnly, logBin, "app", "", "utf8mb4_general_ci", "0", "MariaDB", strict, "", binlog, replayed, "1795255299", ""}
}

func mysqlRow(readOnly, logBin, mode, set string) []string {
	return []string{"8.4.0", "db1:3306", "1", "bc27-02fc", readOnly, logBin, "app", "", "utf8mb4_general_ci", "0", "MySQL", mode, uuid1 + ":6#40", set, uuid1, "1795255299", ""}
}

func TestProbeAnswers(t *testing.T) {
	for reason, tt := range map[string]struct {
		row      []string
		primary  bool
		position string // "": none
		doubt    error
	}{
		"a primary":                             {mariaRow("0", "1", "1", "0-1-22", ""), true, "mariadb/1/0-1-22", nil},
		"a promoted primary":                    {mariaRow("0", "1", "1", "0-2-23", "0-1-22"), true, "mariadb/1/0-2-23", nil},
		"a primary that has written nothing":    {mariaRow("0", "1", "1", "", ""), true, "mariadb/1", nil},
		"read_only as a word: off":              {mariaRow("OFF", "1", "1", "0-1-22", ""), true, "mariadb/1/0-1-22", nil},
		"a replica with a write of its own":     {mariaRow("1", "1", "1", "0-3-31", "0-1-16"), false, "mariadb/0/0-1-16", nil},
		"read_only as a word: no lock":          {mariaRow("NO_LOCK", "1", "1", "0-1-16", "0-1-16"), false, "mariadb/0/0-1-16", nil},
		"a replica needs no log nor strictness": {mariaRow("1", "0", "0", "", "0-1-16"), false, "mariadb/0/0-1-16", nil},
		"a replica that has replayed nothing":   {mariaRow("1", "1", "1", "", ""), false, "mariadb/0", nil},
		"no binary log":                         {mariaRow("0", "0", "1", "", ""), true, "", errNoBinaryLog},
		"not strict":                            {mariaRow("0", "1", "0", "0-1-22", ""), true, "", errNotStrict},
		"MySQL: a primary":                      {mysqlRow("0", "1", "ON", uuid1+":1-5"), true, "mysql/" + uuid1 + ":1-5", nil},
		"MySQL: a replica":                      {mysqlRow("1", "0", "ON", uuid1+":1-5"), false, "mysql/" + uuid1 + ":1-5", nil},
		"MySQL: no GTIDs":                       {mysqlRow("0", "1", "OFF", ""), true, "", errNoGTIDs},
		"MySQL: not only GTIDs":                 {mysqlRow("0", "1", "ON_PERMISSIVE", uuid1+":1-5"), true, "", errNoGTIDs},
		"MySQL: a replica without GTIDs":        {mysqlRow("1", "1", "OFF", ""), false, "", errNoGTIDs},
		"MySQL: a primary without a binary log": {mysqlRow("0", "0", "ON", ""), true, "", errNoBinaryLog},
	} {
		p, err := Driver{}.Probe(t.Context(), answers(t, tt.row))
		require.NoError(t, err, reason)
		assert.Equal(t, tt.primary, p.Primary, reason)
		assert.ErrorIs(t, p.Doubt, tt.doubt, reason)
		if tt.position == "" {
			assert.Nil(t, p.Position, reason)
		} else if assert.NotNil(t, p.Position, reason) {
			assert.Equal(t, tt.position, p.Position.String(), reason)
		}
	}
}

func TestProbeThatFails(t *testing.T) {
	plain := []string{"5.7.44", "db1:3306", "0"}
	refusal := &mysql.MySQLError{Number: 1193, Message: "Unknown system variable"}
	p, err := Driver{}.Probe(t.Context(), answers(t, refusal, plain))
	require.NoError(t, err, "a server that refuses is not down")
	assert.True(t, p.Primary)
	assert.ErrorIs(t, p.Doubt, refusal)

	p, err = Driver{}.Probe(t.Context(), answers(t, plain[:1], plain))
	require.NoError(t, err)
	assert.ErrorIs(t, p.Doubt, errProduct, "neither comment was code")

	_, err = Driver{}.Probe(t.Context(), answers(t, driver.ErrBadConn))
	assert.ErrorIs(t, err, driver.ErrBadConn, "a connection that broke is not asked again")
	_, err = Driver{}.Probe(t.Context(), answers(t, refusal, driver.ErrBadConn))
	assert.ErrorIs(t, err, driver.ErrBadConn)
	_, err = Driver{}.Probe(t.Context(), answers(t, refusal, plain[:1]))
	assert.ErrorIs(t, err, errProduct)
	for _, row := range [][]string{mariaRow("0", "1", "1", "x", ""), mariaRow("1", "1", "1", "", "0-1"), mysqlRow("0", "1", "ON", "x")} {
		_, err = Driver{}.Probe(t.Context(), answers(t, row))
		assert.ErrorContains(t, err, "mysqlbind: probe: ")
	}
}

func galeraRow(readOnly string) []string {
	row := mariaRow(readOnly, "1", "0", "0-1-22", "")
	row[len(row)-1] = "555752c3-ec37"
	return row
}

func TestProbeOfAGaleraNode(t *testing.T) {
	ready := []string{"555752c3-ec37", "Primary", "ON", "4", "Synced"}
	p, err := Driver{}.Probe(t.Context(), answers(t, galeraRow("0"), ready))
	require.NoError(t, err)
	assert.Equal(t, binds.Probe{
		Server: "db1:3306/1/1795255299/bc27-02fc", History: "galera/555752c3-ec37", Primary: true, Peer: true, View: p.View,
	}, p)
	assert.Len(t, p.View, 4)

	p, err = Driver{}.Probe(t.Context(), answers(t, galeraRow("1"), ready))
	require.NoError(t, err)
	assert.False(t, p.Primary, "read_only")

	p, err = Driver{}.Probe(t.Context(), answers(t, galeraRow("0"), []string{"555752c3-ec37", "Primary", "ON", "2", "Donor/Desynced"}))
	require.NoError(t, err)
	assert.ErrorIs(t, p.Doubt, errGaleraNotSynced)
	assert.ErrorContains(t, p.Doubt, "wsrep_local_state = 2 (Donor/Desynced)")

	for reason, second := range map[string]any{
		"no primary component":  []string{"555752c3-ec37", "non-Primary", "OFF", "0", "Initialized"},
		"not ready":             []string{"555752c3-ec37", "Primary", "OFF", "4", "Synced"},
		"the wait timed out":    &mysql.MySQLError{Number: 1205, Message: "Lock wait timeout exceeded"},
		"it does not know more": &mysql.MySQLError{Number: 1047, Message: "WSREP has not yet prepared node for application use"},
	} {
		_, err = Driver{}.Probe(t.Context(), answers(t, galeraRow("0"), second))
		assert.ErrorIs(t, err, errGaleraNotReady, reason)
	}
	_, err = Driver{}.Probe(t.Context(), answers(t, galeraRow("0"), driver.ErrBadConn))
	assert.ErrorIs(t, err, driver.ErrBadConn)
}

// A node that takes too long to prove itself is told from one that does not answer, and the end of the wait from the caller's deadline.
func TestProbe_galeraTakesLong(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	first := answers(t, galeraRow("0"))
	_, err := Driver{}.Probe(ctx, func(ctx context.Context, query string) ([]string, error) {
		if query != galeraQuery {
			return first(ctx, query)
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	var unproved *binds.UnprovedError
	require.ErrorAs(t, err, &unproved)
	assert.ErrorIs(t, err, errGaleraLate)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, "galera/", unproved.Probe.History[:7])
}
