package router

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/bindery-go/bindery/binds"
)

// watchedTxs is what a connection knows of its open transactions: hardly ever is there more than
// one, and together they are one to it.
type watchedTxs struct {
	open     int
	wrote    bool       // a statement in them was no plain read
	schema   bool       // a statement in them, or by itself, changed the schema
	readOnly bool       // the server refuses what writes, unless a statement has undone that
	loose    bool       // the server may have ended them: a statement may commit by itself
	carried  *openTx    // that of contexts, nil if it is anybody else's
	sessions []*Session // who has a part in them: read in them and you have seen what they wrote
	few      [4]*Session
}

// saw notes a statement that runs in a transaction.
func (t *watchedTxs) saw(s *Session, e effect) {
	t.joins(s)
	t.wrote = t.wrote || e != changesNothing
	t.loose = t.loose || e == mayEndTx
}

func (t *watchedTxs) joins(s *Session) {
	if s == nil {
		return
	}
	for _, seen := range t.sessions {
		if seen == s {
			return
		}
	}
	if t.sessions == nil {
		t.sessions = t.few[:0]
	}
	t.sessions = append(t.sessions, s)
}

// A watchedTx is a driver's transaction whose end is noticed.
type watchedTx struct {
	conn  *watchedConn
	inner driver.Tx
	open  bool
	done  <-chan struct{} // of the context it began with, if the connection discards
	began context.Context // that context, for who is told of the end: database/sql gives that none
}

func (c *watchedConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *watchedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	sc := scopeOf(ctx)
	if by := c.observer(sc); by != nil {
		o := by.begin(ctx, sc, beginStatement)
		o.ranOn(c.notice.engine, c.reason())
		tx, err := c.BeginTx(o, opts)
		o.endsPast(err)
		return tx, err
	}
	if sc.timing != nil {
		sc.timing.reach(c)
	}
	if err := c.admit(sc, ""); err != nil {
		return nil, err
	}
	inner, err := c.begin(ctx, opts)
	if err != nil {
		return nil, c.leave(nil, false, err)
	}
	if c.open == 0 {
		c.watchedTxs, c.lost = watchedTxs{}, nil
	}
	c.used = true
	c.open++
	c.hold(true)
	c.readOnly = opts.ReadOnly && (c.readOnly || c.open == 1)
	c.joins(sc.session)
	if t := sc.begins; t != nil && c.notice.router != nil && t.router.line == c.notice.router.line && !t.begun.Load() {
		c.carried, t.hookCx = t, ctx
	}
	t := &c.tx
	if t.open {
		t = new(watchedTx)
	}
	*t = watchedTx{conn: c, inner: inner, open: true}
	if sc.observed != nil {
		t.began = ctx
	}
	if c.discards {
		t.done = ctx.Done()
	}
	return t, nil
}

// begin does what database/sql does for a driver that knows no contexts.
func (c *watchedConn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.inner.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	tx, err := c.inner.Begin() //lint:ignore SA1019 the only way to begin that the driver has
	if err == nil && ctx.Err() != nil {
		_ = tx.Rollback() // the context's error is the one to tell
		return nil, ctx.Err()
	}
	return tx, err
}

// Commit sends no COMMIT where the session is known to have ended: nothing of the transaction is left then, while a COMMIT
// that was sent and not answered would leave it open.
func (t *watchedTx) Commit() error {
	o := t.observe("COMMIT")
	err := t.commit()
	o.ends(err)
	return err
}

func (t *watchedTx) commit() error {
	c := t.conn
	_ = c.makeWay("") // COMMIT tells what became of it
	if err := c.ended(); err != nil {
		_ = t.inner.Rollback() // of what the driver has of it: nobody answers
		return t.aborted(err)
	}
	wrote, err := c.wrote, t.inner.Commit()
	if err != nil && c.notice.engine != nil && c.notice.engine.Classify(err) == binds.NotSent {
		return t.aborted(c.explain(err))
	}
	t.ended()
	if wrote {
		return c.told(err)
	}
	return err
}

// aborted ends a transaction whose COMMIT was not sent.
func (t *watchedTx) aborted(err error) error {
	if t.conn.notice.router == nil {
		t.ended()
		return err
	}
	aborted := &TxAbortedError{Bind: t.conn.notice.router.key, Cause: t.conn.lost}
	if aborted.Cause == nil || !errors.Is(err, driver.ErrBadConn) {
		aborted.Err = err
	}
	t.ended()
	return aborted
}

// Rollback notes, where database/sql cannot know any more that the driver's connection lacks what
// makes it safe to keep after a cancelled transaction, that it is not to be kept.
func (t *watchedTx) Rollback() error {
	o := t.observe("ROLLBACK")
	err := t.rollback()
	o.ends(err)
	return err
}

func (t *watchedTx) rollback() error {
	err := t.inner.Rollback()
	t.ended()
	if t.conn.discards {
		select {
		case <-t.done:
			t.conn.spoilt = true
		default:
		}
	}
	return err
}

// ended reports the transaction.
func (t *watchedTx) ended() {
	c := t.conn
	if c.wrote {
		c.report(nil)
	}
	if !t.open {
		return
	}
	t.open, t.began = false, nil
	if c.open--; c.open == 0 {
		c.watchedTxs = watchedTxs{}
		c.hold(false)
	}
}

// hold has the connection counted as one that a transaction has, or no more.
func (c *watchedConn) hold(holds bool) {
	if c.notice.held == nil || c.holds == holds {
		return
	}
	if c.holds = holds; holds {
		c.notice.held.takes()
	} else {
		c.notice.held.gives()
	}
}
