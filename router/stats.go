package router

import (
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
)

// Stats counts what became of a bind's statements, and of its named locks, since it was opened.
type Stats struct {
	ToWriter uint64 // plain reads that the writer served because no reader was there, up and fresh enough
	Slow     uint64 // statements that took as long as slow_query says, see [Router.SlowHook]
	// FallbacksRefused counts plain reads that failed because Config.FallbackLimit was used up.
	FallbacksRefused uint64
	Retried          uint64 // statements that were sent again after a failure
	Refused          uint64 // statements taken for reads that a reader refused as writes
	Unknown          uint64 // writes whose answer did not come

	PoolWaiting      int    // callers that wait for a connection now
	PoolWaitsRefused uint64 // callers that have waited for as long as binds.Pool.MaxWait allows

	Cancels        uint64 // statements given up that a server was asked to stop, see [binds.Engine.Cancels]
	CancelsDropped uint64 // those that it was not told of: it carries them on

	// What manager.Bind.Stats adds; zero in Router.Stats.
	Locks        int    // connections for named locks now
	LockWaiting  int    // calls that wait for one now
	LocksRefused uint64 // calls that went beyond manager.LockLimits
}

type stats struct {
	slow, toWriter, overLimit, retried, refused, unknown, waits atomic.Uint64
}

// Stats returns the counts, those of the routers that it succeeds included. It is safe for concurrent use.
func (r *Router) Stats() Stats {
	r.line.mu.Lock()
	defer r.line.mu.Unlock()
	s := r.closed
	s.ToWriter = r.stats.toWriter.Load()
	s.Slow = r.stats.slow.Load()
	s.FallbacksRefused = r.stats.overLimit.Load()
	s.Retried = r.stats.retried.Load()
	s.Refused = r.stats.refused.Load()
	s.Unknown = r.stats.unknown.Load()
	s.PoolWaitsRefused += r.stats.waits.Load() // of Native's
	for _, one := range r.routers {
		s.addRouter(one)
	}
	return s
}

func (s *Stats) addRouter(r *Router) {
	s.addEngine(r.writer)
	for _, reader := range r.Readers() {
		s.addEngine(reader.engine)
	}
}

func (s *Stats) addEngine(e *binds.Engine) {
	waiting, refused := e.Waits()
	s.PoolWaiting += waiting
	s.PoolWaitsRefused += refused
	c := e.Cancels()
	s.Cancels += c.Asked
	s.CancelsDropped += c.Dropped
}
