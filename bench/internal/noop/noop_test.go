package noop_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/binds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServers(t *testing.T) {
	var seen []string
	c := noop.New(1, noop.Seen(func(server, text string) { seen = append(seen, server+": "+text) }))
	db := sql.OpenDB(c.Peers().Replicas[0].Connect())
	t.Cleanup(func() { require.NoError(t, db.Close()) })

	var id, owner, version int64
	var name string
	require.NoError(t, db.QueryRow("SELECT $1", 1).Scan(&id, &owner, &version, &name))
	assert.Equal(t, noop.Row.ID, id)
	assert.Equal(t, noop.Row.Name, name)
	_, err := db.Exec("DELETE")
	require.NoError(t, err)
	tx, err := db.Begin()
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
	assert.Equal(t, []string{"replica-1: SELECT $1", "replica-1: DELETE", "replica-1: BEGIN", "replica-1: ROLLBACK"}, seen)
}

// TestRowsOfOneConnection has two answers open at once, as in a transaction.
func TestRowsOfOneConnection(t *testing.T) {
	db := sql.OpenDB(noop.New(0).Peers().Primary.Connect())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	tx, err := db.Begin()
	require.NoError(t, err)
	first, err := tx.Query("SELECT 1")
	require.NoError(t, err)
	second, err := tx.Query("SELECT 2")
	require.NoError(t, err)
	for _, rows := range []*sql.Rows{first, second} {
		assert.True(t, rows.Next())
		assert.False(t, rows.Next())
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	require.NoError(t, tx.Commit())
}

func TestProbes(t *testing.T) {
	c := noop.New(1)
	p := c.Peers()
	for uri, primary := range map[string]bool{p.Primary.URI: true, p.Replicas[0].URI: false} {
		e, err := p.Drivers.Open(t.Context(), "engine", uri)
		require.NoError(t, err)
		probe, err := e.Probe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, primary, probe.Primary)
		assert.True(t, probe.Position.Covers(probe.Position))
		again, err := c.ParsePosition(probe.Position.String())
		require.NoError(t, err)
		assert.Equal(t, probe.Position, again)
		require.NoError(t, e.Close())
	}
	_, err := c.ParsePosition("1")
	require.Error(t, err)
	_, err = c.Probe(t.Context(), func(context.Context, string) ([]string, error) { return nil, nil })
	require.Error(t, err)
	var open *binds.OpenError
	_, err = p.Drivers.Open(t.Context(), "engine", "noop://user:secret@nowhere")
	require.ErrorAs(t, err, &open)
	assert.NotContains(t, err.Error(), "secret")
}

func TestNothingIsAllocated(t *testing.T) {
	conn, err := noop.New(0).Peers().Primary.Connect().Connect(t.Context())
	require.NoError(t, err)
	dest := make([]driver.Value, 4)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		rows, _ := conn.(driver.QueryerContext).QueryContext(t.Context(), "SELECT", nil)
		_, _ = rows.Next(dest), rows.Close()
		_, _ = conn.(driver.ExecerContext).ExecContext(t.Context(), "INSERT", nil)
	}))
	assert.Equal(t, noop.Row.Name, dest[3])
}
