package router

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
)

const (
	// longWait is how long statements wait for a connection before the log tells why.
	longWait = 5 * time.Second
	// holdingTick is how often a pool is looked at while transactions have all of it.
	holdingTick = time.Second
	// justNow is how long ago a transaction may have ended that its context has, where nobody knows when that was.
	justNow = 100 * time.Millisecond
)

// holding counts the connections of a pool that open transactions have. While those are all that there are, nobody gets one
// before a transaction ends; a transaction whose function waits for one, because it gave a statement the outer
// context, never ends. It costs a transaction two additions, and a statement nothing.
type holding struct {
	engine *binds.Engine
	logger *slog.Logger
	max    int64 // of the pool's connections; 0: any number

	held  atomic.Int64
	ends  atomic.Uint64 // counts the times that a connection came free while transactions had all
	until atomic.Int64  // when that was the last time, in Unix nanoseconds; 0: never

	mu    sync.Mutex // guards the rest
	timer *time.Timer
	// since says from which of ends on, and since which count of the pool's waits, the pool is looked at.
	since  uint64
	waits  int64
	waited time.Duration // for which somebody has been waiting, as far as the ticks tell
	told   bool
}

func newHolding(e *binds.Engine, logger *slog.Logger) *holding {
	return &holding{engine: e, logger: logger, max: int64(max(e.Pool().MaxOpen, 0))}
}

// takes notes a transaction that has begun.
func (h *holding) takes() {
	if n := h.held.Add(1); h.max > 0 && n >= h.max {
		h.watch()
	}
}

// gives notes one that has ended.
func (h *holding) gives() {
	if n := h.held.Add(-1); h.max > 0 && n == h.max-1 {
		h.until.Store(time.Now().UnixNano())
		h.ends.Add(1)
	}
}

// count returns how many connections open transactions had when ctx ended. It may have ended them, too: that of a statement
// which was given the outer context is that of the transaction.
func (h *holding) count(ctx context.Context) int {
	held, when := h.held.Load(), time.Now().Add(-justNow)
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == context.DeadlineExceeded {
		when = deadline
	}
	if until := h.until.Load(); until != 0 && until >= when.UnixNano() {
		return int(h.max)
	}
	return int(held)
}

// watch begins to look at the pool.
func (h *holding) watch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer == nil {
		h.anew()
		h.timer = time.AfterFunc(holdingTick, h.look)
	}
}

// anew begins to count waits. The lock must be held.
func (h *holding) anew() {
	h.since, h.waits, h.waited, h.told = h.ends.Load(), h.engine.Stats().WaitCount, 0, false
}

// look tells of statements that have been waiting for long. They were not served meanwhile, for no connection came free.
func (h *holding) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer == nil {
		return // closed
	}
	held := h.held.Load()
	switch {
	case held < h.max:
		h.timer = nil
		return
	case h.ends.Load() != h.since:
		h.anew()
	case h.told:
	case h.waited > 0 || h.engine.Stats().WaitCount > h.waits:
		if h.waited += holdingTick; h.waited > longWait {
			h.told = true
			h.logger.Warn("statements wait for a connection, and open transactions of this process have all of them: inside InTx use the context "+
				"that its function is given, end transactions sooner, or raise max_open",
				"engine", h.engine.Name(), "held_by_transactions", held, "max_open", h.max, "waited", longWait)
		}
	}
	h.timer.Reset(holdingTick)
}

func (h *holding) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
}
