package bindtest

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// endedBefore checks that of a statement which cannot be sent this is known: the context had ended before, or, as far as a
// [binds.ConnChecker] can tell, the session.
func (s *suite) endedBefore(t *testing.T) {
	e := s.writer(t)
	conn, err := e.Connector().Connect(ctx(t))
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	c := conn.(interface {
		driver.ConnBeginTx
		driver.ExecerContext
		driver.QueryerContext
	})
	over, cancel := context.WithCancel(ctx(t))
	cancel()
	for what, run := range map[string]func() error{
		"Exec":  func() error { return second(c.ExecContext(over, "SELECT 1", nil)) },
		"Query": func() error { return second(c.QueryContext(over, "SELECT 1", nil)) },
	} {
		err := run()
		require.ErrorIs(t, err, context.Canceled, what)
		assert.Equal(t, binds.NotSent.String(), e.Classify(err).String(), "%s: %v", what, err)
	}
	require.NoError(t, second(c.ExecContext(ctx(t), "SELECT 1", nil)), "the connection is well")

	checker, ok := conn.(binds.ConnChecker)
	if !ok {
		return
	}
	require.NoError(t, checker.CheckConn())
	tx, err := c.BeginTx(ctx(t), driver.TxOptions{})
	require.NoError(t, err)
	require.NoError(t, checker.CheckConn(), "in a transaction")
	rows, err := c.QueryContext(ctx(t), "SELECT 1", nil)
	require.NoError(t, err)
	require.NoError(t, checker.CheckConn(), "while rows are open")
	require.NoError(t, rows.Close())
	require.NoError(t, tx.Commit())
	require.NoError(t, checker.CheckConn())

	if _, ok := conn.(binds.Interrupter); !ok {
		return
	}
	broken := connect(t, e)
	broken.Interrupt()
	err = broken.(binds.ConnChecker).CheckConn()
	require.ErrorIs(t, err, driver.ErrBadConn, "database/sql discards it")
	assert.Equal(t, binds.NotSent.String(), e.Classify(err).String(), "%v", err)
}
