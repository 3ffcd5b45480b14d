package mysqlbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// nativeConn is what the MySQL driver's connections can do.
type nativeConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn is a connection of the MySQL driver that ends its statement on the server too when the
// context ends, and guards the belt of a reader. Like every driver connection it is used by one
// goroutine at a time.
type conn struct {
	native  nativeConn
	netConn net.Conn // closing it interrupts native, whatever it is doing
	session session
	killer  *killer
	reader  bool
	stalls  bool // read_timeout may give a statement up
	packet  packetLimit
	short   int // what fits into a packet in any case

	rows    rows            // of the open result set: a connection has one at most
	txCtx   context.Context // of the open transaction, see within
	undone  error           // why the server has rolled that back, nil if it has not
	spoilt  bool            // must not go back into the pool
	changed bool            // a statement may have left something in the session
	keeps   bool            // that does not matter: the connection belongs to one user
	killed  bool

	interrupted atomic.Bool
}

var (
	_ nativeConn          = (*conn)(nil)
	_ binds.SessionKeeper = (*conn)(nil)
	_ binds.ConnChecker   = (*conn)(nil)
)

func newConn(native nativeConn, c *connector, s session, netConn net.Conn) *conn {
	return &conn{
		native:  native,
		netConn: netConn,
		session: s,
		killer:  c.killer,
		reader:  c.role == binds.Reader,
		stalls:  c.source.readTimeout > 0,
		packet:  s.packet,
		short:   min(s.packet.most(), s.packet.driver),
	}
}

// ExecContext runs a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.admit(query); err != nil {
		return nil, err
	}
	if len(args) > 0 && c.tooLong(query, args) {
		return nil, driver.ErrSkip
	}
	ctx = c.within(ctx)
	res, err := c.native.ExecContext(ctx, query, args)
	if err != nil {
		return nil, c.failed(ctx, query, err)
	}
	return res, nil
}

// QueryContext runs a query. The rows are watched to their end.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.admit(query); err != nil {
		return nil, err
	}
	if len(args) > 0 && c.tooLong(query, args) {
		return nil, driver.ErrSkip
	}
	ctx = c.within(ctx)
	native, err := c.native.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.failed(ctx, query, err)
	}
	return c.watch(ctx, query, native)
}

// PrepareContext prepares a statement on the server.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.admit(query); err != nil {
		return nil, err
	}
	ctx = c.within(ctx)
	native, err := c.native.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.failed(ctx, query, err)
	}
	s, ok := native.(nativeStmt)
	if !ok {
		return native, nil
	}
	return &stmt{nativeStmt: s, conn: c, query: query}, nil
}

// Prepare is PrepareContext without a context.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// Ping asks the server for a sign of life.
func (c *conn) Ping(ctx context.Context) error {
	if err := c.native.Ping(ctx); err != nil {
		return c.failed(ctx, "", err)
	}
	return nil
}

// CheckNamedValue converts an argument.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error { return c.native.CheckNamedValue(v) }

// ResetSession is called when the connection is taken from the pool. It finds out whether the
// server has closed its end in the meantime.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.spoilt || c.interrupted.Load() {
		return driver.ErrBadConn
	}
	return c.native.ResetSession(ctx)
}

// CheckConn reports whether the server has ended the session, see [binds.ConnChecker].
func (c *conn) CheckConn() error {
	if c.rows.open { // the server speaks in turn
		return nil
	}
	if c.interrupted.Load() || c.native.ResetSession(context.Background()) != nil { // which looks at the socket, and does no more
		return errSessionEnded
	}
	return nil
}

// IsValid reports whether the connection may go back into the pool.
func (c *conn) IsValid() bool {
	return !c.spoilt && (!c.changed || c.keeps) && !c.interrupted.Load() && c.native.IsValid()
}

// KeepSession lets what statements leave in the session stay, see [binds.SessionKeeper].
func (c *conn) KeepSession() { c.keeps = true }

// Close closes the connection. Its only error would be that a server which is gone, or a connection
// that was interrupted, takes no goodbye: that is no news, and the socket is closed all the same.
func (c *conn) Close() error {
	if c.session.mark != "" {
		// A router that is told goodbye keeps the session, with its locks and its open transaction, for the next client.
		_ = c.netConn.Close() // it was open or not
	}
	_ = c.native.Close() // see above
	return nil
}

// within returns the context that bounds a statement: a statement of a transaction that has no
// bound of its own, as Tx.Exec has none, ends with the transaction's.
func (c *conn) within(ctx context.Context) context.Context {
	if c.txCtx != nil && ctx.Done() == nil {
		return c.txCtx
	}
	return ctx
}

// admit keeps off the server what would run outside of a transaction that it has rolled back, and what it does not take
// for its length, and off a reader what would take its belt off.
func (c *conn) admit(query string) error {
	if err := c.gone(); err != nil {
		return err
	}
	if err := c.fits(query); err != nil {
		return err
	}
	if c.reader {
		switch what, v := judge(query); v {
		case refuse:
			return &ReaderError{Statement: what}
		case doubt:
			c.spoilt = true
		}
	}
	c.changed = c.changed || sqlkind.ChangesSession(dialect.MySQL, query)
	return nil
}

// failed looks at the error of a statement: one that was given up goes on at the server, where it
// is killed. The MySQL driver has closed the connection then. An error that leaves it intact is
// the server's answer, or nothing was sent.
func (c *conn) failed(ctx context.Context, query string, err error) error {
	if c.rows.open {
		return err // rows stand in the way of the statement, which was not sent
	}
	if ended := ctx.Err(); ended != nil && err == ended && c.native.IsValid() {
		return &binds.NotSentError{Err: err} // the MySQL driver closes what it has sent something on
	}
	return c.explainReadOnly(ctx, c.undo(ctx, query, c.gaveUp(ctx, err)))
}

func (c *conn) gaveUp(ctx context.Context, err error) error {
	if isIdleEnd(err) {
		c.spoilt = true
		return &idleError{err}
	}
	ended := ctx.Err() != nil && errors.Is(err, ctx.Err())
	stalled := c.stalls && errors.Is(err, mysql.ErrInvalidConn)
	if (ended || stalled) && !c.native.IsValid() {
		c.kill()
	}
	return err
}

func (c *conn) kill() {
	if !c.killed {
		c.killed = true
		c.killer.add(c.session)
	}
}
