package router

import (
	"context"
	"database/sql/driver"
	"errors"

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
		router: r,
		reads:  true,
		saw:    func(s *Session) { s.on(r).saw(reader.lease.Load(), r.moment()) },
		conns:  &reader.conns,
		proven: true,
	}
	reader.engine.LimitConnect(r.fresh.ProbeTimeout)
	reader.engine.OnConnect(func(ctx context.Context, conn driver.Conn) (driver.Conn, error) {
		age := n.age()
		if positions {
			if err := r.prove(ctx, reader, by, conn); err != nil {
				_ = conn.Close() // the reason to close it is the error to tell
				return nil, err
			}
		}
		return n.watch(conn, age), nil
	})
}

func (r *Router) prove(ctx context.Context, reader *Reader, by binds.Positioner, conn driver.Conn) error {
	claim := reader.claim.Load()
	if claim == nil || claim.server == "" || claim.balanced {
		return nil // nothing is promised of it
	}
	probe, err := by.Probe(ctx, binds.AskConn(conn))
	switch {
	case err != nil:
		return err
	case probe.Server != claim.server:
		r.monitor.moved(reader, claim, probe.Server)
		return errMoved
	case claim.proven != nil && (probe.Position == nil || !probe.Position.Covers(claim.proven)):
		r.monitor.moved(reader, claim, probe.Server)
		return errMoved
	}
	return nil
}

// watchWrites lets the writer's connections report writes, whichever way they came, and say of one
// whose answer did not come that its outcome is unknown.
func (r *Router) watchWrites() {
	n := &notice{
		router:    r,
		plainRead: r.isRead,
		wrote:     r.wrote,
		saw:       func(s *Session) { s.on(r).saw(&r.writerLease, r.moment()) },
		unsure:    r.unsure,
		conns:     &r.writerConns,
	}
	by, positions := r.writer.Driver().(binds.Positioner)
	r.writer.OnConnect(func(ctx context.Context, conn driver.Conn) (driver.Conn, error) {
		age := n.age()
		if positions && r.monitor != nil {
			r.checkWriter(ctx, by, conn)
		}
		return n.watch(conn, age), nil
	})
}

// checkWriter looks whether a new connection of the writer leads to the server that the monitor asks.
// Where the address has moved while the server before is still up, the monitor would go on asking
// that one, and writes on the new one would be unknown to it.
func (r *Router) checkWriter(ctx context.Context, by binds.Positioner, conn driver.Conn) {
	last, ok, _ := r.monitor.lastSample()
	if !ok {
		return
	}
	probe, err := by.Probe(ctx, binds.AskConn(conn))
	if err == nil && probe.Server != last.probe.Server {
		r.monitor.writerMoved()
	}
}

// demoted is called when the writer's server refuses to write: its connections are not used again,
// since the address may lead to another server by now, and its role is looked at.
func (r *Router) demoted() {
	r.logger.Warn("writer refuses writes: its connections are replaced", "engine", r.writer.Name())
	r.writerConns.retire()
	if r.monitor != nil {
		r.monitor.want()
	}
}
