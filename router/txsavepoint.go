package router

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
)

// setSavepoint opens a savepoint in level l.
func (l *txLevel) setSavepoint(ctx context.Context, opts *TxOptions) (*txLevel, error) {
	t := l.tx
	if l.done.Load() {
		return nil, l.doneError(nil)
	}
	if err := t.canNest(opts); err != nil {
		return nil, err
	}
	if scopeOf(ctx).turn == t {
		return nil, errHookNests
	}
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer t.give()
	t.savepoints++
	name := opts.Name
	if name == "" {
		name = "savepoint"
	}
	in := &txLevel{tx: t, outer: l, savepoint: name + "_" + strconv.Itoa(t.savepoints), ended: make(chan struct{})}
	if err := t.savepoint(ctx, "SAVEPOINT ", in); err != nil {
		return nil, l.translate(err)
	}
	l.inner = in
	return in, nil
}

// canNest says of an option that a savepoint in t cannot have.
func (t *openTx) canNest(opts *TxOptions) error {
	switch {
	case opts.ReadOnly && !t.opts.ReadOnly:
		return &TxOptionError{Bind: t.router.key, Option: "ReadOnly", Reason: "it is nested in a transaction that may write"}
	case opts.Isolation != sql.LevelDefault && opts.Isolation != t.opts.isolation():
		return &TxOptionError{Bind: t.router.key, Option: "Isolation",
			Reason: fmt.Sprintf("%v was asked for in a transaction that began with %v", opts.Isolation, t.opts.isolation())}
	case opts.Retry > 0:
		return &TxOptionError{Bind: t.router.key, Option: "Retry", Reason: "only the outermost InTx can run its function again"}
	}
	return nil
}

const rollbackTo = "ROLLBACK TO SAVEPOINT "

// savepoint runs one of the statements on savepoints. The turn must be held.
func (t *openTx) savepoint(ctx context.Context, verb string, l *txLevel) error {
	quote := string(t.router.dialect.IdentQuote())
	return t.exec(ctx, verb+quote+l.savepoint+quote)
}

// release keeps what was done since the savepoint. Like rollbackTo it is not cut short by the context of
// the nested function: the transaction goes on.
func (l *txLevel) release() error {
	t := l.tx
	t.turn <- struct{}{}
	defer t.give()
	if l.done.Load() { // the transaction has ended before
		return l.doneError(nil)
	}
	defer l.leave()
	if l.inner != nil {
		return and(&TxAbortedError{Bind: t.router.key, Cause: errNestedRunning}, l.discard())
	}
	if broken, _ := t.state(); broken != nil {
		return and(&TxAbortedError{Bind: t.router.key, Cause: broken}, l.discard())
	}
	if err := t.savepoint(t.ctx, "RELEASE SAVEPOINT ", l); err != nil {
		return and(&TxAbortedError{Bind: t.router.key, Err: l.translate(err)}, l.discard())
	}
	return nil
}

// rollbackTo undoes what was done since the savepoint.
func (l *txLevel) rollbackTo() error {
	t := l.tx
	t.turn <- struct{}{}
	defer t.give()
	if l.done.Load() { // and undone with the transaction
		return nil
	}
	defer l.leave()
	return l.discard()
}

// discard rolls back to the savepoint. If that fails, nothing but the whole can be rolled back. The turn
// must be held.
func (l *txLevel) discard() error {
	t := l.tx
	if _, whole := t.state(); whole {
		return nil // together with all the rest
	}
	err := t.savepoint(t.ctx, rollbackTo, l)
	if err == sql.ErrTxDone {
		return nil // its context has ended, and with that the transaction
	}
	if err == nil {
		t.mu.Lock()
		t.broken = nil
		t.mu.Unlock()
		err = t.savepoint(t.ctx, "RELEASE SAVEPOINT ", l)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("router: roll back to savepoint %q on %q: %w", l.savepoint, t.engine.Name(), err)
	t.breaks(err, true)
	return err
}

// leave ends level l and those in it.
func (l *txLevel) leave() {
	l.outer.inner = nil
	for in := l; in != nil; in = in.inner {
		if !in.done.Swap(true) {
			close(in.ended)
		}
	}
}
