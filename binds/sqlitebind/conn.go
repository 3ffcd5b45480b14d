package sqlitebind

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// rawConn is a connection as modernc.org/sqlite makes it.
type rawConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

// conn is a connection whose statements end with their contexts, and whose transactions begin as its
// role wants. What has changed its session, a pragma or a reader's belt, does not come back to the pool.
//
// database/sql uses it from one goroutine at a time.
type conn struct {
	raw    rawConn
	role   binds.Role
	db     *handle
	waiter *waiter
	interrupter

	tx      *tx  // the open transaction
	changed bool // a statement may have left something in the session
	keeps   bool // that does not matter: the connection belongs to one user
	bad     bool // not to be used again
}

var (
	_ rawConn                = (*conn)(nil)
	_ driver.Pinger          = (*conn)(nil)
	_ driver.SessionResetter = (*conn)(nil)
	_ driver.Validator       = (*conn)(nil)
	_ binds.SessionKeeper    = (*conn)(nil)
)

func newConn(made driver.Conn, role binds.Role, busyTimeout time.Duration) (*conn, error) {
	raw, ok := made.(rawConn)
	if !ok {
		return nil, errNoHandle
	}
	db, err := handleOf(made)
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw, role: role, db: db, waiter: newWaiter(busyTimeout), interrupter: interrupter{db: db}}
	db.onBusy(c.waiter.id)
	return c, nil
}

// strip returns the connection as modernc.org/sqlite made it, with SQLite's own wait for locks.
func (c *conn) strip(ctx context.Context) (driver.Conn, error) {
	ms := min(c.waiter.timeout.Milliseconds(), math.MaxInt32)
	_, err := c.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", ms), nil)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.waiter.close()
	c.db.close()
	return c.raw, nil
}

// Close closes the connection. What a transaction left open is rolled back.
func (c *conn) Close() error {
	err := c.raw.Close()
	c.waiter.close()
	c.db.close()
	return err
}

// do runs a call of SQLite that the end of ctx stops.
func (c *conn) do(ctx context.Context, call func() error) error {
	if err := ctx.Err(); err != nil {
		return &binds.NotSentError{Err: err}
	}
	s := c.watch(ctx)
	defer s.stop()
	return c.step(s, call)
}

// step runs one call of a statement.
func (c *conn) step(s *statement, call func() error) error {
	if err := c.enter(s); err != nil {
		return err
	}
	defer c.leave()
	return explainDenied(c.waiter.during(s.ctx, call))
}

// allow is asked before every statement.
func (c *conn) allow(query string, args []driver.NamedValue) error {
	if len(args) > 0 {
		// modernc.org/sqlite would run them all, and begin with the first argument in each.
		if at := sqlkind.SecondStatement(dialect.SQLite, query); at > 0 {
			return &binds.SeveralStatementsError{Second: at}
		}
	}
	if c.tx != nil && c.db.autocommit() {
		return ErrTxLost
	}
	c.changed = c.changed || sqlkind.ChangesSession(dialect.SQLite, query)
	return nil
}

// KeepSession lets what statements leave in the session stay, see [binds.SessionKeeper]. As who waits for a connection of the
// pool waits as long as his context does, so this one waits for the file's other writers, for a minute at most.
func (c *conn) KeepSession() {
	c.keeps = true
	c.waiter.timeout = max(c.waiter.timeout, time.Minute)
}

// ExecContext runs statements. An error of the context means that they were undone; a statement that
// was done when its context ended is a success.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	if err := c.allow(query, args); err != nil {
		return nil, err
	}
	err = c.do(ctx, func() error {
		res, err = c.raw.ExecContext(context.Background(), query, args)
		return err
	})
	return res, err
}

// QueryContext runs a query whose rows end with ctx.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.allow(query, args); err != nil {
		return nil, err
	}
	return c.query(ctx, func() (driver.Rows, error) {
		return c.raw.QueryContext(context.Background(), query, args)
	})
}

// PrepareContext compiles a statement.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.allow(query, nil); err != nil {
		return nil, err
	}
	var raw driver.Stmt
	err := c.do(ctx, func() (err error) {
		raw, err = c.raw.PrepareContext(context.Background(), query)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newStmt(c, raw, query)
}

// Prepare compiles a statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// Ping reads the file's header.
func (c *conn) Ping(ctx context.Context) error {
	_, err := c.text(ctx, "PRAGMA schema_version")
	return err
}

// ResetSession is called when the connection is taken from the pool again.
func (c *conn) ResetSession(context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return nil
}

// IsValid reports whether the connection may go back to the pool. One with a transaction left open
// may not: it would keep the file locked. Nor may one whose session a statement has changed. An interrupted one may: SQLite forgets
// the interrupt when the next statement starts.
func (c *conn) IsValid() bool {
	return !c.bad && (!c.changed || c.keeps) && c.db.autocommit()
}
