package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// address is what is known of where the writer's address leads. It may move, to a promoted server say; and it may lead to
// several servers, by a proxy that takes turns or a name with several addresses. What one of those has acknowledged another may
// not show yet. So all connections of this process go to one of them, as long as that is there: whoever else uses
// the address may be on another one.
type address struct {
	turn chan struct{} // held while the address is tried, which takes as long as its servers do

	mu      sync.Mutex // guards the rest
	server  string     // whom all connections lead to, "" before the first
	primary bool       // it said that it is the primary
	several bool       // the address leads to others, too
	refused int        // how many connections in a row led elsewhere
}

func newAddress() address { return address{turn: make(chan struct{}, 1)} }

// take begins a try, and reports whether it may before ctx ends. The caller gives the turn back.
func (a *address) take(ctx context.Context) bool {
	select {
	case a.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *address) giveBack() { <-a.turn }

// isKept reports whether p is of the server that all connections lead to, as that of the first one is.
func (a *address) isKept(p binds.Probe) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server != "" && a.server != p.Server {
		return false
	}
	a.server, a.primary, a.refused = p.Server, p.Primary, 0
	return true
}

// refuse notes that a connection led to p, where the address leads to several. It reports whether p is the primary that the
// server known is not, and whether so many connections in a row have led elsewhere that that one may be gone.
func (a *address) refuse(p binds.Probe) (primary, many bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.Primary && !a.primary {
		return true, false
	}
	// A primary is never left for what is none: that may show less. It is counted on, so that the next primary is followed at once.
	if a.refused++; a.refused < elsewhere || a.primary && !p.Primary {
		return false, false
	}
	a.refused = 0
	return false, true
}

// kept returns the server that all connections lead to, and whether the address leads to others, too.
func (a *address) kept() (server string, several bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.server, a.several
}

// set has all connections lead to p's server, and tells keepTo of it, if that is not nil, before anybody else can set another one.
func (a *address) set(p binds.Probe, several bool, keepTo func(server string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.server, a.primary, a.several, a.refused = p.Server, p.Primary, several, 0
	if keepTo != nil {
		keepTo(p.Server)
	}
}

const (
	// tries is how often an address is tried to find out whether it still leads to a server that is known.
	tries = 4
	// elsewhere is how many connections in a row must lead elsewhere before the server that this process keeps to is given up,
	// where an address leads to several. One of three that is met at random is missed so often once in 650 times. A primary is
	// left for a primary alone.
	elsewhere = 16
)

// leads takes in what a new connection of the writer says of its server. It reports whether the connection may be used, and
// whether the address has moved to its server. It ends with ctx.
func (r *Router) leads(ctx context.Context, p binds.Probe) (use, moved bool) {
	a := &r.address
	if a.isKept(p) {
		return true, false
	}
	if !a.take(ctx) {
		return false, false
	}
	defer a.giveBack()
	if a.isKept(p) { // by now
		return true, false
	}
	server, several := a.kept()
	if several {
		moved := r.leavesFor(p)
		return moved, moved
	}
	for range tries {
		r.writer.ProbeAnew()
		again, err := r.tryAddress(ctx)
		if err == nil && again.Server == server {
			r.logger.Warn("writer's address leads to several servers: this process keeps to one of them; give the primary's own address",
				"engine", r.writer.Name())
			if p.Primary && !again.Primary {
				r.keepTo(p)
				return true, true
			}
			r.keepTo(again)
			return false, false
		}
		if ctx.Err() != nil {
			return false, false
		}
	}
	a.set(p, false, nil)
	return true, true
}

// leavesFor notes that a connection led to p, where the address leads to several, and reports whether this process keeps to p from
// now on: it alone can be written to, or the other is gone. Nothing is asked, for what may be asked may be overrun by all who connect.
func (r *Router) leavesFor(p binds.Probe) bool {
	primary, many := r.address.refuse(p)
	if !primary && !many {
		return false
	}
	r.keepTo(p)
	return true
}

// met is told whom a connection met that was to ask one server at the writer's address. It reports whether that one is given up.
func (r *Router) met(wanted string, at binds.Probe) (giveUp bool) {
	if r.address.isKept(at) {
		return at.Server != wanted
	}
	switch server, several := r.address.kept(); {
	case wanted != server:
		return true // it is given up already
	case !several || !r.leavesFor(at):
		return false
	}
	r.writerConns.retire()
	if r.monitor != nil {
		r.monitor.want()
	}
	return true
}

// tryAddress asks whoever the writer's address leads to, within the time that a probe may take.
func (r *Router) tryAddress(ctx context.Context) (binds.Probe, error) {
	ctx, cancel := context.WithTimeout(ctx, r.fresh.ProbeTimeout)
	defer cancel()
	return r.writer.Probe(ctx)
}

// keepTo has all questions go to one of the several servers.
func (r *Router) keepTo(p binds.Probe) {
	r.address.set(p, true, r.writer.KeepTo)
}

// probeWriter asks the writer's server for its position. If it was one of several at its address, and is there no more,
// the one that has taken its place is asked.
func (r *Router) probeWriter(ctx context.Context) (binds.Probe, error) {
	before, _ := r.address.kept()
	p, err := r.writer.Probe(ctx)
	if now, _ := r.address.kept(); errors.Is(err, binds.ErrRedial) && now != before {
		return r.writer.Probe(ctx)
	}
	return p, err
}

// WriterLeadsToSeveral tries the writer's address a few times, each on a new connection, and reports whether it is known to lead
// to several servers. It is false where the driver cannot tell servers apart, and where none answers.
func (r *Router) WriterLeadsToSeveral(ctx context.Context) bool {
	for range tries {
		if _, several := r.address.kept(); several {
			return true
		}
		r.writer.ProbeAnew()
		if p, err := r.writer.Probe(ctx); err == nil && p.Server != "" {
			_, _ = r.leads(ctx, p)
		}
	}
	_, several := r.address.kept()
	return several
}

// watchAddress lets each new connection of a writer without readers tell whose server it leads to.
func (r *Router) watchAddress(ctx context.Context, by binds.Positioner, conn driver.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(tries)*r.fresh.ProbeTimeout)
	defer cancel()
	p, err := binds.ProbeConn(ctx, by, conn)
	if err != nil || p.Server == "" {
		return nil // a statement will tell
	}
	use, moved := r.leads(ctx, p)
	if moved {
		r.writerConns.retire()
	}
	if !use {
		return binds.ErrRedial
	}
	return nil
}
