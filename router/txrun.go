package router

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// InTx runs fn in a transaction of the bind, and commits if it returns nil. If it returns an error, the
// transaction is rolled back and the error returned; if it panics, or ends its goroutine, the
// transaction is rolled back and that goes on.
//
// The context that fn is given carries the transaction: every query of the bind that is given that
// context, or one made from it, runs in it, in order, from whichever goroutine. When fn has returned,
// such a query is a [*TxDoneError].
//
// Where ctx carries a transaction of the bind already, fn runs in a savepoint of that, which is undone
// alone if fn fails.
//
// A write to another bind's database, which would not be part of the transaction, is a
// [*CrossBindWriteError], unless that bind has a transaction of its own in the context or
// [AllowCrossBind] was asked for.
//
// That the transaction was not committed, although fn returned nil, is a [*TxAbortedError]; that it
// may have been, an [*OutcomeUnknownError]; that the writer could not be reached, an
// [*UnavailableError]. A nil fn is [ErrNilFunc].
//
// A statement that fn gives ctx, the outer context, by mistake is not part of the transaction. It waits for another connection;
// where transactions have them all, as the only one of a SQLite writer, for ever, or until its deadline: a [*NotSentError] that
// says so. After five seconds the log does.
func (r *Router) InTx(ctx context.Context, opts TxOptions, fn func(ctx context.Context) error) error {
	if fn == nil {
		return ErrNilFunc
	}
	return retryTx(ctx, []*Router{r}, &opts, func(ctx context.Context) error {
		return r.tryTx(ctx, &opts, fn)
	})
}

func (r *Router) tryTx(ctx context.Context, opts *TxOptions, fn func(ctx context.Context) error) error {
	l, within, err := r.begin(ctx, opts)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended { // a panic, or runtime.Goexit, is under way: that is what the caller must see
			_ = l.undo(nil)
		}
	}()
	err = fn(within)
	ended = true
	if err = l.end(err); err == nil {
		l.succeeded(ctx)
	}
	return err
}

const (
	// txFirstWait and txMaxWait bound the waits before a transaction runs again: each is at most twice
	// the one before, half of it at random, so that those who were in each other's way part.
	txFirstWait = 4 * time.Millisecond
	txMaxWait   = 500 * time.Millisecond
)

// retryTx tries a transaction on routers until it succeeds, fails for good, or the tries or the
// caller's time are used up. A nested one is tried once.
func retryTx(ctx context.Context, routers []*Router, opts *TxOptions, try func(context.Context) error) error {
	wait := txFirstWait
	for left := opts.Retry; ; left-- {
		err := try(ctx)
		if err == nil || left <= 0 {
			return err
		}
		again, conflict := mayRunAgain(routers, opts, err)
		if !again || ctx.Err() != nil {
			return err
		}
		if conflict {
			opts.onWriter = true // the next reader may be as busy replaying
		}
		d := wait/2 + rand.N(wait/2)
		wait = min(2*wait, txMaxWait)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d || !pause(ctx, d) {
			return err
		}
		opts.before++
		for _, r := range routers {
			r.stats.retried.Add(1)
		}
	}
}

// mayRunAgain reports whether a transaction that ended with err was rolled back for a reason that passes,
// and whether that was a standby's.
func mayRunAgain(routers []*Router, opts *TxOptions, err error) (again, standby bool) {
	var partial *PartialCommitError
	if errors.Is(err, ErrOutcomeUnknown) || errors.As(err, &partial) {
		return false, false
	}
	for _, r := range routers {
		switch r.writer.Classify(err) {
		case binds.Retryable:
			return true, false
		case binds.RecoveryConflict:
			return opts.ReadOnly, true
		}
	}
	return false, false
}
