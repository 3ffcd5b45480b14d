package bindtest

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// Interrupts says what the promises of a [binds.Interrupter] are checked with. The replica is the
// server of the first of Harness.Readers.
type Interrupts struct {
	// Held is a statement that takes 30 seconds or more, fits Exec, and goes on when its client has
	// gone: the server must be told to stop. Required.
	Held string
	// Running is a query of a reader that counts the statements that the replica is executing for the
	// reader's user, idle sessions and the query itself excepted. Required.
	Running string
	// Freeze makes the replica hang, with its connections open, until Thaw. Both are required, and
	// Thaw is called of a replica that is not frozen, too.
	Freeze, Thaw func() error
}

// lacksInterrupts tells of each field that the promises about interrupts need whether it is missing.
func (h *Harness) lacksInterrupts() map[string]bool {
	i := h.Interrupts
	if i == nil {
		return nil // whether that is true only a connection can tell
	}
	return map[string]bool{
		"Readers":            len(h.Readers) == 0,
		"Interrupts.Held":    i.Held == "",
		"Interrupts.Running": i.Running == "",
		"Interrupts.Freeze":  i.Freeze == nil,
		"Interrupts.Thaw":    i.Thaw == nil,
	}
}

// interrupts checks what [binds.Interrupter] promises.
func (s *suite) interrupts(t *testing.T) {
	conn, err := s.writer(t).Connector().Connect(ctx(t))
	require.NoError(t, err)
	_, has := conn.(binds.Interrupter)
	require.NoError(t, conn.Close())
	require.Equal(t, s.Interrupts != nil, has, "the harness says whether a connection is an Interrupter")
	if !has {
		return
	}
	deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	t.Run("frozen server, with a deadline", func(t *testing.T) { s.interruptFrozen(t, deadline) })
	t.Run("frozen server, without", func(t *testing.T) { s.interruptFrozen(t, context.Background()) })
	t.Run("idle connection", s.interruptIdle)
	t.Run("rows", s.interruptRows)
	t.Run("at any moment", s.interruptAnyMoment)
}

// A breakable is what a connection that can be interrupted is, too: whoever pools it must learn that
// it is of no more use.
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
	c, err := e.Connector().Connect(ctx(t))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	require.Implements(t, (*breakable)(nil), c)
	return c.(breakable)
}

// atOnce returns what comes within two seconds, far less than the statement would take.
func atOnce(t *testing.T, errs <-chan error) error {
	t.Helper()
	select {
	case err := <-errs:
		return err
	case <-time.After(2 * time.Second):
		require.Fail(t, "the statement was not interrupted")
		return nil
	}
}

// useless checks that a connection was broken for good.
func useless(t *testing.T, e *binds.Engine, c breakable) {
	t.Helper()
	assert.False(t, c.IsValid())
	assert.ErrorIs(t, c.ResetSession(ctx(t)), driver.ErrBadConn)
	_, err := c.ExecContext(ctx(t), "SELECT 1", nil)
	assert.Equal(t, binds.NotSent.String(), e.Classify(err).String(), "%v", err)
	_, err = c.QueryContext(ctx(t), "SELECT 1", nil)
	assert.Equal(t, binds.NotSent.String(), e.Classify(err).String(), "%v", err)
}

func (s *suite) interruptFrozen(t *testing.T, during context.Context) {
	e := s.replica(t)
	c := connect(t, e)
	s.eventually(t, func() bool { return value(t, e, s.Interrupts.Running) == "0" }, "the replica is at work already")
	errs := make(chan error, 1)
	go func() { errs <- second(c.ExecContext(during, s.Interrupts.Held, nil)) }()
	s.eventually(t, func() bool { return value(t, e, s.Interrupts.Running) == "1" }, "the statement does not begin")
	t.Cleanup(func() { assert.NoError(t, s.Interrupts.Thaw()) })
	require.NoError(t, s.Interrupts.Freeze())
	start := time.Now()
	c.Interrupt()
	err := atOnce(t, errs)
	t.Logf("%v: %v", time.Since(start), err)
	require.NoError(t, s.Interrupts.Thaw())
	require.Error(t, err)
	assert.Equal(t, binds.Unknown.String(), e.Classify(err).String(), "%v", err)
	assert.NotErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
	useless(t, e, c)
	c.Interrupt()
	s.eventually(t, func() bool { return value(t, e, s.Interrupts.Running) == "0" }, "the server was not told to stop")
}

func (s *suite) interruptIdle(t *testing.T) {
	e := s.replica(t)
	c := connect(t, e)
	c.Interrupt()
	useless(t, e, c)
}

func (s *suite) interruptRows(t *testing.T) {
	e := s.replica(t)
	c := connect(t, e)
	rows, err := c.QueryContext(ctx(t), s.SlowRows, nil)
	require.NoError(t, err)
	dest := make([]driver.Value, len(rows.Columns()))
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
	err = atOnce(t, errs)
	assert.Equal(t, binds.Unknown.String(), e.Classify(err).String(), "%v", err)
	_ = rows.Close() // the same error once more
	useless(t, e, c)
}

// Transactions that are interrupted at any moment end, and either they were done or their outcome is
// unknown.
func (s *suite) interruptAnyMoment(t *testing.T) {
	e, during := s.writer(t), ctx(t)
	var pause atomic.Int64
	for i := range 100 {
		c := connect(t, e)
		errs := make(chan error, 1)
		go func() { errs <- transact(during, c) }()
		for range i * 40 {
			pause.Add(1) // some nanoseconds more each time
		}
		c.Interrupt()
		if err := atOnce(t, errs); err != nil {
			assert.Contains(t, []binds.Fault{binds.Unknown, binds.NotSent}, e.Classify(err), "%v", err)
		}
		assert.False(t, c.IsValid())
	}
}

func transact(ctx context.Context, c breakable) error {
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
