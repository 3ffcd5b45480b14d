package pgbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// connect makes a connection to the standby that the test's end closes.
func connect(t *testing.T, e *binds.Engine) *conn {
	t.Helper()
	c, err := e.Connector().Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c.(*conn)
}

func sleepers(t *testing.T) string {
	t.Helper()
	n, err := cluster.Replicas[0].QueryString(t.Context(),
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND usename = 'app' AND state = 'active'")
	require.NoError(t, err)
	return n
}

// answer returns what comes within two seconds, far less than the statement would take.
func answer(t *testing.T, errs <-chan error) error {
	t.Helper()
	select {
	case err := <-errs:
		return err
	case <-time.After(2 * time.Second):
		require.Fail(t, "the statement was not interrupted")
		return nil
	}
}

func assertBroken(t *testing.T, c *conn, err error) {
	t.Helper()
	require.Error(t, err)
	assert.Equal(t, binds.Unknown, Driver{}.Classify(err), "%v", err)
	assert.False(t, errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded), "%v", err)
	assert.False(t, c.IsValid())
	assert.ErrorIs(t, c.ResetSession(t.Context()), driver.ErrBadConn)
	_, err = c.ExecContext(t.Context(), "SELECT 1", nil)
	assert.Equal(t, binds.NotSent, Driver{}.Classify(err), "%v", err)
}

func TestInterruptOnAFrozenServer(t *testing.T) {
	bounded, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for reason, ctx := range map[string]context.Context{"with a deadline": bounded, "without": context.Background()} {
		t.Run(reason, func(t *testing.T) {
			c := connect(t, openReader(t, cluster.Replicas[0].URI()))
			errs := make(chan error, 1)
			go func() {
				_, err := c.ExecContext(ctx, "SELECT pg_sleep(600)", nil)
				errs <- err
			}()
			require.Eventually(t, func() bool { return sleepers(t) == "1" }, 20*time.Second, time.Millisecond)
			require.NoError(t, cluster.Replicas[0].Freeze())
			start := time.Now()
			c.Interrupt()
			err := answer(t, errs)
			t.Logf("%v: %v", time.Since(start), err)
			require.NoError(t, cluster.Replicas[0].Thaw())
			assertBroken(t, c, err)
			c.Interrupt()
			require.Eventually(t, func() bool { return sleepers(t) == "0" }, 20*time.Second, 5*time.Millisecond,
				"the server was told to stop")
		})
	}
}

func TestInterruptOfAnIdleConnection(t *testing.T) {
	c := connect(t, openReader(t, cluster.Replicas[0].URI()))
	c.Interrupt()
	assert.False(t, c.IsValid())
	_, err := c.QueryContext(t.Context(), "SELECT 1", nil)
	assert.ErrorIs(t, err, driver.ErrBadConn)
}

func TestInterruptOfRows(t *testing.T) {
	c := connect(t, openReader(t, cluster.Replicas[0].URI()))
	rows, err := c.QueryContext(t.Context(), "SELECT repeat('x', 10000), pg_sleep(0.2) FROM generate_series(1, 300)", nil)
	require.NoError(t, err)
	dest := make([]driver.Value, 2)
	require.NoError(t, rows.Next(dest))
	errs := make(chan error, 1)
	go func() {
		for err == nil {
			err = rows.Next(dest)
		}
		errs <- err
	}()
	c.Interrupt()
	err = answer(t, errs)
	assert.Equal(t, binds.Unknown, Driver{}.Classify(err), "%v", err)
	_ = rows.Close() // the same error once more
	assert.False(t, c.IsValid())
}

// The statement was carried out, but the transaction that it is part of dies with the connection.
func TestInterruptAfterTheAnswer(t *testing.T) {
	c := connect(t, open(t, cluster.Primary.URI()))
	_, err := c.BeginTx(t.Context(), driver.TxOptions{})
	require.NoError(t, err)
	c.Interrupt()
	assertBroken(t, c, c.finish(t.Context(), nil))
}

// Statements and transactions that are interrupted at any moment end, and either they were done or
// their outcome is unknown.
func TestInterruptAtAnyMoment(t *testing.T) {
	e := open(t, cluster.Primary.URI())
	for i := range 100 {
		c := connect(t, e)
		errs := make(chan error, 1)
		go func() { errs <- transact(t.Context(), c) }()
		for range i * 40 {
			_ = c.wire.socket.end.Load() // some nanoseconds more each time
		}
		c.Interrupt()
		if err := answer(t, errs); err != nil {
			assert.Contains(t, []binds.Fault{binds.Unknown, binds.NotSent}, Driver{}.Classify(err), "%v", err)
		}
		assert.False(t, c.IsValid())
	}
}

func transact(ctx context.Context, c *conn) error {
	tx, err := c.BeginTx(ctx, driver.TxOptions{})
	if err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, "SELECT 1", nil); err != nil {
		_ = tx.Rollback() // the connection has gone
		return err
	}
	return tx.Commit()
}
