package router

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

// InTxAll runs fn in one transaction of each of routers, as [Router.InTx] does for one.
//
// The transactions begin in the order of their binds' keys, whatever the order of routers, so that
// callers do not wait for each other in a circle. They are committed one after the other in the order of
// routers. That is not atomic: where one has been committed and the next one fails, the first stays
// committed. A [*PartialCommitError] then says exactly which were. Put first what may stand alone.
//
// A transaction that ctx carries already is joined by a savepoint: that part is committed when the
// transaction is. A nil fn is [ErrNilFunc].
func InTxAll(ctx context.Context, routers []*Router, opts TxOptions, fn func(ctx context.Context) error) error {
	if fn == nil {
		return ErrNilFunc
	}
	for i, r := range routers {
		if slices.Contains(routers[:i], r) {
			return &DuplicateBindError{Bind: r.key}
		}
	}
	return retryTx(ctx, routers, &opts, func(ctx context.Context) error {
		return tryTxs(ctx, routers, &opts, fn)
	})
}

func tryTxs(ctx context.Context, routers []*Router, opts *TxOptions, fn func(ctx context.Context) error) (err error) {
	var all txs
	ended := false
	defer func() {
		if !ended {
			_ = all.undo(nil) // a panic, or runtime.Goexit, is what the caller must see
		}
	}()
	inside := ctx
	for _, r := range inKeyOrder(routers) {
		l, within, err := r.begin(inside, opts)
		if err != nil {
			ended = true
			return and(err, all.undo(err))
		}
		all, inside = append(all, l), within
	}
	err = fn(inside)
	ended = true
	if err != nil {
		return and(err, all.undo(err))
	}
	return all.commit(ctx, routers)
}

func inKeyOrder(routers []*Router) []*Router {
	return slices.SortedStableFunc(slices.Values(routers), func(a, b *Router) int {
		return strings.Compare(string(a.key), string(b.key))
	})
}

// txs are transactions on several binds, in the order in which they began.
type txs []*txLevel

// undo rolls back all because of cause, the latest first.
func (all txs) undo(cause error) error {
	var errs []error
	for _, l := range slices.Backward(all) {
		errs = append(errs, l.undo(cause))
	}
	return errors.Join(errs...)
}

// commit commits in the order of routers. What waited for a commit runs with ctx when all have ended, also
// if a later one failed.
func (all txs) commit(ctx context.Context, routers []*Router) error {
	var done []binds.Key
	var kept txs
	defer func() {
		for _, l := range kept {
			l.succeeded(ctx)
		}
	}()
	for i, r := range routers {
		l := all.on(r)
		err := l.end(nil)
		if err == nil {
			done, kept = append(done, r.key), append(kept, l)
			continue
		}
		unknown := errors.Is(err, ErrOutcomeUnknown)
		e := &PartialCommitError{Committed: done, Failed: r.key, Unknown: unknown, Err: err}
		for _, rest := range slices.Backward(routers[i+1:]) {
			e.RolledBack = append(e.RolledBack, rest.key)
			e.Err = and(e.Err, all.on(rest).undo(err))
		}
		slices.Reverse(e.RolledBack)
		if len(done) == 0 && !unknown {
			return e.Err // nothing was committed: an error like any other
		}
		return e
	}
	return nil
}

func (all txs) on(r *Router) *txLevel {
	for _, l := range all {
		if l.tx.router.line == r.line {
			return l
		}
	}
	return nil
}
