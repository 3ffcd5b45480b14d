package models

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/bindery-go/bindery/internal/primary"
)

type readAgain = func(context.Context) context.Context

var readsAgain atomic.Pointer[readAgain]

// RereadWith says how a read is made to see the newest state, where a router other than bindery's
// spreads reads over servers: [RetryStale] and the query behind a [*StaleError] use the contexts that
// onPrimary returns. Nil, as at first, means what is right for plain Bun, where all queries go to one
// server, and for a program that has bindery's router, which is asked for the writer.
func RereadWith(onPrimary func(context.Context) context.Context) {
	if onPrimary == nil {
		readsAgain.Store(nil)
		return
	}
	readsAgain.Store(&onPrimary)
}

func reread(ctx context.Context) context.Context {
	if on := readsAgain.Load(); on != nil {
		return (*on)(ctx)
	}
	return primary.Reads(ctx)
}

// RetryStale calls fn, at most n times, until it returns something else than a [*StaleError]. fn
// reads a row, changes it and writes it by [UpdateVersioned]:
//
//	err := models.RetryStale(ctx, 3, func(ctx context.Context) error {
//		var account Account
//		if err := db.NewSelect().Model(&account).Where("id = ?", id).Scan(ctx); err != nil {
//			return err
//		}
//		account.Balance += amount
//		return models.UpdateVersioned(ctx, db, &account)
//	})
//
// From the second call on, the context that fn is given sends reads to the writer.
// A row that is gone is not tried again; n below one is one. A transaction belongs into fn, not
// around RetryStale: most databases show one and the same state to all reads of a transaction.
// A nil fn is an error.
func RetryStale(ctx context.Context, n int, fn func(ctx context.Context) error) error {
	if fn == nil {
		return errNilFunc
	}
	err := fn(ctx)
	for ; n > 1; n-- {
		var stale *StaleError
		if !errors.As(err, &stale) || stale.Gone {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		err = fn(reread(ctx))
	}
	return err
}

// errNilFunc reports a mistake in the program.
var errNilFunc = errors.New("models: RetryStale: the function to run is nil")
