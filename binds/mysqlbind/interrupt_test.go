package mysqlbind_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
)

// A breakable is what the connections of the package can do.
type breakable interface {
	driver.Conn
	driver.ConnBeginTx
	driver.QueryerContext
	driver.ExecerContext
	driver.Validator
	driver.SessionResetter
	binds.Interrupter
}

// connect makes a connection that the test's end closes.
func connect(t *testing.T, e *binds.Engine) breakable {
	t.Helper()
	c, err := e.Connector().Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c.(breakable)
}

// comes returns what comes within two seconds, far less than the statement would take.
func comes(t *testing.T, errs <-chan error) error {
	t.Helper()
	select {
	case err := <-errs:
		return err
	case <-time.After(2 * time.Second):
		require.Fail(t, "the statement was not interrupted")
		return nil
	}
}

func interrupted(t *testing.T) string {
	t.Helper()
	n, err := cluster.Replicas[0].QueryString(bounded(t),
		"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND INFO LIKE '%interrupted%'")
	require.NoError(t, err)
	return n
}

func fault(err error) binds.Fault { return mysqlbind.Driver{}.Classify(err) }

func TestInterruptOnAFrozenServer(t *testing.T) {
	deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for reason, ctx := range map[string]context.Context{"with a deadline": deadline, "without": context.Background()} {
		t.Run(reason, func(t *testing.T) {
			c := connect(t, replica(t, cluster.Replicas[0].URI()))
			errs := make(chan error, 1)
			go func() {
				_, err := c.ExecContext(ctx, endless("interrupted"), nil)
				errs <- err
			}()
			require.Eventually(t, func() bool { return interrupted(t) == "1" }, 20*time.Second, time.Millisecond)
			require.NoError(t, cluster.Replicas[0].Freeze())
			start := time.Now()
			c.Interrupt()
			err := comes(t, errs)
			t.Logf("%v: %v", time.Since(start), err)
			require.NoError(t, cluster.Replicas[0].Thaw())
			assert.Equal(t, binds.Unknown, fault(err), "%v", err)
			assert.False(t, errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded), "%v", err)
			assert.False(t, c.IsValid())
			assert.ErrorIs(t, c.ResetSession(t.Context()), driver.ErrBadConn)
			c.Interrupt()
			_, err = c.ExecContext(t.Context(), "SELECT 1", nil)
			assert.Equal(t, binds.NotSent, fault(err), "%v", err)
			require.Eventually(t, func() bool { return interrupted(t) == "0" }, 20*time.Second, 5*time.Millisecond,
				"the server was told to stop")
		})
	}
}

func TestInterruptOfAnIdleConnection(t *testing.T) {
	c := connect(t, replica(t, cluster.Replicas[0].URI()))
	c.Interrupt()
	assert.False(t, c.IsValid())
	assert.ErrorIs(t, c.ResetSession(t.Context()), driver.ErrBadConn)
	_, err := c.QueryContext(t.Context(), "SELECT 1", nil)
	assert.Equal(t, binds.NotSent, fault(err), "%v", err)
}

func TestInterruptOfRows(t *testing.T) {
	c := connect(t, replica(t, cluster.Replicas[0].URI()))
	rows, err := c.QueryContext(t.Context(), "SELECT REPEAT('x', 20000), SLEEP(0.1) FROM seq_1_to_600", nil)
	require.NoError(t, err)
	dest := make([]driver.Value, 2)
	require.NoError(t, rows.Next(dest))
	errs := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			err = rows.Next(dest)
		}
		errs <- err
	}()
	c.Interrupt()
	err = comes(t, errs)
	assert.Equal(t, binds.Unknown, fault(err), "%v", err)
	_ = rows.Close() // the same error once more
	assert.False(t, c.IsValid())
}

// Statements and transactions that are interrupted at any moment end, and either they were done or
// their outcome is unknown.
func TestInterruptAtAnyMoment(t *testing.T) {
	e := writer(t, "")
	var pause atomic.Int64
	for i := range 100 {
		c := connect(t, e)
		errs := make(chan error, 1)
		go func() { errs <- transact(t.Context(), c) }()
		for range i * 40 {
			pause.Add(1) // some nanoseconds more each time
		}
		c.Interrupt()
		if err := comes(t, errs); err != nil {
			assert.Contains(t, []binds.Fault{binds.Unknown, binds.NotSent}, fault(err), "%v", err)
		}
		assert.False(t, c.IsValid())
	}
}

func transact(ctx context.Context, c breakable) error {
	tx, err := c.BeginTx(ctx, driver.TxOptions{})
	if err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, "DO 1", nil); err != nil {
		_ = tx.Rollback() // the connection has gone
		return err
	}
	return tx.Commit()
}
