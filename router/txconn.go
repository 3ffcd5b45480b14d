package router

import (
	"context"
	"database/sql"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/ctxend"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// txOf returns the transaction that the statement joins, nil if there is none. A write that would run
// outside another bind's transaction is refused.
func (c *Conn) txOf(s *scope, query string) (*txLevel, error) {
	if c.mode == fixed { // Native
		return nil, nil
	}
	if l := s.tx.of(c.router); l != nil {
		return l, nil
	}
	if s.cross {
		return nil, nil
	}
	if kind, _ := c.kind(query); kind == sqlkind.Read {
		return nil, nil
	}
	if other := s.tx.firstOpen(); other != nil {
		return nil, &CrossBindWriteError{Bind: c.router.key, Tx: other.tx.router.key}
	}
	return nil, nil
}

// inTx is one statement in a transaction.
type inTx struct {
	level *txLevel
	kind  sqlkind.Kind
	start time.Duration
	keeps bool // the turn is the caller's, who is a hook
}

// enterTx waits for the statement's turn, unless it was refused with err.
func (c *Conn) enterTx(ctx context.Context, s *scope, l *txLevel, query string, err error) (inTx, error) {
	in := inTx{level: l, kind: sqlkind.Write}
	if err != nil {
		return in, err
	}
	if s.observed != nil {
		s.observed.ranOn(l.tx.engine, Transaction)
	}
	if t := l.tx; t.opts.ReadOnly || c.mode == readerOnly || s.route != nil {
		in.kind, _ = c.kind(query)
		switch {
		case in.kind == sqlkind.Read:
		case t.opts.ReadOnly && c.router.kinds.EndsWithTx(query):
			in.kind = sqlkind.Read // with what it does to the transaction
		case c.mode == readerOnly:
			return in, &WriteOnReaderError{Bind: c.router.key}
		case t.opts.ReadOnly && !c.router.isRead(query): // what a reader once refused may be read on the writer; that tells
			return in, &ReadOnlyTxError{Bind: c.router.key, Name: l.name()}
		}
	}
	if in.keeps = s.turn == l.tx; in.keeps {
		err = l.usable()
	} else {
		err = l.enter(ctx)
	}
	if err != nil {
		return in, err
	}
	if l.tx.reader != nil {
		in.start = l.tx.reader.begin()
	}
	return in, nil
}

// leaveTx ends the turn, and returns the error for the caller.
func (c *Conn) leaveTx(ctx context.Context, s *scope, in *inTx, query string, err error) error {
	t := in.level.tx
	if !in.keeps {
		t.give()
	}
	if t.reader != nil {
		t.reader.end(in.start)
	}
	if err == nil {
		c.router.count(Transaction)
	}
	if s.timing != nil {
		s.timing.because(Transaction)
	}
	if s.route != nil {
		s.route.note(Decision{
			Bind: c.router.key, Engine: t.engine.Name(), Role: t.engine.Role(),
			Kind: in.kind, Reason: Transaction,
		}, c.router.dialect.Name(), query)
	}
	if err == nil {
		return nil
	}
	return in.level.explain(ctx, err)
}

// explain says what a statement's error means beyond itself.
func (l *txLevel) explain(ctx context.Context, err error) error {
	t := l.tx
	err = l.translate(err)
	if ctxend.Err(ctx) != nil {
		return err
	}
	switch t.engine.Classify(err) { // NotSent says only that this session was gone before
	case binds.Unknown, binds.Busy:
		if m := t.router.monitor; m != nil && t.reader != nil && !t.router.alone(ctx, t.engine) {
			m.eject(t.reader, err)
		}
	case binds.ReadOnly:
		return t.router.named(t.engine, t.demoted(err))
	}
	return t.router.named(t.engine, err)
}

// translate names the transaction that database/sql has ended because its context did.
func (l *txLevel) translate(err error) error {
	if err == sql.ErrTxDone {
		return l.doneError(context.Cause(l.tx.ctx))
	}
	return err
}

func (c *Conn) queryInTx(ctx context.Context, s *scope, l *txLevel, err error, query string, args []any) (*sql.Rows, error) {
	in, err := c.enterTx(ctx, s, l, query, err)
	if err != nil {
		return nil, err
	}
	rows, err := l.tx.sql.QueryContext(ctx, query, args...)
	if err = c.leaveTx(ctx, s, &in, query, err); err != nil {
		return nil, err
	}
	return rows, nil
}

func (c *Conn) execInTx(ctx context.Context, s *scope, l *txLevel, err error, query string, args []any) (sql.Result, error) {
	in, err := c.enterTx(ctx, s, l, query, err)
	if err != nil {
		return nil, err
	}
	res, err := l.tx.sql.ExecContext(ctx, query, args...)
	return res, c.leaveTx(ctx, s, &in, query, err)
}

func (c *Conn) queryRowInTx(ctx context.Context, s *scope, l *txLevel, err error, query string, args []any) *sql.Row {
	in, err := c.enterTx(ctx, s, l, query, err)
	if err != nil {
		return failedRow(ctx, err)
	}
	row := l.tx.sql.QueryRowContext(ctx, query, args...)
	if err = c.leaveTx(ctx, s, &in, query, row.Err()); err != nil {
		return failedRow(ctx, err)
	}
	return row
}
