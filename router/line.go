package router

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A line is what the routers of one bind have in common, which follow one another as its configuration changes: moments, and so what
// sessions and this process need, mean the same to all of them.
type line struct {
	// What every query looks at stands together.
	latest    atomic.Pointer[Router]    // where statements run; nil: the bind was removed
	observer  atomic.Pointer[observing] // nil: nobody is told, see Router.Observe
	lastWrite atomic.Int64              // the moment of this process's latest write, 0 if it wrote nothing
	decided   atomic.Pointer[decisions] // nil: they are not counted
	// lastSchema is that of its latest change of the schema.
	lastSchema atomic.Int64
	asked      atomic.Int64 // the moment of the latest question to a writer, see moment; never 0

	started time.Time                              // of the clock, see now
	reopen  func(context.Context) (*Router, error) // see Config.Reopen
	stats   stats
	pools   sync.Map // those that the bind's Bun DBs are made of, see Pool and uses

	mu      sync.Mutex // guards the rest
	routers []*Router  // that are not closed
	closed  Stats      // what was counted by the engines of those that are
}

func newLine(reopen func(context.Context) (*Router, error)) *line {
	l := &line{started: time.Now(), reopen: reopen}
	l.asked.Store(1)
	if reopen != nil { // it may have been open before: what was written then, nobody remembers
		l.lastWrite.Store(1)
		l.lastSchema.Store(1)
	}
	return l
}

// enter adds a router that is open.
func (l *line) enter(r *Router) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.routers = append(slices.DeleteFunc(l.routers, func(o *Router) bool {
		if !o.ended {
			return false
		}
		l.closed.addRouter(o)
		return true
	}), r)
}

// leave notes that a router was closed.
func (l *line) leave(r *Router) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.routers, r)
	if i < 0 {
		return
	}
	l.routers = slices.Delete(l.routers, i, i+1)
	if r.succeeds != nil || r.suspended.Load() { // it has never taken over, or nobody has its pools
		l.forgetPools(r)
	}
	if len(l.routers) > 0 { // else the bind is closed, and what it has counted stays to be read
		l.closed.addRouter(r)
	} else {
		r.ended = true
		l.routers = append(l.routers, r)
	}
}

// forgetPools forgets the pools of a router but for those that another one has, too. The caller holds l.mu.
func (l *line) forgetPools(r *Router) {
	for pool := range r.poolsOf {
		if !slices.ContainsFunc(l.routers, func(o *Router) bool {
			return slices.Contains(slices.Collect(o.poolsOf), pool)
		}) {
			l.pools.Delete(pool)
		}
	}
}

// poolsOf yields the pools of the engines.
func (r *Router) poolsOf(yield func(*sql.DB) bool) {
	if !yield(r.writer.DB()) {
		return
	}
	for _, reader := range r.readers {
		if !yield(reader.engine.DB()) {
			return
		}
	}
}

// Yields has r choose no reader any more, because their pools are about to lead to those of another router, which are not what r knows of its own: a
// read that is on its way to one finds that out, and is routed anew. It comes before the pools lead on, and [Router.TakeOver] at once after that.
func (r *Router) Yields() {
	if r.monitor == nil {
		return
	}
	m := r.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	r.yielded.Store(true)
	m.publishLocked()
	for _, reader := range r.readers { // after the view, so that nobody takes the new lease for one that it promises
		reader.lease.Store(&lease{reader: reader, since: r.now()})
	}
}

// successor returns the connection of the router that has taken over from one that yields, nil if c's router does not yield, or the bind was removed.
func (c *Conn) successor(ctx context.Context) *Conn {
	r := c.router
	if !r.yielded.Load() {
		return nil
	}
	for r.latest.Load() == r { // for a moment
		if !pause(ctx, 100*time.Microsecond) {
			return nil
		}
	}
	latest := r.latest.Load()
	switch {
	case latest == nil:
		return nil
	case c.mode == readerOnly:
		return &latest.readerOnly.unknown
	}
	return &latest.routed.unknown
}

// TakeOver has the bind's statements run by r from now on, in place of the router that it succeeds, see [Config.Succeeds]: also those of Bun DBs
// that were made with that one's resolvers. What runs on connections of that one's engines goes on; each of these is closed when it is given
// back. Transactions that contexts carry stay where they are. It is called once.
func (r *Router) TakeOver() {
	r.line.mu.Lock()
	before := r.succeeds
	r.succeeds = nil
	r.line.mu.Unlock()
	before.forget()
	r.declare()
	before.retire() // first: their pools are r's by now, and what r promises is not true of their connections
	r.latest.Store(r)
}

// Remove lets the bind's statements fail with a [*RemovedBindError] from now on, but for those of transactions that contexts carry. What runs
// goes on; connections are closed when they are given back.
func (r *Router) Remove() {
	r.latest.CompareAndSwap(r, nil)
	r.retire()
}

// retire has every connection of the engines closed when it is given back, and no more be made.
func (r *Router) retire() {
	r.writerConns.end()
	for _, reader := range r.Readers() {
		reader.conns.end()
	}
	if r.standby != nil {
		r.standby.conns.retire()
		r.standby.engine.CloseIdle()
	}
	if e := r.cautious.engine.Load(); e != nil {
		e.CloseIdle() // its connections are among writerConns
	}
}

func (cs *conns) end() {
	cs.over.Store(true)
	cs.retire()
}

// InUse counts the open connections that the engines of r have made. Once r was succeeded or removed they make no more, and no idle one
// is left when those of the engines' pools are closed: then all are in use. It is safe for concurrent use.
func (r *Router) InUse() int {
	r.retire() // those that were being made meanwhile
	n := r.writerConns.count()
	for _, reader := range r.readers {
		n += reader.conns.count()
	}
	return n
}

func (cs *conns) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.open)
}

// EndOlder ends what runs on the connections that [Router.InUse] counts, as if they had broken.
func (r *Router) EndOlder() {
	r.writerConns.interrupt()
	for _, reader := range r.readers {
		reader.conns.interrupt()
	}
}
