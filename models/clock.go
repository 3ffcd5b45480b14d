package models

import (
	"context"
	"time"
)

type clockKey struct{}

// WithClock returns a context under which mixins take the time from now instead of the machine's
// clock: for tests, and for imports that replay the past. now must be safe for concurrent use if
// the context is used so.
func WithClock(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, clockKey{}, now)
}

// clock returns the context's time as mixins keep it.
func clock(ctx context.Context) time.Time {
	now, ok := ctx.Value(clockKey{}).(func() time.Time)
	if !ok || now == nil {
		now = time.Now
	}
	return stored(now())
}

// stored returns t as a database gives it back: in UTC, which Bun's MySQL dialect takes for granted,
// and in whole microseconds, which is as fine as PostgreSQL's and MySQL's columns are. Both would
// round what is finer, each in its way.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
