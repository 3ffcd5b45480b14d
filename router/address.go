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
	mu      sync.Mutex // guards the rest; held while the address is tried
	server  string     // whom all connections lead to, "" before the first
	primary bool       // it said that it is the primary
	several bool       // the address leads to others, too
	refused int        // how many connections in a row led elsewhere
}

const (
	// tries is how often an address is tried to find out whether it still leads to a server that is known.
	tries = 4
	// redials is how many connections in a row must lead elsewhere before the server that this process keeps to is given
	// up, where an address leads to several.
	redials = 16
)

// leads takes in what a new connection of the writer says of its server. It reports whether the connection may be used, and
// whether the address has moved to its server.
func (r *Router) leads(ctx context.Context, p binds.Probe) (use, moved bool) {
	a := &r.address
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.server {
	case "":
		a.server, a.primary = p.Server, p.Primary
		return true, false
	case p.Server:
		a.primary, a.refused = p.Primary, 0
		return true, false
	}
	if a.several {
		if p.Primary && !a.primary { // which alone can be written to
			r.keepTo(a, p)
			return true, true
		}
		if a.refused++; a.refused < redials {
			return false, false
		}
		a.refused = 0
		if _, err := r.writer.Probe(ctx); !errors.Is(err, binds.ErrRedial) {
			return false, false
		}
		r.keepTo(a, p)
		return true, true
	}
	for range tries {
		r.writer.ProbeAnew()
		again, err := r.writer.Probe(ctx)
		if err == nil && again.Server == a.server {
			a.several = true
			r.logger.Warn("writer's address leads to several servers: this process keeps to one of them; give the primary's own address",
				"engine", r.writer.Name())
			if p.Primary && !again.Primary {
				r.keepTo(a, p)
				return true, true
			}
			r.keepTo(a, again)
			return false, false
		}
		if ctx.Err() != nil {
			return false, false
		}
	}
	a.server, a.primary = p.Server, p.Primary
	return true, true
}

// keepTo has all questions go to one of the several servers.
func (r *Router) keepTo(a *address, p binds.Probe) {
	a.server, a.primary, a.refused = p.Server, p.Primary, 0
	r.writer.KeepTo(p.Server)
}

// probeWriter asks the writer's server for its position. If it was one of several at its address, and is there no more,
// another takes its place.
func (r *Router) probeWriter(ctx context.Context) (binds.Probe, error) {
	p, err := r.writer.Probe(ctx)
	if !errors.Is(err, binds.ErrRedial) {
		return p, err
	}
	a := &r.address
	a.mu.Lock()
	defer a.mu.Unlock()
	r.writer.KeepTo("")
	if p, err = r.writer.Probe(ctx); err == nil {
		r.keepTo(a, p)
	}
	return p, err
}

// WriterLeadsToSeveral tries the writer's address a few times, each on a new connection, and reports whether it is known to lead
// to several servers. It is false where the driver cannot tell servers apart, and where none answers.
func (r *Router) WriterLeadsToSeveral(ctx context.Context) bool {
	a := &r.address
	several := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.several
	}
	for range tries {
		if several() {
			return true
		}
		r.writer.ProbeAnew()
		if p, err := r.writer.Probe(ctx); err == nil && p.Server != "" {
			_, _ = r.leads(ctx, p)
		}
	}
	return several()
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
