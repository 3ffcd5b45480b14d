package integration

import (
	"context"
	"time"
)

// poll asks done until it says so, fails, or ctx ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

const (
	pollInterval   = 10 * time.Millisecond
	defaultTimeout = time.Minute // for a context without a deadline
)

// within gives ctx a deadline if it has none.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, defaultTimeout)
}
