package routertest

import (
	"context"
	"database/sql/driver"
	"sync"

	"github.com/bindery-go/bindery/binds"
)

// conn is a connection to a server. database/sql uses it from one goroutine at a time; the server and
// Interrupt may break it meanwhile.
type conn struct {
	server *Server
	role   binds.Role

	broken    chan struct{} // closed when the connection is gone
	breakOnce sync.Once

	tx *tx // guarded by the mutex of the cluster
}

var (
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ binds.Interrupter         = (*conn)(nil)
)

func (c *conn) isBroken() bool {
	select {
	case <-c.broken:
		return true
	default:
		return false
	}
}

// breakLocked ends the connection. The server rolls back its transaction, but not a single statement
// that was carried out and only had its rows still to be read.
func (c *conn) breakLocked() {
	c.breakOnce.Do(func() { close(c.broken) })
	delete(c.server.conns, c)
	if c.tx != nil && c.tx.implicit {
		_ = c.tx.commitLocked(c.server) // the client will never know
	}
	c.tx.discardLocked(c.server)
	c.tx = nil
}

// Interrupt breaks the connection at once.
func (c *conn) Interrupt() {
	defer c.server.lock()()
	c.breakLocked()
}

// Close closes the connection. The server rolls back what was open.
func (c *conn) Close() error {
	c.Interrupt()
	return nil
}

// IsValid reports whether the connection may go back to the pool: not with a transaction left open.
func (c *conn) IsValid() bool {
	defer c.server.lock()()
	return !c.isBroken() && c.tx == nil
}

// ResetSession finds a dead connection when it is taken from the pool.
func (c *conn) ResetSession(context.Context) error {
	if c.isBroken() {
		return driver.ErrBadConn
	}
	return nil
}

// Ping is a round trip.
func (c *conn) Ping(ctx context.Context) error {
	_, err := c.call(ctx, func() (*answer, error) {
		if err := c.arrive(ctx); err != nil {
			return nil, err
		}
		c.server.cluster.mu.Unlock()
		return nil, nil
	})
	return err
}

// ExecContext runs statements, all or none.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	a, err := c.statement(ctx, newStatement(query, args, false))
	if err != nil {
		return nil, err
	}
	return a, nil
}

// questions are what the connection answers itself.
var questions = map[string]func(*conn, context.Context) (*answer, error){
	probeQuery: (*conn).probe,
	shownQuery: (*conn).shown,
}

// QueryContext runs a query. A write commits when its rows are closed.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if ask, ok := questions[query]; ok {
		a, err := c.call(ctx, func() (*answer, error) { return ask(c, ctx) })
		if err != nil {
			return nil, err
		}
		return newRows(c, a), nil
	}
	a, err := c.statement(ctx, newStatement(query, args, true))
	if err != nil {
		return nil, err
	}
	return newRows(c, a), nil
}

// Prepare compiles a statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// Begin begins a transaction.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}
