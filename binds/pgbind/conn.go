package pgbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// A conn is a connection whose statements end with their context, here and on the server.
type conn struct {
	pg   *pgdriver.Conn
	wire *wire
	role binds.Role
	bad  bool // never to be used again

	changed bool // a statement may have left something in the session
	keeps   bool // that does not matter: the connection belongs to one user

	sessions     *sessions
	asked        bool   // whether Pgpool-II stands between, see meetPgpool
	message      []byte // room for one
	pin, pinning string // the cursor that marks the session that the connection is held to, and will be; "": none

	// A connection has one result and one transaction at a time, so it can bring its own.
	rows rows
	tx   tx
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ binds.SessionKeeper       = (*conn)(nil)
	_ binds.ConnChecker         = (*conn)(nil)
)

func newConn(pg *pgdriver.Conn, w *wire, role binds.Role, s *sessions) *conn {
	c := &conn{pg: pg, wire: w, role: role, sessions: s}
	c.rows.c, c.tx.c = c, c
	w.on = true
	return c
}

// begin starts a statement.
func (c *conn) begin(ctx context.Context) error {
	if c.rows.pg != nil {
		return ErrRowsOpen
	}
	if c.bad {
		return driver.ErrBadConn
	}
	if err := c.meetPgpool(ctx); err != nil {
		return err
	}
	return c.wire.begin(ctx, true)
}

// beginText starts a statement that the user has written.
func (c *conn) beginText(ctx context.Context, query string) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	c.changed = c.changed || sqlkind.ChangesSession(dialect.PG, query)
	c.wire.exact = c.wire.exact && !c.changed
	return nil
}

// KeepSession lets what statements leave in the session stay, see [binds.SessionKeeper].
func (c *conn) KeepSession() { c.keeps = true }

// finish ends the statement that began with ctx, and says what its error means.
func (c *conn) finish(ctx context.Context, err error) error {
	c.wire.socket.finish()
	if err == nil {
		if !c.wire.socket.isDoomed() || c.wire.status == statusIdle {
			return nil
		}
		// Carried out, but its transaction dies with the connection.
		if ctx.Err() == nil {
			return &lostError{net.ErrClosed}
		}
		return &CanceledError{Err: ctx.Err()}
	}
	return c.explain(ctx, err)
}

func (c *conn) explain(ctx context.Context, err error) error {
	var canceled *CanceledError
	var notRun *notRunError
	var answer pgdriver.Error
	switch {
	case errors.As(err, &notRun):
		return notRun
	case err == driver.ErrBadConn && c.bad: // see describe
		return err
	case errors.As(err, &answer) && answer.Field('V') != severityError && c.wire.unrun:
		return &notRunError{err}
	case errors.As(err, &canceled):
		return canceled
	case errors.As(err, &answer) && c.hasStrayed(answer):
		c.bad = true
		return driver.ErrBadConn
	case errors.As(err, &answer) && c.wire.copied && answer.Field('C') == codeQueryCanceled && !c.wire.socket.isDoomed():
		return ErrCopy
	case errors.As(err, &answer):
		if answer.Field('C') == codeQueryCanceled && c.wire.socket.isDoomed() && ctx.Err() != nil {
			return &CanceledError{Err: ctx.Err(), Answer: answer}
		}
		if answer.Field('C') == codeReadOnly {
			return c.explainReadOnly(ctx, err)
		}
		if answer.Field('C') == codeIdleSession {
			c.bad = true
			return &idleError{err}
		}
		return err
	case c.wire.failed && c.wire.written == 0:
		c.bad = true
		return driver.ErrBadConn
	case c.wire.owed != 0, c.wire.written > 0 && !c.pg.IsValid():
		return &lostError{err} // pgdriver gave the connection up with an answer half read
	}
	return err
}

