package manager

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// DefaultCheckInterval is how old a report of a [Checker] may be by default.
const DefaultCheckInterval = 2 * time.Second

// A Checker gives [DBManager.Check] to any number of callers: a health page, which anybody may ask for as often as they like.
// The servers are asked once for all who call meanwhile, and at most once in an interval. It is safe for concurrent
// use, and needs no closing.
type Checker struct {
	m      *DBManager
	every  time.Duration
	models []any

	mu      sync.Mutex    // guards the rest
	last    *Report       // nil: there was none yet
	at      time.Time     // when that was there
	running chan struct{} // closed when the check under way has its report; nil: none is
}

// Checker returns a [Checker] whose reports, of models as in [DBManager.Check], are at most every old when a call gets
// them, and the time of one check. Zero or less means [DefaultCheckInterval]. It asks nobody before the first call.
func (m *DBManager) Checker(every time.Duration, models ...any) *Checker {
	if every <= 0 {
		every = DefaultCheckInterval
	}
	return &Checker{m: m, every: every, models: models}
}

// Check returns the latest report, or a new one once that is too old. The report is shared: it must not be modified. [Report.At]
// says when its check began.
//
// The check is nobody's own: it goes on when ctx ends, for the others and for the next call, for 6 seconds at most. Who
// stops waiting gets a Report that holds nothing but the context's error.
func (c *Checker) Check(ctx context.Context) *Report {
	if c.m.closed.Load() {
		return c.m.Check(ctx)
	}
	c.mu.Lock()
	if c.last != nil && time.Since(c.at) < c.every {
		defer c.mu.Unlock()
		return c.last
	}
	running := c.running
	if running == nil {
		running = make(chan struct{})
		if !c.m.goCheck(func(ctx context.Context) { c.run(ctx, running) }) {
			c.mu.Unlock()
			return c.m.Check(ctx) // closed meanwhile
		}
		c.running = running
	}
	c.mu.Unlock()
	select {
	case <-running:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.last
	case <-ctx.Done():
		return &Report{At: time.Now(), Errs: []error{fmt.Errorf("manager: check: the report was not there in time: %w", ctx.Err())}}
	}
}

func (c *Checker) run(ctx context.Context, running chan struct{}) {
	r := c.m.Check(ctx, c.models...)
	c.mu.Lock()
	c.last, c.at, c.running = r, time.Now(), nil
	c.mu.Unlock()
	close(running)
}

// goCheck runs fn on a goroutine that Close ends and waits for. It reports false if the manager is closed.
func (m *DBManager) goCheck(fn func(context.Context)) bool {
	m.checksMu.Lock()
	defer m.checksMu.Unlock()
	if m.closed.Load() {
		return false
	}
	m.checks.Go(func() { fn(m.closing) })
	return true
}
