package router

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxBudgetWait is how long a read waits at most for its turn at the writer, where these are limited.
const maxBudgetWait = time.Second

// A FallbackLimitError reports a read that no reader could serve and that would have to wait for its turn at the writer for longer than a second, or
// than its context has: as many others want that as [Config.FallbackLimit] allows. Nothing was sent. It comes in a [*NoReaderError].
type FallbackLimitError struct {
	Limit int           // reads a second
	Wait  time.Duration // until its turn
}

func (e *FallbackLimitError) Error() string {
	return fmt.Sprintf("router: fallback_limit: %d reads a second may go to the writer for want of a reader, and the turn of this one would come in %v: "+
		"bring readers back, or raise the limit as far as the primary can bear it", e.Limit, e.Wait.Round(time.Millisecond))
}

// A budget lets so many reads a second go to the writer for want of a reader.
type budget struct {
	limit int

	mu      sync.Mutex // held while a turn is looked for
	limiter *rate.Limiter
}

// newBudget returns nil for no limit. What was not used for a second is kept, and no more.
func newBudget(limit int) *budget {
	if limit <= 0 {
		return nil
	}
	return &budget{limit: limit, limiter: rate.NewLimiter(rate.Limit(limit), limit)}
}

// take waits for the turn of one read. The error is a [*FallbackLimitError], or that of ctx.
func (b *budget) take(ctx context.Context) error {
	most := maxBudgetWait
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	wait, ok := b.turn(most)
	switch {
	case !ok:
		return &FallbackLimitError{Limit: b.limit, Wait: wait}
	case wait > 0 && !pause(ctx, wait):
		return ctx.Err() // its turn is nobody's: it was to come within a second
	}
	return nil
}

// turn returns when the next turn comes, and takes it, unless it comes later than in most. A limiter takes nothing back that others have queued behind:
// so that those who are refused leave nothing behind, nobody queues meanwhile.
func (b *budget) turn(most time.Duration) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	turn := b.limiter.ReserveN(now, 1)
	if wait = turn.DelayFrom(now); wait > 0 && wait > most {
		turn.CancelAt(now)
		return wait, false
	}
	return wait, true
}
