// Package connectby bounds the making of a connection for one statement, without a bound on the statement.
package connectby

import (
	"context"
	"time"
)

type key struct{}

// With returns a context under which an engine gives up connecting at t.
func With(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, key{}, t)
}

// Unlimited returns a context without such a bound.
func Unlimited(ctx context.Context) context.Context {
	if _, bounded := Left(ctx); !bounded {
		return ctx
	}
	return context.WithValue(ctx, key{}, nil)
}

// Left returns how long connecting under ctx may take, and whether that is bounded.
func Left(ctx context.Context) (time.Duration, bool) {
	t, ok := ctx.Value(key{}).(time.Time)
	return time.Until(t), ok
}

// Unasked is how long connecting may take for a caller who gave no deadline, where the URI gives no connect_timeout.
const Unasked = 3 * time.Second

// Timeout returns the connect_timeout that holds under ctx: the URI's if it gives one, else the driver's own, but no longer
// than [Unasked] where ctx has no deadline.
func Timeout(ctx context.Context, timeout time.Duration, given bool) time.Duration {
	if _, bounded := ctx.Deadline(); given || bounded {
		return timeout
	}
	return min(timeout, Unasked)
}
