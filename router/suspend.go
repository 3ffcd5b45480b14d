package router

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/bindery-go/bindery/binds"
)

// Suspend ends the routing of a bind that has [Config.Reopen], and reports true, unless a connection of its engines is in use or is being made: then it
// does nothing; used says so of what else has connections of them. Force asks nobody. Close the router and its engines after it. What comes from then on, on Bun DBs with the router's resolvers too, waits for the
// router that Reopen returns. That must be one with [Config.Succeeds]: sessions, tokens and counts go on with it.
func (r *Router) Suspend(force bool, used func() bool) bool {
	if r.reopen == nil || !r.latest.CompareAndSwap(r, nil) {
		return false
	}
	if !force && (r.inUse() || used()) {
		r.latest.Store(r)
		return false
	}
	r.suspended.Store(true)
	return true
}

// inUse reports whether anybody has a connection of a pool, waits for one, or makes one.
func (r *Router) inUse() bool {
	used := func(e *binds.Engine) bool { return e.DB().Stats().InUse > 0 }
	if used(r.writer) {
		return true
	}
	for _, reader := range r.readers {
		if used(reader.engine) {
			return true
		}
	}
	e := r.cautious.engine.Load()
	return e != nil && used(e)
}

// errPoolClosed is what database/sql says of a pool that is closed. Nothing was sent.
var errPoolClosed = func() error {
	db := sql.OpenDB(failedConnector{driver.ErrBadConn})
	_ = db.Close() // it holds nothing
	return db.PingContext(context.Background())
}()

// closedUnder reports whether err is that of a statement which was on its way to an engine when the bind was suspended. Nothing was sent.
func (r *Router) closedUnder(err error) bool {
	var connect *binds.ConnectError
	return r.suspended.Load() && (errors.Is(err, errPoolClosed) || errors.As(err, &connect))
}

// reopened returns where a statement goes that failed with err because the bind was suspended while it was on its way, nil if that is not so, or it
// has no way: then with the reason.
func (c *Conn) reopened(ctx context.Context, err error) (*Conn, error) {
	r := c.router
	if r.reopen == nil || c.mode == fixed || c.pool != nil || c.only != nil || !r.closedUnder(err) {
		return nil, err
	}
	next, err := r.reopen(ctx)
	if err != nil {
		return nil, err
	}
	like := next.like(&resolver{unknown: *c})
	if c.writes {
		return &like.write, nil
	}
	return &like.unknown, nil
}
