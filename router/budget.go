package router

import (
	"context"
	"fmt"
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
	limit   int
	limiter *rate.Limiter
}

// newBudget returns nil for no limit. What was not used for a second is kept, and no more.
func newBudget(limit int) *budget {
	if limit <= 0 {
		return nil
	}
	return &budget{limit, rate.NewLimiter(rate.Limit(limit), limit)}
}

// take waits for the turn of one read. The error is a [*FallbackLimitError], or that of ctx.
func (b *budget) take(ctx context.Context) error {
	turn := b.limiter.Reserve()
	wait := turn.Delay()
	if wait == 0 {
		return nil
	}
	most := maxBudgetWait
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	if wait > most {
		turn.Cancel()
		return &FallbackLimitError{Limit: b.limit, Wait: wait}
	}
	if !pause(ctx, wait) {
		turn.Cancel()
		return ctx.Err()
	}
	return nil
}
