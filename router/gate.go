package router

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// Pool returns the pool for a bind's Bun DB: for what Bun does not route. It is the writer's own, but
// where that has a single connection, as SQLite's has, it is a pool in front of it: what goes past the
// router with a context that carries a transaction would wait for that connection, which the
// transaction has, and never get it. The pool in front sees the context first, and refuses. Gate returns that one, made by the function that it is given if
// there is none yet: it is good for the routers that take r's place, too, and the caller closes it, before the engines of the last.
func (r *Router) Pool(gate func(open func() *sql.DB) *sql.DB) *sql.DB {
	if r.writer.Pool().MaxOpen != 1 {
		return r.writer.DB()
	}
	l, key, d := r.line, r.key, r.writer.DB().Driver()
	pool := gate(func() *sql.DB {
		return openGate(d, func(context.Context) (*Router, error) {
			if latest := l.latest.Load(); latest != nil {
				return latest, nil
			}
			return nil, &RemovedBindError{Bind: key}
		})
	})
	r.UsePool(pool)
	return pool
}

// Front returns a pool that lends the connections of the writer of whatever router open returns, for a bind with [Config.Reopen]: it is good
// while the bind is suspended, which opens it again. Have each router of the bind know it by [Router.UsePool]. The caller closes it.
func (r *Router) Front(open func(context.Context) (*Router, error)) *sql.DB {
	return openGate(r.writer.DB().Driver(), open)
}

// UsePool makes known that Bun DBs of the bind are made of pool.
func (r *Router) UsePool(pool *sql.DB) { r.pools.Store(pool, true) }

func openGate(d driver.Driver, open func(context.Context) (*Router, error)) *sql.DB {
	pool := sql.OpenDB(&gate{open, d})
	pool.SetMaxIdleConns(-1) // what is idle belongs to the writer's pool
	return pool
}

// A gate borrows the connections of the writer's pool.
type gate struct {
	open   func(context.Context) (*Router, error)
	driver driver.Driver
}

func (g *gate) Connect(ctx context.Context) (driver.Conn, error) {
	for {
		r, err := g.open(ctx)
		if err != nil {
			return nil, err
		}
		if err := refusePast(scopeOf(ctx), r, nil); err != nil {
			return nil, err
		}
		lent, err := r.writer.DB().Conn(ctx)
		if err == nil {
			return borrow(lent), nil
		}
		if !r.closedUnder(err) || ctx.Err() != nil {
			return nil, err
		}
	}
}

func borrow(lent *sql.Conn) driver.Conn {
	var conn driver.Conn
	_ = lent.Raw(func(c any) error { // which has no error of its own
		conn = c.(driver.Conn)
		return nil
	})
	b := borrowed{preparing: conn.(preparing), lent: lent}
	execer, execs := conn.(driver.ExecerContext)
	queryer, queries := conn.(driver.QueryerContext)
	switch {
	case execs && queries:
		return struct {
			borrowed
			driver.ExecerContext
			driver.QueryerContext
		}{b, execer, queryer}
	case execs:
		return struct {
			borrowed
			driver.ExecerContext
		}{b, execer}
	case queries:
		return struct {
			borrowed
			driver.QueryerContext
		}{b, queryer}
	}
	return b
}

func (g *gate) Driver() driver.Driver { return g.driver }

// borrowed is a watched connection that goes back to the writer's pool when it is closed.
type borrowed struct {
	preparing
	lent *sql.Conn
}

// Close gives the connection back. The writer's pool looks whether it is still good.
func (b borrowed) Close() error { return b.lent.Close() }
