package pgbind

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

var noOptions driver.TxOptions

func TestBeginTx_levels(t *testing.T) {
	const state = "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')"
	for level, want := range map[sql.IsolationLevel]string{
		sql.LevelDefault:         "read committed",
		sql.LevelReadUncommitted: "read uncommitted",
		sql.LevelReadCommitted:   "read committed",
		sql.LevelRepeatableRead:  "repeatable read",
		sql.LevelSnapshot:        "repeatable read",
		sql.LevelSerializable:    "serializable",
	} {
		for _, readOnly := range []bool{false, true} {
			for _, role := range []binds.Role{binds.Writer, binds.Reader} {
				t.Run(fmt.Sprint(level, " ", readOnly, " ", role), func(t *testing.T) {
					e := open(t, cluster.Primary.URI(), binds.As(role))
					tx, err := e.DB().BeginTx(t.Context(), &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
					require.NoError(t, err)
					var got string
					require.NoError(t, tx.QueryRowContext(t.Context(), state).Scan(&got))
					require.NoError(t, tx.Commit())
					off := "off"
					if readOnly || role == binds.Reader {
						off = "on"
					}
					assert.Equal(t, want+" "+off, got)
				})
			}
		}
	}
	for _, level := range []sql.IsolationLevel{sql.LevelWriteCommitted, sql.LevelLinearizable} {
		_, err := open(t, cluster.Primary.URI()).DB().BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
		assert.ErrorContains(t, err, "no isolation level "+level.String())
	}
}

// The second belt holds where the first was taken off.
func TestBeginTx_readerWithoutBelt(t *testing.T) {
	c, err := open(t, cluster.Primary.URI(), binds.As(binds.Reader)).DB().Conn(t.Context())
	require.NoError(t, err)
	_, err = c.ExecContext(t.Context(), "SET default_transaction_read_only = off")
	require.NoError(t, err)
	tx, err := c.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "CREATE TABLE stray (n int)")
	assert.Equal(t, binds.ReadOnly, Driver{}.Classify(err), "%v", err)
	require.NoError(t, tx.Rollback())
	require.NoError(t, c.Close())
}

// A standby runs no serializable transaction: said before anything is sent, and the connection is
// none the worse for it.
func TestBeginTx_standby(t *testing.T) {
	e := open(t, cluster.Replicas[0].URI(), binds.As(binds.Reader), one)
	pid := value(t, e, "SELECT pg_backend_pid()")
	_, err := e.DB().BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable})
	require.ErrorIs(t, err, ErrSerializableOnStandby)
	assert.Equal(t, binds.Refused, e.Classify(err))
	assert.Equal(t, pid, value(t, e, "SELECT pg_backend_pid()"))
}

// The server calls the COMMIT of a failed transaction a success. It is none.
func TestCommit_failed(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	pid := value(t, e, "SELECT pg_backend_pid()")
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT 1 / 0")
	require.Error(t, err)
	require.ErrorIs(t, tx.Commit(), ErrRolledBack)
	assert.Equal(t, pid, value(t, e, "SELECT pg_backend_pid()"), "the connection is fine")
}

// A statement while rows are open would read the answer of another: it is refused, and the rows go on.
func TestRowsOpen(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	rows, err := tx.QueryContext(t.Context(), "SELECT generate_series(1, 5)")
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT 6")
	require.ErrorIs(t, err, ErrRowsOpen)
	_, err = tx.PrepareContext(t.Context(), "SELECT 6")
	require.ErrorIs(t, err, ErrRowsOpen)
	var n, sum int
	for rows.Next() {
		require.NoError(t, rows.Scan(&n))
		sum += n
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	assert.Equal(t, 15, sum)
	require.NoError(t, tx.Commit())
}

// A statement may be closed before the rows it gave, as deferred calls do in a transaction.
func TestStmt_closedBeforeRows(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for range 3 {
		stmt, err := tx.PrepareContext(t.Context(), "SELECT generate_series(1, $1)")
		require.NoError(t, err)
		rows, err := stmt.QueryContext(t.Context(), 2000)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, stmt.Close())
		n := 1
		for rows.Next() {
			n++
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		assert.Equal(t, 2000, n)
	}
	var left int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_prepared_statements").Scan(&left))
	assert.Zero(t, left, "statements are left on the server")
	require.NoError(t, tx.Commit())
}

// A connection that somebody left in a transaction is not handed to the next.
func TestPool_leftInTransaction(t *testing.T) {
	for _, native := range []bool{false, true} {
		e := open(t, cluster.Primary.URI(), one)
		db := e.DB()
		if native {
			var err error
			db, err = e.Native()
			require.NoError(t, err)
		}
		for _, q := range []string{"BEGIN", "BEGIN; SELECT 1 / 0"} {
			_, _ = db.ExecContext(t.Context(), q)
			var inTx bool
			require.NoError(t, db.QueryRowContext(context.Background(), "SELECT txid_current_if_assigned() IS NOT NULL OR now() <> statement_timestamp()").Scan(&inTx))
			assert.False(t, inTx, q)
		}
	}
}
