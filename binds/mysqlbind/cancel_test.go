package mysqlbind_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

const (
	patience = 10 * time.Second
	tick     = 10 * time.Millisecond
)

// endless is a statement during which the server does not look at its socket, as it does in SLEEP:
// only KILL ends it.
func endless(mark string) string {
	return "SELECT COUNT(*), '" + mark + "' FROM " + series(1000, "a") + ", " + series(1000, "b") + ", " + series(1000, "c") + ", " + series(1000, "d")
}

// promptly runs do, which must return soon although the server would take a minute.
func promptly(t *testing.T, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	since := time.Now()
	go func() { done <- do() }()
	select {
	case err := <-done:
		t.Logf("returned after %v", time.Since(since))
		return err
	case <-time.After(patience):
		require.Fail(t, "it did not return")
		return nil
	}
}

func gone(t *testing.T, mark string) {
	t.Helper()
	require.Eventually(t, func() bool { return busy(t, mark) == "0" }, patience, 10*time.Millisecond, "the server works on")
}

func running(t *testing.T, mark string) {
	t.Helper()
	require.Eventually(t, func() bool { return busy(t, mark) != "0" }, patience, 5*time.Millisecond, "it does not begin")
}

// Rows that are closed early are read over by the driver, which no longer looks at the context then.
func TestContextBoundsClosingOfRows(t *testing.T) {
	e := writer(t, "")
	procedure(t, "my_early", "SELECT REPEAT('x', 20000), 'my-early'; SELECT SLEEP(60), 'my-early'")
	for reason, open := range map[string]func(ctx context.Context) (*sql.Rows, error){
		"plain": func(ctx context.Context) (*sql.Rows, error) {
			return e.DB().QueryContext(ctx, "SELECT REPEAT('x', 20000), SLEEP(0.1), 'my-early' FROM "+series(600, "a"))
		},
		"several result sets": func(ctx context.Context) (*sql.Rows, error) {
			return e.DB().QueryContext(ctx, "CALL my_early()")
		},
	} {
		t.Run(reason, func(t *testing.T) {
			ctx, cancel := context.WithCancel(bounded(t))
			defer cancel()
			rows, err := open(ctx)
			require.NoError(t, err)
			require.True(t, rows.Next())
			stop := time.AfterFunc(200*time.Millisecond, cancel)
			defer stop.Stop()
			err = promptly(t, rows.Close)
			assert.True(t, err == nil || errors.Is(err, context.Canceled), "%v", err)
			gone(t, "my-early")
			require.Equal(t, "1", value(t, e, "SELECT 1"))
		})
	}
}

// A QueryRow closes its rows after the first one: without harm where it is the only one.
func TestRowsClosedEarlyKeepTheConnection(t *testing.T) {
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	first := value(t, e, "SELECT CONNECTION_ID()")
	procedure(t, "my_results", "SELECT 1; SELECT 2")
	for reason, query := range map[string]string{
		"one row":         "SELECT 1",
		"several rows":    "SELECT seq FROM " + series(3000, "a"),
		"many columns":    "SELECT 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 FROM " + series(3, "a"),
		"several results": "CALL my_results()",
		"no row":          "SELECT 1 FROM " + series(3, "a") + " WHERE seq = 7",
	} {
		rows, err := e.DB().QueryContext(ctx, query)
		require.NoError(t, err, reason)
		rows.Next()
		require.NoError(t, rows.Close(), reason)
		assert.Equal(t, first, value(t, e, "SELECT CONNECTION_ID()"), reason)
	}
}

// Tx.Exec and Tx.Query have no context of their own: the transaction's ends them.
func TestTransactionContextEndsItsStatements(t *testing.T) {
	e := writer(t, "")
	for reason, use := range map[string]func(*sql.Tx) error{
		"Exec": func(tx *sql.Tx) error {
			_, err := tx.Exec(endless("my-tx"))
			return err
		},
		"Query": func(tx *sql.Tx) error {
			var n int
			return tx.QueryRow(endless("my-tx")).Scan(&n)
		},
		"a prepared statement": func(tx *sql.Tx) error {
			stmt, err := tx.Prepare(endless("my-tx"))
			if err != nil {
				return err
			}
			_, err = stmt.Exec()
			return err
		},
	} {
		t.Run(reason, func(t *testing.T) {
			ctx, cancel := context.WithCancel(bounded(t))
			defer cancel()
			tx, err := e.DB().BeginTx(ctx, nil)
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- use(tx) }()
			running(t, "my-tx")
			cancel()
			err = promptly(t, func() error { return <-done })
			require.ErrorIs(t, err, context.Canceled)
			_ = tx.Rollback() // database/sql has done so
			gone(t, "my-tx")
		})
	}
}

