package sqlitebind_test

import (
	"context"
	"database/sql"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/sqlitebind"
)

// Transactions that read and then write neither fail nor lose an update: they begin IMMEDIATE.
func TestReadThenWrite(t *testing.T) {
	const goroutines, rounds = 32, 10
	uri := "sqlite://" + t.TempDir() + "/app.db"
	for reason, engines := range map[string]func() []*binds.Engine{
		"in one engine":                     func() []*binds.Engine { return []*binds.Engine{open(t, uri)} },
		"in two, as of two processes":       func() []*binds.Engine { return []*binds.Engine{open(t, uri), open(t, uri)} },
		"in memory, with a pool of writers": func() []*binds.Engine { return []*binds.Engine{open(t, "sqlite::memory:")} },
	} {
		t.Run(reason, func(t *testing.T) {
			es := engines()
			run(t, es[0], "DROP TABLE IF EXISTS counter", "CREATE TABLE counter (n INTEGER)", "INSERT INTO counter VALUES (0)")
			var wg sync.WaitGroup
			for i := range goroutines {
				wg.Go(func() {
					for range rounds {
						assert.NoError(t, count(t.Context(), es[i%len(es)].DB()))
					}
				})
			}
			wg.Wait()
			assert.Equal(t, strconv.Itoa(goroutines*rounds), value(t, es[0], "SELECT n FROM counter"))
		})
	}
}

func count(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after Commit
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT n FROM counter").Scan(&n); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE counter SET n = ?", n+1); err != nil {
		return err
	}
	return tx.Commit()
}

// holdLock keeps the file's write lock, as another process would.
func holdLock(t *testing.T, uri string) {
	t.Helper()
	other := open(t, uri)
	run(t, other, "CREATE TABLE IF NOT EXISTS t (id INTEGER)")
	tx, err := other.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() }) // its context ends before
}

func TestLockedByAnother(t *testing.T) {
	uri := "sqlite://" + t.TempDir() + "/app.db"
	holdLock(t, uri)
	for reason, do := range map[string]func(context.Context, *sql.DB) error{
		"Exec": func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, "INSERT INTO t VALUES (1)")
			return err
		},
		"Query": func(ctx context.Context, db *sql.DB) error {
			var id int
			return db.QueryRowContext(ctx, "INSERT INTO t VALUES (1) RETURNING id").Scan(&id)
		},
		"BeginTx": func(ctx context.Context, db *sql.DB) error {
			_, err := db.BeginTx(ctx, nil)
			return err
		},
	} {
		t.Run(reason, func(t *testing.T) {
			patient := open(t, uri+"?busy_timeout=1h")
			require.NoError(t, patient.Ping(t.Context()))
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := do(ctx, patient.DB())
			late := time.Since(deadline(ctx))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, binds.Canceled, patient.Classify(err))
			assert.Less(t, late, 2*time.Second)
			t.Logf("returned %v after the deadline", late)

			hasty := open(t, uri+"?busy_timeout=20ms")
			err = do(t.Context(), hasty.DB())
			var busy *sqlitebind.BusyError
			require.ErrorAs(t, err, &busy)
			assert.Equal(t, 20*time.Millisecond, busy.Waited)
			assert.Equal(t, binds.Retryable, hasty.Classify(err))
		})
	}
}

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

// Rows that are open hold a reader's connection, and no lock that a writer needs.
func TestWriteInsideOpenRows(t *testing.T) {
	w := open(t, "sqlite://"+t.TempDir()+"/app.db")
	r := sibling(t, w)
	run(t, w, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1), (2), (3)")
	rows, err := r.DB().QueryContext(t.Context(), "SELECT id FROM t")
	require.NoError(t, err)
	for rows.Next() {
		run(t, w, "INSERT INTO t VALUES (9)")
		assert.NotEmpty(t, value(t, r, "SELECT count(*) FROM t"))
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, "6", value(t, r, "SELECT count(*) FROM t"))
}

// An interrupted write takes its transaction along. What follows in it must not be committed by itself.
func TestInterruptedTransaction(t *testing.T) {
	e := open(t, "sqlite://"+t.TempDir()+"/app.db")
	run(t, e, "CREATE TABLE t (id INTEGER)")
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = tx.ExecContext(ctx, "INSERT INTO t "+endless+"SELECT n FROM r")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, binds.Canceled, e.Classify(err))
	_, err = tx.ExecContext(t.Context(), "INSERT INTO t VALUES (2)")
	require.ErrorIs(t, err, sqlitebind.ErrTxLost)
	_, err = tx.QueryContext(t.Context(), "SELECT 1")
	require.ErrorIs(t, err, sqlitebind.ErrTxLost)
	require.ErrorIs(t, tx.Commit(), sqlitebind.ErrTxLost)
	assert.Equal(t, "0", value(t, e, "SELECT count(*) FROM t"))
	assert.Equal(t, 1, e.DB().Stats().OpenConnections, "the connection stays good")
	assert.Zero(t, e.DB().Stats().MaxLifetimeClosed)
}

// An interrupted read leaves its transaction open.
func TestInterruptedReadInTransaction(t *testing.T) {
	e := open(t, "sqlite://"+t.TempDir()+"/app.db")
	run(t, e, "CREATE TABLE t (id INTEGER)")
	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = tx.ExecContext(ctx, endless+"SELECT count(*) FROM r")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO t VALUES (2)")
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	assert.Equal(t, "2", value(t, e, "SELECT count(*) FROM t"))
}

// A transaction begun by hand and forgotten does not reach the next user of the connection, and does
// not keep the file locked.
func TestForgottenTransaction(t *testing.T) {
	uri := "sqlite://" + t.TempDir() + "/app.db"
	e := open(t, uri)
	run(t, e, "CREATE TABLE t (id INTEGER)")
	c, err := e.DB().Conn(t.Context())
	require.NoError(t, err)
	for _, q := range []string{"BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"} {
		_, err = c.ExecContext(t.Context(), q)
		require.NoError(t, err)
	}
	require.NoError(t, c.Close())
	run(t, open(t, uri+"?busy_timeout=0"), "INSERT INTO t VALUES (2)")
	run(t, e, "INSERT INTO t VALUES (3)")
	assert.Equal(t, "2", value(t, e, "SELECT count(*) FROM t"))
}

func TestReadOnlyTransactionOnWriter(t *testing.T) {
	e := open(t, "sqlite://"+t.TempDir()+"/app.db")
	run(t, e, "CREATE TABLE t (id INTEGER)")
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx, err := e.DB().BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
		assert.Equal(t, binds.ReadOnly, e.Classify(err), "%v", err)
		require.NoError(t, end(tx))
		run(t, e, "INSERT INTO t VALUES (2)")
	}
	assert.Equal(t, "2", value(t, e, "SELECT count(*) FROM t"))
}
