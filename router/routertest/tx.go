package routertest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// A tx is an open transaction. Until it writes, it reads what is committed, each statement anew; then
// it has a copy of the database, which becomes the server's at COMMIT: others are neither blocked
// nor see it before. Its fields are guarded by the mutex of the cluster.
type tx struct {
	readOnly bool
	snapshot bool // all reads show one state
	implicit bool // a single statement, until its rows are closed

	token token
	db    *database // nil: it has no copy
	base  int       // how many entries the server's log had when the copy was made

	writes []statement
	wrote  bool // some of them changed something; savepoints alone do not
}

// A token is the right to write to a server, which one transaction has at a time.
type token bool

func (t *token) takeLocked(from token) { *t = *t || from }

func (t *token) releaseLocked(s *Server) {
	if *t {
		<-s.writing
		*t = false
	}
}

func (t *tx) copyLocked(s *Server) error {
	db, err := s.shownLocked().copy()
	if err != nil {
		return err
	}
	if err := db.begin(); err != nil {
		_ = db.close() // the error counts
		return err
	}
	t.db, t.base = db, s.shownLengthLocked()
	return nil
}

// openLocked makes sure that there is a copy that may be written to.
func (t *tx) openLocked(s *Server) error {
	if t.db == nil {
		return t.copyLocked(s)
	}
	if t.base != len(s.log) {
		return ErrSerialization
	}
	return nil
}

func (t *tx) writeLocked(s *Server, st statement) (*answer, error) {
	if err := t.openLocked(s); err != nil {
		return nil, err
	}
	a, err := t.db.change(st)
	if err == nil {
		t.writes, t.wrote = append(t.writes, st), true
	}
	return a, err
}

// commitLocked makes the transaction's copy the server's database. What it has done is undone if there
// is an error.
func (t *tx) commitLocked(s *Server) error {
	defer t.discardLocked(s)
	if !t.wrote {
		return nil
	}
	if err := t.db.writing(func() error { return t.db.do("COMMIT") }); err != nil {
		return err
	}
	s.db, t.db = t.db, s.db
	s.commitLocked(t.writes...)
	return nil
}

// discardLocked gives back what the transaction holds. It may be called again, and on nil.
func (t *tx) discardLocked(s *Server) {
	if t == nil {
		return
	}
	t.token.releaseLocked(s)
	if t.db != nil {
		_ = t.db.close() // memory that nobody will read
		t.db = nil
	}
	t.wrote = false
}

// A transaction ends it for database/sql, within the context that it began with.
type transaction struct {
	conn *conn
	ctx  context.Context
}

// BeginTx begins a transaction. Below repeatable read it is read committed, from there on all its
// reads show the state of the first one, and a write that follows another's fails with
// [ErrSerialization].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	t := &tx{readOnly: opts.ReadOnly}
	switch level := sql.IsolationLevel(opts.Isolation); level {
	case sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted:
	case sql.LevelRepeatableRead, sql.LevelSnapshot, sql.LevelSerializable:
		t.snapshot = true
	default:
		return nil, fmt.Errorf("%w: there is no isolation level %s", ErrRefused, level)
	}
	if _, err := c.send(ctx, "BEGIN", func() (*answer, error) { return c.begin(ctx, t) }); err != nil {
		return nil, err
	}
	return &transaction{c, ctx}, nil
}

func (t *transaction) Commit() error {
	_, err := t.conn.send(t.ctx, "COMMIT", func() (*answer, error) { return t.conn.commit(t.ctx) })
	return err
}

// Rollback gives the connection up where its context has ended, as drivers do.
func (t *transaction) Rollback() error {
	if err := t.ctx.Err(); err != nil {
		t.conn.Interrupt()
		return err
	}
	_, err := t.conn.send(t.ctx, "ROLLBACK", func() (*answer, error) { return t.conn.rollback(t.ctx) })
	return err
}

func (c *conn) begin(ctx context.Context, t *tx) (*answer, error) {
	if err := c.arrive(ctx); err != nil {
		return nil, err
	}
	defer c.server.cluster.mu.Unlock()
	if c.tx != nil {
		return nil, fmt.Errorf("%w: a transaction is open already", ErrRefused)
	}
	c.tx = t
	return new(answer), nil
}

func (c *conn) commit(ctx context.Context) (*answer, error) {
	return c.end(ctx, (*tx).commitLocked)
}

func (c *conn) rollback(ctx context.Context) (*answer, error) {
	return c.end(ctx, func(t *tx, s *Server) error {
		t.discardLocked(s)
		return nil
	})
}

func (c *conn) end(ctx context.Context, how func(*tx, *Server) error) (*answer, error) {
	if err := c.arrive(ctx); err != nil {
		return nil, err
	}
	defer c.server.cluster.mu.Unlock()
	if c.tx == nil || c.tx.implicit {
		return nil, fmt.Errorf("%w: no transaction is open", ErrRefused)
	}
	t := c.tx
	c.tx = nil
	return new(answer), how(t, c.server)
}

// savepoint runs SAVEPOINT, RELEASE or ROLLBACK TO, for which the transaction needs its copy, and the
// right to write if it may ever have it.
func (c *conn) savepoint(ctx context.Context, st statement) (*answer, error) {
	token, err := c.takeToken(ctx)
	if err != nil {
		if !errors.Is(err, ErrReadOnly) {
			return nil, err
		}
		if err := c.arrive(ctx); err != nil {
			return nil, err
		}
	}
	s := c.server
	defer s.cluster.mu.Unlock()
	if c.tx == nil || c.tx.implicit {
		token.releaseLocked(s)
		return nil, fmt.Errorf("%w: no transaction is open", ErrRefused)
	}
	c.tx.token.takeLocked(token)
	if c.tx.db == nil {
		s.catchUpLocked()
		if err := c.tx.copyLocked(s); err != nil {
			return nil, err
		}
	}
	a, err := c.tx.db.run(st)
	if err == nil {
		c.tx.writes = append(c.tx.writes, st)
	}
	return a, err
}