// On a frozen server COMMIT ends with its context, and its outcome is unknown.
func TestContextBoundsCommit(t *testing.T) {
	e := writer(t, "")
	table(t, e, "my_commit", "id INT PRIMARY KEY")
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	tx, err := e.DB().BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(ctx, "INSERT INTO my_commit VALUES (1)")
	require.NoError(t, err)
	require.NoError(t, cluster.Primary.Freeze())
	stop := time.AfterFunc(100*time.Millisecond, cancel)
	defer stop.Stop()
	err = promptly(t, tx.Commit)
	thaw(t)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, binds.Unknown, e.Classify(err))
	require.Equal(t, "1", value(t, e, "SELECT 1"))
}

// A rollback on a frozen server, after its context has ended, holds nobody up for ever.
func TestRollbackOnFrozenServer(t *testing.T) {
	e := engine(t, cluster.Primary.URI())
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	tx, err := e.DB().BeginTx(ctx, nil)
	require.NoError(t, err)
	require.NoError(t, cluster.Primary.Freeze())
	cancel()
	err = promptly(t, tx.Rollback)
	assert.True(t, err == nil || errors.Is(err, sql.ErrTxDone) || errors.Is(err, context.DeadlineExceeded), "%v", err)
	require.Eventually(t, func() bool { return e.DB().Stats().InUse == 0 }, patience, 10*time.Millisecond)
	thaw(t)
	require.Equal(t, "1", value(t, e, "SELECT 1"))
}

// A frozen server lets nobody wait longer than the context, or connect_timeout, allows.
func TestFrozenServer(t *testing.T) {
	e := writer(t, "?connect_timeout=300ms")
	require.NoError(t, e.Ping(bounded(t)))
	require.NoError(t, cluster.Primary.Freeze())
	thawOnce := sync.OnceFunc(func() { thaw(t) })
	defer thawOnce()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := promptly(t, func() error { _, err := e.DB().ExecContext(ctx, "SELECT 1"); return err })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	err = promptly(t, func() error { _, err := e.DB().ExecContext(t.Context(), "SELECT 1"); return err })
	require.ErrorContains(t, err, "no session within connect_timeout (300ms)")
	assert.Equal(t, binds.NotSent, e.Classify(err))
	require.NoError(t, promptly(t, e.Close), "Close waits for kills that cannot be delivered")
	thawOnce()
}

// What runs into read_timeout is killed too.
func TestReadTimeout(t *testing.T) {
	e := writer(t, "?read_timeout=300ms")
	err := promptly(t, func() error {
		_, err := e.DB().ExecContext(t.Context(), endless("my-stall"))
		return err
	})
	require.ErrorIs(t, err, mysql.ErrInvalidConn)
	assert.Equal(t, binds.Unknown, e.Classify(err))
	gone(t, "my-stall")
}

// Many contexts that end together are served by one more connection or a few, not by as many.
func TestManyGiveUpTogether(t *testing.T) {
	const n = 20
	e := engine(t, cluster.Primary.URI(), binds.WithPool(binds.Pool{MaxOpen: n}))
	admin := administrator(t)
	status := func(query string) (count int) {
		var name string
		require.NoError(t, admin.DB().QueryRowContext(bounded(t), query).Scan(&name, &count))
		return count
	}
	const connections = "SHOW GLOBAL STATUS LIKE 'Connections'"
	sleeping := "SELECT '', COUNT(*) FROM " + server().processes + " WHERE INFO LIKE '%my-many%' AND USER = 'app'"
	before := status(connections)
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	done := make(chan error, n)
	for range n {
		go func() {
			_, err := e.DB().ExecContext(ctx, "SELECT SLEEP(60), 'my-many'")
			done <- err
		}()
	}
	require.Eventually(t, func() bool { return status(sleeping) == n }, patience, 10*time.Millisecond)
	cancel()
	for range n {
		require.ErrorIs(t, <-done, context.Canceled)
	}
	require.Eventually(t, func() bool { return status(sleeping) == 0 }, patience, 10*time.Millisecond)
	require.NoError(t, e.Close())
	more := status(connections) - before - n
	t.Logf("%d connections more for %d statements", more, n)
	assert.Less(t, more, n/2)
}

// A native connection kills nothing, but returns as promptly.
func TestNativeContext(t *testing.T) {
	e := writer(t, "")
	native, err := e.Native()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = promptly(t, func() error { _, err := native.ExecContext(ctx, "SELECT SLEEP(3)"); return err })
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// procedure makes a procedure that the test's end drops.
func procedure(t *testing.T, name, body string) {
	t.Helper()
	onPrimary(t, "DROP PROCEDURE IF EXISTS app."+name, "CREATE PROCEDURE app."+name+"() BEGIN "+body+"; END")
	t.Cleanup(func() { onPrimary(t, "DROP PROCEDURE app."+name) })
}

// cancelled gives up a statement and waits until the server has ended it.
func cancelled(t *testing.T, e *binds.Engine, mark string) {
	t.Helper()
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := e.DB().ExecContext(ctx, endless(mark))
		done <- err
	}()
	running(t, mark)
	cancel()
	require.ErrorIs(t, promptly(t, func() error { return <-done }), context.Canceled)
	gone(t, mark)
}
