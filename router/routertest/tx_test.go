package routertest_test

import (
	"context"
	"database/sql"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

func beginTx(t *testing.T, e *binds.Engine, opts *sql.TxOptions) *sql.Tx {
	t.Helper()
	tx, err := e.DB().BeginTx(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() }) // nothing to do where the test ended it
	return tx
}

func exec(t *testing.T, tx *sql.Tx, query string) {
	t.Helper()
	_, err := tx.ExecContext(t.Context(), query)
	require.NoError(t, err)
}

func TestTransactionsAreIsolated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 0)
		w := writer(t, c)
		run(t, w, create)
		tx := beginTx(t, w, nil)
		run(t, w, insert)
		assert.Equal(t, 1, count(t, tx), "read committed")
		exec(t, tx, insert)
		assert.Equal(t, 2, count(t, tx), "it sees its own")
		assert.Equal(t, 1, count(t, w.DB()), "others do not, and need not wait")
		require.NoError(t, tx.Commit())
		assert.Equal(t, 2, count(t, w.DB()))
	})
}

// An open transaction that has written nothing is in nobody's way.
func TestWritersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 0)
		w := writer(t, c)
		run(t, w, create)
		idle := beginTx(t, w, nil)
		tx := beginTx(t, w, nil)
		exec(t, tx, insert)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := w.DB().ExecContext(ctx, insert)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start), "a wait ends with its context")

		second := in(func() error { _, err := idle.ExecContext(t.Context(), insert); return err })
		synctest.Wait() // first come, first served
		third := in(func() error { _, err := w.DB().ExecContext(t.Context(), insert); return err })
		time.Sleep(time.Hour)
		assert.Equal(t, 0, count(t, w.DB()))
		require.NoError(t, tx.Commit())
		require.NoError(t, <-second)
		assert.Equal(t, 1, count(t, w.DB()))
		assert.Equal(t, 2, count(t, idle))
		require.NoError(t, idle.Rollback())
		require.NoError(t, <-third)
		assert.Equal(t, 2, count(t, w.DB()))
	})
}

func TestSnapshot(t *testing.T) {
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSnapshot, sql.LevelSerializable} {
		t.Run(level.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := routertest.New(t, 1)
				w, r := writer(t, c), reader(t, c, 0)
				run(t, w, create)
				onReplica := beginTx(t, r, &sql.TxOptions{Isolation: level})
				run(t, w, insert)
				assert.Equal(t, 1, count(t, onReplica), "the snapshot is that of the first statement")
				run(t, w, insert)
				assert.Equal(t, 1, count(t, onReplica), "and stays, whatever is replayed")
				require.NoError(t, onReplica.Commit())

				tx := beginTx(t, w, &sql.TxOptions{Isolation: level})
				assert.Equal(t, 2, count(t, tx))
				exec(t, tx, insert)
				require.NoError(t, tx.Commit(), "nobody was faster")

				tx = beginTx(t, w, &sql.TxOptions{Isolation: level})
				assert.Equal(t, 3, count(t, tx))
				run(t, w, insert)
				_, err := tx.ExecContext(t.Context(), insert)
				require.ErrorIs(t, err, routertest.ErrSerialization)
				assert.Equal(t, binds.Retryable, w.Classify(err))
				require.NoError(t, tx.Rollback())
				assert.Equal(t, 4, count(t, w.DB()))
				run(t, w, insert)
			})
		})
	}
}

func TestReadOnlyTransaction(t *testing.T) {
	c := routertest.New(t, 0)
	w := writer(t, c)
	run(t, w, create)
	tx := beginTx(t, w, &sql.TxOptions{ReadOnly: true})
	_, err := tx.ExecContext(t.Context(), insert)
	assert.Equal(t, binds.ReadOnly, w.Classify(err), "%v", err)
	assert.Equal(t, 0, count(t, tx))
	require.NoError(t, tx.Commit())
	run(t, w, insert)
}

func TestUnknownIsolation(t *testing.T) {
	w := writer(t, routertest.New(t, 0))
	_, err := w.DB().BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelLinearizable})
	assert.Equal(t, binds.Refused, w.Classify(err), "%v", err)
}

// As on other servers, a write that returns rows is acknowledged when they end.
func TestReturningCommitsWithItsRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		run(t, w, create)
		rows, err := w.DB().QueryContext(t.Context(), "INSERT INTO t (n) VALUES (1), (2) RETURNING id")
		require.NoError(t, err)
		require.True(t, rows.Next())
		time.Sleep(time.Hour)
		assert.Equal(t, 0, count(t, r.DB()))
		assert.Equal(t, routertest.Position(1), probe(t, w).Position)
		require.NoError(t, rows.Close())
		assert.Equal(t, 2, count(t, r.DB()))

		_, err = w.DB().QueryContext(t.Context(), "INSERT INTO t (id) VALUES (1) RETURNING id")
		assert.Equal(t, binds.Refused, w.Classify(err), "%v", err)
		run(t, w, insert)
		assert.Equal(t, 3, count(t, r.DB()))

		rows, err = w.DB().QueryContext(t.Context(), "INSERT INTO t (n) VALUES (1) RETURNING id")
		require.NoError(t, err)
		c.Primary().Down()
		require.NoError(t, rows.Close())
		assert.Equal(t, 4, count(t, r.DB()), "what was carried out counts, whether its client lives or not")
	})
}

func TestTransactionByHand(t *testing.T) {
	c := routertest.New(t, 1)
	w, r := writer(t, c), reader(t, c, 0)
	run(t, w, create)
	conn, err := w.DB().Conn(t.Context())
	require.NoError(t, err)
	do := func(queries ...string) error {
		for _, q := range queries {
			if _, err := conn.ExecContext(t.Context(), q); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, do("BEGIN IMMEDIATE", insert, "rollback transaction;", "begin", insert))
	assert.Equal(t, 0, count(t, w.DB()))
	assert.Equal(t, binds.Refused, w.Classify(do("BEGIN")), "one is open")
	require.NoError(t, do("END"))
	assert.Equal(t, 1, count(t, r.DB()))
	for _, q := range []string{"COMMIT", "ROLLBACK", "SAVEPOINT a"} {
		assert.Equal(t, binds.Refused, w.Classify(do(q)), "%s: none is open", q)
	}
	run(t, w, insert) // the refused savepoint holds nothing

	require.NoError(t, do("BEGIN", insert))
	require.NoError(t, conn.Close())
	run(t, w, insert)
	assert.Equal(t, 3, count(t, w.DB()), "a transaction left open ends with its connection")
}

// A context that ends takes its transaction along.
func TestCanceledTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 0)
		w := writer(t, c)
		run(t, w, create)
		ctx, cancel := context.WithCancel(t.Context())
		tx, err := w.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, insert)
		require.NoError(t, err)
		cancel()
		synctest.Wait()
		require.Error(t, tx.Commit())
		run(t, w, insert)
		assert.Equal(t, 1, count(t, w.DB()))
	})
}
