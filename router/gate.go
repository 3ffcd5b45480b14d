package router

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/bindery-go/bindery/binds"
)

// Pool returns the pool for a bind's Bun DB: for what Bun does not route. It is the writer's own, but
// where that has a single connection, as SQLite's has, it is a pool in front of it: what goes past the
// router with a context that carries a transaction would wait for that connection, which the
// transaction has, and never get it. The pool in front sees the context first, and refuses.
//
// Close is the caller's to call before the engine's; it does nothing to the writer's own pool.
func (r *Router) Pool() (pool *sql.DB, closer func() error) {
	if r.writer.Pool().MaxOpen != 1 {
		return r.writer.DB(), func() error { return nil }
	}
	pool = sql.OpenDB(&gate{r.key, r.line, r.writer.DB().Driver()})
	r.pools.Store(pool, true)
	pool.SetMaxIdleConns(-1) // what is idle belongs to the writer's pool
	return pool, pool.Close
}

// A gate borrows the connections of the writer's pool.
type gate struct {
	key    binds.Key
	line   *line
	driver driver.Driver
}

func (g *gate) Connect(ctx context.Context) (driver.Conn, error) {
	r := g.line.latest.Load()
	if r == nil {
		return nil, &RemovedBindError{Bind: g.key}
	}
	if err := refusePast(scopeOf(ctx), r, nil); err != nil {
		return nil, err
	}
	lent, err := r.writer.DB().Conn(ctx)
	if err != nil {
		return nil, err
	}
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
		}{b, execer, queryer}, nil
	case execs:
		return struct {
			borrowed
			driver.ExecerContext
		}{b, execer}, nil
	case queries:
		return struct {
			borrowed
			driver.QueryerContext
		}{b, queryer}, nil
	}
	return b, nil
}

func (g *gate) Driver() driver.Driver { return g.driver }

// borrowed is a watched connection that goes back to the writer's pool when it is closed.
type borrowed struct {
	preparing
	lent *sql.Conn
}

// Close gives the connection back. The writer's pool looks whether it is still good.
func (b borrowed) Close() error { return b.lent.Close() }
