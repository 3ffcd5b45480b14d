package router

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/txend"
)

// openTx is a transaction that contexts carry, with all its savepoints: one connection.
type openTx struct {
	router *Router
	sql    *sql.Tx
	bun    bun.Tx // the same, if hooked: its statements pass through Bun's hooks
	hooked bool
	begun  atomic.Bool     // it has its connection
	hookCx context.Context // with which the connection began it: what hooks have put into it is in it
	engine *binds.Engine
	reader *Reader // nil: the writer
	opts   TxOptions
	ctx    context.Context // that carries it: its end rolls back

	// turn is held while a statement is sent, and while a savepoint is set or ends: what one
	// goroutine's savepoint undoes must not hold another's statement.
	turn       chan struct{}
	savepoints int // set so far; turn guards it

	mu     sync.Mutex // guards the rest
	broken error      // of a statement: nothing can go on before it is rolled back
	whole  bool       // and no savepoint helps
}

// A txLevel is what a context carries: a transaction, or a savepoint in it.
type txLevel struct {
	tx    *openTx
	outer *txLevel // in the same transaction; nil for the transaction itself
	next  *txLevel // the context's next one, whatever its bind
	done  atomic.Bool

	savepoint string        // its name; "" for the transaction itself
	ended     chan struct{} // closed when a savepoint has ended

	inner *txLevel // the savepoint that is open in it; openTx.turn guards it

	committed calls // what waits for it

	observed *observedTx // nil: nobody is told, or it is a savepoint
}

// of returns the innermost of the context's levels on r, ended or not, nil if there is none.
func (l *txLevel) of(r *Router) *txLevel {
	for ; l != nil; l = l.next {
		if l.tx.router.line == r.line {
			return l
		}
	}
	return nil
}

// firstOpen returns the innermost level that has not ended.
func (l *txLevel) firstOpen() *txLevel {
	for ; l != nil; l = l.next {
		if !l.done.Load() {
			return l
		}
	}
	return nil
}

// within returns a context that carries l.
func (l *txLevel) within(ctx context.Context) context.Context {
	return withScope(txend.With(ctx, l), func(s *scope) {
		l.next = s.tx
		s.tx, s.begins, s.turn, s.observed = l, nil, nil, nil
	})
}

// take waits for the turn.
func (t *openTx) take(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *openTx) give() { <-t.turn }

// savepointPatience bounds how long what is done with a level's context waits for a savepoint in
// that level. Another goroutine's ends sooner or later; a function that waits for its own never ends.
const savepointPatience = 10 * time.Second

// enter takes the turn for a statement or a savepoint of level l, once no savepoint is open in it.
func (l *txLevel) enter(ctx context.Context) error {
	var timer *time.Timer
	for {
		if err := l.tx.take(ctx); err != nil {
			return err
		}
		inner := l.inner
		if err := l.usable(); err != nil {
			l.tx.give()
			return err
		}
		if inner == nil {
			return nil
		}
		l.tx.give()
		if timer == nil {
			timer = time.NewTimer(savepointPatience)
			defer timer.Stop()
		}
		select {
		case <-inner.ended:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return &SavepointOpenError{Bind: l.tx.router.key, Savepoint: inner.savepoint, Waited: savepointPatience}
		}
	}
}

// usable says why nothing can be done any more in l.
func (l *txLevel) usable() error {
	if l.done.Load() {
		return l.doneError(nil)
	}
	if broken, _ := l.tx.state(); broken != nil {
		return &TxAbortedError{Bind: l.tx.router.key, Cause: broken}
	}
	return nil
}

func (l *txLevel) doneError(err error) error {
	return &TxDoneError{Bind: l.tx.router.key, Name: l.name(), Err: err}
}

func (l *txLevel) name() string {
	if l.savepoint != "" {
		return l.savepoint
	}
	return l.tx.opts.Name
}

