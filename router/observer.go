package router

import (
	"context"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// An Observer is told what happens on a bind, see [Router.Observe]. Its methods must be safe for concurrent use and return soon: the caller
// waits. They must neither keep what they are given nor use the bind. They must not panic.
type Observer interface {
	// Statement is told of a statement that has its first answer, or has failed. Ctx is the one that it was given.
	Statement(ctx context.Context, s *Statement)
	// TxBegins is told of a transaction that [Router.InTx] is about to begin. The transaction gets the context that it returns, which
	// must come from ctx; ends is called once, when the rest of tx is known. It must not be nil.
	TxBegins(ctx context.Context, tx *Tx) (inside context.Context, ends func())
	// LockWaited is told of a call that has got a named lock, or has not.
	LockWaited(ctx context.Context, w *LockWait)
	// Ejected is told of a reader that has gone out of service because it was found gone. Locks of the router are held.
	Ejected(reader *binds.Engine)
}

// A Statement is what an [Observer] is told of one statement.
type Statement struct {
	Query   string        // as it was sent, with its values: see [sqlkind.Outline] for what may be shown
	Took    time.Duration // until now, to the first answer, waits for a connection and attempts before the last included
	Engine  *binds.Engine // the last that it was sent to; nil: there was none
	Reason  Reason        // why there; Unrouted: it did not come by the router
	Retries []Retry       // the attempts that failed before the last
	Err     error         // of the last
}

// A Retry is an attempt that failed, and after which the statement was sent again.
type Retry struct {
	After  time.Duration // from the statement's beginning to the failure
	Engine *binds.Engine // who failed
	Err    error
}

// A Tx is what an [Observer] is told of one transaction.
type Tx struct {
	Name     string // of its options
	ReadOnly bool
	Try      int // 1; more if the ones before failed and were run again, see [TxOptions]
	Began    time.Time

	// What is known when it has ended.

	Took      time.Duration
	Engine    *binds.Engine // nil: it did not begin
	Committed bool
	Err       error // why it was not committed: of BEGIN, of the function or of COMMIT; nil also if the function panicked
}

// A LockWait is what an [Observer] is told of one call for a named lock. It does not name the lock: names hold values.
type LockWait struct {
	Took   time.Duration // until now
	Engine *binds.Engine
	Err    error // nil: the lock is held
}

// observing holds an Observer, which is an interface, for an atomic pointer.
type observing struct{ Observer }

// Observe has o told of the bind's statements, transactions and readers from now on, in place of whoever was told before, until Observe is called
// again; nil ends that. What has begun is told to who was there then. It holds for the routers that succeed r, too. It is safe for concurrent use.
//
// Told is what comes through the bind's Bun DBs, their builders, Bun's own transactions, connections and prepared statements, and what is sent
// through an engine's *sql.DB. Nobody is told of the router's own questions to servers, of named locks' connections, of the making of a prepared
// statement, and of what goes past the builders of a pool of the driver's own connections ([binds.Engine.Native]).
func (r *Router) Observe(o Observer) {
	if o == nil {
		r.observer.Store(nil)
		return
	}
	r.observer.Store(&observing{o})
}

// Observer returns who is told, nil if nobody is.
func (r *Router) Observer() Observer {
	if o := r.observer.Load(); o != nil {
		return o.Observer
	}
	return nil
}

// observed is a statement that an Observer will be told of. It is the context of its statement, too: by that the driver's connection knows
// that it is told already. So it is all that is allocated.
type observed struct {
	context.Context
	scope     scope
	statement Statement
	began     time.Duration // since started: to ask for the time of day, too, would cost as much again
	by        *observing
	plain     bool // ctx says nothing to the router
}

// started is when the clock of Observers begins.
var started = time.Now()

// Value finds the statement's scope at once.
func (o *observed) Value(key any) any {
	if _, ok := key.(scopeKey); ok {
		return &o.scope
	}
	return o.Context.Value(key)
}

// begin notes a statement of a context whose scope is s.
func (by *observing) begin(ctx context.Context, s *scope, query string) *observed {
	o := &observed{Context: ctx, scope: *s, by: by, began: time.Since(started), plain: s == &emptyScope}
	o.scope.observed = o
	o.statement.Query = query
	return o
}

// ends tells of it. It may be nil.
func (o *observed) ends(err error) {
	if o == nil {
		return
	}
	o.statement.Took, o.statement.Err = time.Since(started)-o.began, err
	o.by.Statement(o.Context, &o.statement)
}

// ranOn notes where a statement was sent.
func (o *observed) ranOn(e *binds.Engine, reason Reason) {
	o.statement.Engine, o.statement.Reason = e, reason
}

// retried notes that it failed there and is sent again.
func (o *observed) retried(e *binds.Engine, err error) {
	o.statement.Retries = append(o.statement.Retries, Retry{After: time.Since(started) - o.began, Engine: e, Err: err})
}

// observedTx is a transaction that an Observer will be told of.
type observedTx struct {
	Tx
	told func()
}

// beginTx notes a transaction, and returns the context that it gets.
func (by *observing) beginTx(ctx context.Context, opts *TxOptions) (*observedTx, context.Context) {
	o := &observedTx{Tx: Tx{Name: opts.Name, ReadOnly: opts.ReadOnly, Try: opts.before + 1, Began: time.Now()}}
	inside, told := by.TxBegins(ctx, &o.Tx)
	o.told = told
	return o, inside
}

// ends tells of it, once. It may be nil.
func (o *observedTx) ends(committed bool, err error) {
	if o == nil || o.told == nil {
		return
	}
	o.Took, o.Committed, o.Err = time.Since(o.Began), committed, err
	told := o.told
	o.told = nil
	told()
}
