package sqlitebind_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

func TestMemoryIsShared(t *testing.T) {
	w := open(t, "sqlite::memory:")
	require.False(t, w.SplitsRoles())
	r := sibling(t, w)
	assert.Equal(t, "0", value(t, r, "SELECT count(*) FROM sqlite_master"), "a reader may come first")
	run(t, w, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1), (2)")
	assert.Equal(t, "2", value(t, r, "SELECT count(*) FROM t"))
	_, err := r.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (3)")
	assert.Equal(t, binds.ReadOnly, r.Classify(err), "%v", err)
}

func TestMemoryIsNotSharedByTwoURIs(t *testing.T) {
	a, b := open(t, "sqlite::memory:"), open(t, "sqlite::memory:")
	run(t, a, "CREATE TABLE t (id INTEGER)")
	run(t, b, "CREATE TABLE t (id INTEGER)")
}

// The database outlives its connections, and not its engines.
func TestMemoryLivesAsLongAsItsEngines(t *testing.T) {
	w := open(t, "sqlite::memory:", binds.WithPool(binds.Pool{MaxIdle: -1}))
	run(t, w, "CREATE TABLE t (id INTEGER)")
	assert.Zero(t, w.DB().Stats().OpenConnections, "no connection is kept")
	assert.Equal(t, "0", value(t, w, "SELECT count(*) FROM t"))

	r := sibling(t, w)
	require.NoError(t, r.Ping(t.Context()))
	require.NoError(t, w.Close())
	assert.Equal(t, "0", value(t, r, "SELECT count(*) FROM t"), "the sibling still holds it")
	require.NoError(t, r.Close())

	last := w.Sibling("app/last")
	t.Cleanup(func() { assert.NoError(t, last.Close()) })
	assert.Equal(t, "0", value(t, last, "SELECT count(*) FROM sqlite_master"), "it went with its last engine")
}

func TestMemoryTouchesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	w := open(t, "sqlite::memory:")
	tx, err := w.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "CREATE TABLE t (id INTEGER)")
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
	assert.Equal(t, "0", value(t, w, "SELECT count(*) FROM sqlite_master"), "a rollback needs its journal")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
	assert.NoFileExists(t, "/bindery-1-journal")
}

// A query inside open rows does not wait for them.
func TestMemoryReadInsideOpenRows(t *testing.T) {
	w := open(t, "sqlite::memory:")
	run(t, w, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1), (2)")
	rows, err := w.DB().QueryContext(t.Context(), "SELECT id FROM t")
	require.NoError(t, err)
	n := 0
	for rows.Next() {
		assert.Equal(t, "2", value(t, w, "SELECT count(*) FROM t"))
		n++
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, 2, n)
}

// A write inside open rows gives up after busy_timeout, and is whole or not at all.
func TestMemoryWriteInsideOpenRows(t *testing.T) {
	w := open(t, "sqlite::memory:?busy_timeout=50ms")
	run(t, w, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1), (2)")
	rows, err := w.DB().QueryContext(t.Context(), "SELECT id FROM t")
	require.NoError(t, err)
	require.True(t, rows.Next())
	_, err = w.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (3)")
	assert.Equal(t, binds.Retryable, w.Classify(err), "%v", err)
	require.NoError(t, rows.Close())
	run(t, w, "INSERT INTO t VALUES (3)")
	assert.Equal(t, "3", value(t, w, "SELECT count(*) FROM t"))
}
