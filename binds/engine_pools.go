package binds

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// pools are what callers hold of an engine, and of those that take its place: see [Succeeding].
type pools struct {
	now atomic.Pointer[Engine] // whose connections they make
	db  *sql.DB

	mu     sync.Mutex // guards the rest, and is held while bounds are changed
	native *sql.DB    // see Engine.Native; nil before it is used
	closed bool
}

// Succeeding opens the engine to take the place of before: it has the pools of that one, which make its connections once [Engine.TakeOver] is called, and
// until then those of before. So whoever holds a pool goes on with the new engine, and no pool is left behind. An engine that does not
// take over can be closed; one that was succeeded must be, and its pools stay open then. If before is nil, the engine takes nobody's place.
func Succeeding(before *Engine) OpenOption {
	return func(e *Engine) {
		if before != nil {
			e.pools = before.pools
		}
	}
}

// TakeOver has the pools make the engine's connections from now on, with its bounds. Who waits for one of the engine before waits for one of this one;
// connections that are idle are closed, and those in use do not count: whoever made them has them closed when they are given back. It must not
// be called at the same time as [Engine.Yield] or itself.
func (e *Engine) TakeOver() {
	before := e.pools.now.Swap(e)
	if before == e {
		return
	}
	for _, c := range []*connector{before.connector, before.nativeConnector} {
		var now driver.Connector = &pooled{e.pools, c.native, true}
		c.next.Store(&now) // for who holds the connector
	}
	if before.queue != nil {
		_ = before
	}
	e.pools.bound()
}

// bound puts the bounds of the engine of now on the pools, and closes what is idle.
func (p *pools) bound() {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.now.Load()
	e.pool.bound(p.db, e.queue != nil)
	CloseIdle(p.db, e.pool)
	if p.native != nil {
		e.pool.bound(p.native, false)
		CloseIdle(p.native, e.pool)
	}
}

// closeIdle closes what is idle.
func (p *pools) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	bounds := p.now.Load().pool
	CloseIdle(p.db, bounds)
	if p.native != nil {
		CloseIdle(p.native, bounds)
	}
}

// openNative opens the native pool, if it is not open.
func (p *pools) openNative() (*sql.DB, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.now.Load()
	switch {
	case p.closed:
		return nil, &OpenError{Engine: e.name, Err: errors.New("the engine is closed")}
	case p.native == nil:
		r := e.renew()
		_ = r.connectorOf(r.latest(), true) // it is closed with the engine, used or not
		p.native = e.pool.Open(&pooled{p, true, false})
	}
	return p.native, nil
}

// close closes the pools, if it is e that makes their connections, and the connectors of e.
func (p *pools) close(e *Engine) error {
	var open []*sql.DB
	p.mu.Lock()
	if p.now.Load() == e {
		p.closed = true
		open = append(open, p.db)
		if p.native != nil {
			open = append(open, p.native)
		}
	}
	p.mu.Unlock()
	var errs []error
	note := func(err error) {
		// That a connection was broken already is no news of closing it.
		if err != nil && !errors.Is(err, driver.ErrBadConn) {
			errs = append(errs, fmt.Errorf("binds: close %q: %w", e.name, err))
		}
	}
	for _, db := range open {
		note(db.Close())
	}
	if len(open) == 0 {
		note(e.closeConnectors(false))
		note(e.closeConnectors(true))
	}
	return errors.Join(errs...)
}

// closeConnectors ends the waits for connections of one kind, and closes what makes them.
func (e *Engine) closeConnectors(native bool) error {
	if !native && e.queue != nil {
		e.queue.Close()
	}
	return e.renew().closeConnectors(native)
}

// pooled makes the connections of pools: those of the engine of now.
type pooled struct {
	pools  *pools
	native bool
	apart  bool // they are for somebody else's pool, and wait for no place in this one
}

func (c *pooled) Connect(ctx context.Context) (driver.Conn, error) {
	for {
		e := c.pools.now.Load()
		conn, err := c.connect(ctx, e)
		var waited *PoolWaitError
		if err == nil || c.pools.now.Load() == e || ctx.Err() != nil || errors.As(err, &waited) {
			return conn, err
		}
	}
}

func (c *pooled) connect(ctx context.Context, e *Engine) (driver.Conn, error) {
	switch {
	case c.native:
		return e.nativeConnector.Connect(ctx)
	case c.apart, e.queue == nil:
		return e.connector.Connect(ctx)
	}
	return e.queue.Connect(ctx, func(ctx context.Context) (driver.Conn, error) {
		if c.pools.now.Load() != e {
			return nil, errSucceeded
		}
		return e.connector.Connect(ctx)
	})
}

// errSucceeded sends who has waited for a connection to the engine that has taken over.
var errSucceeded = errors.New("binds: the engine was succeeded")

func (c *pooled) Driver() driver.Driver {
	if c.native {
		return c.pools.now.Load().nativeConnector.Driver()
	}
	return c.pools.now.Load().connector.Driver()
}

// Close is what sql.DB.Close calls at its end.
func (c *pooled) Close() error { return c.pools.now.Load().closeConnectors(c.native) }
