package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// errMoved reports a new connection to a reader that found another server, or an older state, than
// the reader's horizon was told of. Nothing was read by it.
var errMoved = errors.New("router: the server is not the one, or not as far, as was known: its freshness is proved anew")

// watchReader lets each new connection of a reader prove itself. A standby that is opened again
// after a crash shows an older state than before, and an address may lead to another server: a
// horizon that was measured before must not be believed on such a connection. It costs one round
// trip for each connection, none for a statement.
func (r *Router) watchReader(reader *Reader) {
	by, positions := reader.engine.Driver().(binds.Positioner)
	n := &notice{
		engine: reader.engine,
		held:   reader.held,
		router: r,
		reads:  true,
		saw:    func(s *Session) { s.on(r).saw(reader.lease.Load(), r.moment()) },
		conns:  &reader.conns,
		proven: true,
	}
	reader.engine.LimitConnect(r.fresh.ProbeTimeout)
	reader.engine.BoundWait()
	reader.engine.OnConnect(func(ctx context.Context, conn driver.Conn) (driver.Conn, error) {
		age := n.age()
		if positions {
			if err := r.prove(ctx, reader, by, conn); err != nil {
				_ = conn.Close() // the reason to close it is the error to tell
				return nil, err
			}
		}
		return n.meet(conn, age)
	})
}

func (r *Router) prove(ctx context.Context, reader *Reader, by binds.Positioner, conn driver.Conn) error {
	claim := reader.claim.Load()
	if claim == nil || claim.server == "" || claim.balanced {
		return nil // nothing is promised of it
	}
	probe, err := binds.ProveConn(ctx, by, conn)
	if err == nil {
		err = r.monitor.otherView(probe)
	}
	switch {
	case err != nil && r.monitor.isUnprovedAsKnown(reader, err):
		return nil // it shows what it has shown
	case err != nil:
		return err
	case probe.Shared && claim.proven == nil:
		return nil // nothing is promised by it, and nothing could be
	case probe.Shared:
		r.monitor.moved(reader, claim, probe.Server)
		return errMoved
	case probe.Server != claim.server:
		r.monitor.moved(reader, claim, probe.Server)
		return errMoved
	case claim.proven != nil && (probe.Position == nil || !probe.Position.Covers(claim.proven)):
		r.monitor.moved(reader, claim, probe.Server)
		return errMoved
	}
	return nil
}

// otherView is as that of samples.
func (m *monitor) otherView(p binds.Probe) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.samples.otherView(p)
}

// watchWriter lets the connections of e, which lead to the writer's server, report writes, whichever way they came, and say of
// one whose answer did not come that its outcome is unknown.
func (r *Router) watchWriter(e *binds.Engine) {
	n := &notice{
		engine:    e,
		router:    r,
		plainRead: r.isHarmless,
		looksRead: r.isRead,
		wrote:     r.wrote,
		schema:    r.wroteSchema,
		saw:       func(s *Session) { s.on(r).saw(&r.writerLease, r.moment()) },
		unsure:    r.unsure,
		conns:     &r.writerConns,
	}
	if e != r.writer { // it may not write
		n.plainRead = func(string) bool { return true }
	}
	if len(r.readers) > 0 || r.succeeded {
		n.reveal = func(ctx context.Context, s *Session) error {
			if b := s.on(r); b.ahead.Load() != 0 {
				return b.reveal(ctx)
			}
			return nil
		}
	}
	if e == r.writer {
		n.held = r.held
	}
	by, positions := r.writer.Driver().(binds.Positioner)
	e.OnMeet(r.met)
	e.BoundWait()
	e.OnConnect(func(ctx context.Context, conn driver.Conn) (driver.Conn, error) {
		age := n.age()
		if positions && r.monitor != nil {
			if err := r.checkWriter(ctx, by, conn); err != nil {
				_ = conn.Close() // the reason to close it is the error to tell
				return nil, err
			}
		} else if positions {
			if err := r.watchAddress(ctx, by, conn); err != nil {
				_ = conn.Close() // there is another one
				return nil, err
			}
		}
		if e != r.writer { // it ends with the router
			return n.watch(conn, age), nil
		}
		return n.meet(conn, age)
	})
}

// checkWriter refuses a new connection of the writer that leads to a replica, and looks whether it leads to the server
// that the monitor asks. Where the address has moved while the server before is still up, the monitor would go on
// asking that one, and writes on the new one would be unknown to it.
func (r *Router) checkWriter(ctx context.Context, by binds.Positioner, conn driver.Conn) error {
	peers, limit := r.monitor.peers(), ctx
	if peers { // it waits until it shows all there is, however long that is
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, r.fresh.ProbeTimeout)
		defer cancel()
	}
	probe, err := binds.ProbeConn(limit, by, conn)
	if err == nil && probe.Primary == r.monitor.isDemoted() {
		r.writer.ProbeAnew()
		r.monitor.want()
	}
	switch {
	case err != nil && peers && limit.Err() != nil && ctx.Err() == nil:
		return fmt.Errorf("router: the server did not prove within probe_timeout (%v) what it shows: %v", r.fresh.ProbeTimeout, err) // a deadline of ours
	case err != nil && peers:
		return err // it has not shown that it holds what other nodes have acknowledged
	case err != nil:
		return nil // a statement will tell
	}
	use, _ := r.leads(ctx, probe)
	last, ok, _ := r.monitor.lastSample()
	switch {
	case !use:
		return binds.ErrRedial
	case !probe.Primary:
		return ErrWriterIsReplica
	case ok && probe.Server != last.probe.Server:
		r.monitor.writerMoved(probe)
	}
	return nil
}

// refusalsTold is how long one line in the log tells of writes that the writer's server refuses.
const refusalsTold = 10 * time.Second

// demoted is called when the writer's server refuses to write: its connections are not used again,
// since the address may lead to another server by now, and its role is looked at.
func (r *Router) demoted() {
	if now, last := r.now(), r.refusedAt.Load(); last == 0 || now-time.Duration(last) > refusalsTold {
		r.refusedAt.Store(int64(now))
		r.logger.Warn("writer refuses writes: its connections are replaced, and writes wait for a primary", "engine", r.writer.Name())
	}
	r.writerConns.retire()
	r.writer.ProbeAnew()
	if r.monitor != nil {
		r.monitor.want()
	}
}

// mayBePromoted reports whether it is worth waiting for a server at the writer's address that writes, after one has
// refused to: again says that it is not the first time. A primary that refuses twice does so for a reason of its own,
// a login's default_transaction_read_only say, and a file that may not be written stays that.
func (r *Router) mayBePromoted(ctx context.Context, again bool) bool {
	if r.shared {
		return false
	}
	if !again {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, r.fresh.ProbeTimeout)
	defer cancel()
	probe, err := r.writer.Probe(ctx)
	if err != nil || !probe.Primary {
		return true
	}
	if probe.Server == "" {
		return false
	}
	_, moved := r.leads(ctx, probe) // the refusals may be another server's
	if moved {
		r.writerConns.retire()
	}
	return moved
}