// failed notes an error that the driver gave for a statement. It is called by the connection.
func (t *openTx) failed(err error) {
	if by, ok := t.engine.Driver().(binds.TxBreaker); ok {
		if breaks, whole := by.BreaksTx(err); breaks {
			t.breaks(err, whole)
		}
	}
}

// breaks keeps the first error, of which the others follow.
func (t *openTx) breaks(err error, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken == nil {
		t.broken = err
	}
	t.whole = t.whole || whole
}

func (t *openTx) state() (broken error, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.broken, t.whole
}

// end commits level l if its function succeeded, else it undoes it and returns the function's error. It
// waits for statements that other goroutines are about to finish.
func (l *txLevel) end(err error) error {
	switch {
	case err != nil:
		return and(err, l.undo(err))
	case l.outer != nil:
		return l.release()
	}
	return l.commit()
}

// undo rolls level l back because of cause; nil: its function panicked, or another transaction failed.
func (l *txLevel) undo(cause error) error {
	if l.outer != nil {
		return l.rollbackTo()
	}
	l.close()
	err := l.tx.rollback()
	l.observed.ends(false, cause)
	return err
}

// and joins what went wrong afterwards, if anything did, to an error.
func and(err, more error) error {
	if more == nil {
		return err
	}
	return errors.Join(err, more)
}

// close lets nothing more into the transaction, and reports whether a savepoint was open.
func (l *txLevel) close() (savepoint bool) {
	l.tx.turn <- struct{}{}
	defer l.tx.give()
	savepoint = l.inner != nil
	for in := l; in != nil; in = in.inner {
		in.done.Store(true)
	}
	return savepoint
}

// rollback returns an error if the server does not confirm. It will have rolled back all the same
// when it finds the connection gone.
func (t *openTx) rollback() error {
	err := t.rollbackTx(t.sql)
	if err == nil || errors.Is(err, sql.ErrTxDone) { // its context had ended, and the rollback with it
		return nil
	}
	if t.engine.Classify(err) == binds.NotSent { // the session is known to have ended, and the transaction with it
		return nil
	}
	return fmt.Errorf("router: roll back on %q: %w", t.engine.Name(), err)
}

func (l *txLevel) commit() (err error) {
	defer func() { l.observed.ends(err == nil, err) }()
	t := l.tx
	if l.close() {
		return and(&TxAbortedError{Bind: t.router.key, Cause: errNestedRunning}, t.rollback())
	}
	if broken, _ := t.state(); broken != nil {
		return and(&TxAbortedError{Bind: t.router.key, Cause: broken}, t.rollback())
	}
	if err := t.commitTx(); err != nil {
		return t.commitError(err)
	}
	return nil
}

// commitError says what the error of a COMMIT means.
func (t *openTx) commitError(err error) error {
	r := t.router
	aborted := &TxAbortedError{Bind: r.key, Err: err}
	switch {
	case errors.Is(err, ErrOutcomeUnknown), errors.As(err, &aborted):
		return err
	case err == sql.ErrTxDone: // database/sql rolled back when the context ended
		aborted.Err = context.Cause(t.ctx)
		return aborted
	case err == context.Canceled, err == context.DeadlineExceeded: // bare: database/sql did not send it
		return aborted
	}
	switch t.engine.Classify(err) {
	case binds.NotSent:
		return aborted
	case binds.Unknown, binds.SessionEnded, binds.Busy: // unknown only where there was nothing to write
		return &UnavailableError{Engine: t.engine.Name(), Err: err}
	case binds.ReadOnly:
		return t.demoted(err)
	}
	return aborted
}

// demoted says of an error that the server has come to refuse writes, if that is the writer's.
func (t *openTx) demoted(err error) error {
	if t.reader != nil || t.opts.ReadOnly {
		return err
	}
	t.router.demoted()
	return &UnavailableError{Engine: t.engine.Name(), ReadOnly: true, Err: err}
}
