package router

import (
	"context"
	"time"

	"github.com/bindery-go/bindery/internal/primary"
)

type hint uint8

const (
	noHint hint = iota
	onWriter
	onReader
)

// scope is everything that a context tells the router, so that a query looks at it once. It is
// never changed after it was put into a context.
type scope struct {
	hint     hint
	route    *Route
	timing   *timing   // of a SlowHook
	observed *observed // which an Observer will be told of, nil: none
	session  *Session
	stale    time.Duration // MaxStale; 0: the bind's max_lag alone counts
	tx       *txLevel      // the innermost of the transactions; nil if there are none
	cross    bool          // AllowCrossBind
	begins   *openTx       // what this context begins, for the connection to know
	turn     *openTx       // whose turn the context's user has, as a hook of a savepoint's statement
}

type scopeKey struct{}

var emptyScope scope

func scopeOf(ctx context.Context) *scope {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s
	}
	return &emptyScope
}

func withScope(ctx context.Context, change func(*scope)) context.Context {
	s := *scopeOf(ctx)
	change(&s)
	return context.WithValue(ctx, scopeKey{}, &s)
}

func init() { primary.ReadBy(OnWriter) }

// OnWriter returns a context whose reads go to the writer: for a read that must see what was just
// written. The innermost of OnWriter and [OnReader] counts.
func OnWriter(ctx context.Context) context.Context {
	return withScope(ctx, func(s *scope) { s.hint = onWriter })
}

// OnReader returns a context whose reads go to a reader however stale, while one is up, and undoes
// an outer [OnWriter]. Writes and locking reads go to the writer all the same. What a server tells about itself,
// as statistics, is the reader's own then. What its reads show may be older than the caller's own writes, than what its
// session has read, and than max_lag: a hint for those who ask for that.
func OnReader(ctx context.Context) context.Context {
	return withScope(ctx, func(s *scope) { s.hint = onReader })
}

// MaxStale returns a context whose reads go to readers that trail by at most d as the read begins, if
// that is less than the bind's max_lag, else to the writer. Zero or less sends them to the writer.
func MaxStale(ctx context.Context, d time.Duration) context.Context {
	if d <= 0 {
		return OnWriter(ctx)
	}
	return withScope(ctx, func(s *scope) { s.stale = d })
}