// background is what pgdriver gets for a context: it would set deadlines by it, too early and
// without a word to the server. The wire has the caller's.
var background = context.Background()

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.beginText(ctx, query); err != nil {
		return nil, err
	}
	rows, err := c.send(ctx, query, args, true)
	res, err := c.drain(ctx, rows, err)
	if err != nil && len(args) > 0 {
		err = explainArgs(err, query)
	}
	return res, err
}

// send sends a statement and gives the rows of its answer. Errors are theirs, so that pgdriver closes no connection for
// them: for a statement that the server has stopped it would, and for every one of a failed transaction.
func (c *conn) send(ctx context.Context, query string, args []driver.NamedValue, exec bool) (driver.Rows, error) {
	c.wire.simple, c.wire.exec = true, exec
	if len(args) == 0 {
		return c.pg.QueryContext(background, c.bring(query), nil)
	}
	if err := c.extend(ctx, extended{before: c.bringBefore(), text: c.direct(query), args: args}); err != nil {
		return nil, err
	}
	return c.pg.QueryContext(background, "", nil)
}

// drain reads an answer without rows to its end.
func (c *conn) drain(ctx context.Context, rows driver.Rows, err error) (driver.Result, error) {
	if err == nil {
		if err = rows.Next(nil); err == io.EOF {
			err = nil
		}
	}
	if err != nil && c.wire.owed != 0 {
		_ = c.pg.Close() // the error counts; the answer will not come
	}
	if err := c.finish(ctx, err); err != nil {
		return nil, err
	}
	if c.wire.copied {
		return nil, ErrCopy
	}
	return driver.RowsAffected(c.wire.affected), nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.beginText(ctx, query); err != nil {
		return nil, err
	}
	res, err := c.send(ctx, query, args, false)
	rows, err := c.rows.open(ctx, res, c.wire.columns, err)
	if err != nil && len(args) > 0 {
		err = explainArgs(err, query)
	}
	return rows, err
}

func (c *conn) Ping(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	// What is asked costs no more than what pgdriver's Ping asks, and shows a pooler.
	var row [1]driver.Value
	err := c.wire.askSession(c.pg, "SELECT pg_backend_pid()::text", row[:])
	if c.wire.pooling != noPooler {
		c.sessions.know(c.wire.poolerName(c.pooled()))
	}
	return c.finish(ctx, err)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.refuseShared("a reader's prepared statement"); err != nil {
		return nil, err
	}
	if err := c.beginText(ctx, query); err != nil {
		return nil, err
	}
	s, err := c.pg.PrepareContext(background, c.direct(query))
	if err := c.finish(ctx, err); err != nil {
		return nil, explainArgs(err, query)
	}
	made := &stmt{c: c, query: query}
	made.take(s)
	return made, nil
}

// CheckConn reports whether the server has ended the session, and with which words, see [binds.ConnChecker].
func (c *conn) CheckConn() error {
	if c.rows.pg != nil { // the server speaks in turn
		return nil
	}
	ended := c.bad || c.wire.socket.isDoomed() || !c.pg.IsValid()
	err := c.wire.look()
	if !ended && (err == nil || err == errClosing && !c.wire.dead) { // a notification of LISTEN is no end
		return nil
	}
	c.bad = true
	return &endedError{said: c.wire.said(), err: err}
}

// Prepare prepares without a context.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(background, query)
}

// ResetSession checks a connection that is taken from the pool.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return c.pg.ResetSession(ctx)
}

// IsValid reports whether the connection may go back to the pool: it works, nobody left it in
// the middle of a result or transaction, and its session is as that of a new one. The server's own word, where it has one, counts
// beside the text of statements: it knows of what a function has set.
func (c *conn) IsValid() bool {
	if !c.keeps && (c.changed || c.wire.differs && !c.wire.pooling.shares()) {
		return false
	}
	return !c.bad && c.rows.pg == nil && c.wire.idle() && !c.wire.socket.isDoomed() && c.pg.IsValid()
}

func (c *conn) Close() error {
	if c.wire.session != "" {
		c.sessions.forget(c.wire)
	}
	return c.pg.Close()
}
