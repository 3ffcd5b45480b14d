package manager

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"sync"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// fronts are the pools that a tenant's Bun DBs are made of. They stay open while the tenant is closed, without a connection, and what they are
// asked for then opens it. So a Bun DB that a program holds is good for as long as it holds it. Nothing in them leads to the tenant,
// which can be forgotten; then they are closed.
type fronts struct {
	mu                     sync.Mutex // guards the rest
	writer, reader, native front
	closed                 bool
}

// A front is one pool of them. The zero value is not open.
type front struct {
	db     *sql.DB
	bounds binds.Pool
}

// open returns the pool in at, which make opens if it is not open.
func (f *fronts) open(at *front, bounds binds.Pool, make func() *sql.DB) *sql.DB {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.db == nil {
		*at = front{make(), bounds}
		if f.closed {
			_ = at.db.Close() // it is empty
		}
	}
	return at.db
}

// opened returns those that are open.
func (f *fronts) opened(all ...*front) (opened []front) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range all {
		if one.db != nil {
			opened = append(opened, *one)
		}
	}
	return opened
}

// inUse reports whether anybody has a connection of theirs, or waits for one.
func (f *fronts) inUse() bool {
	return slices.ContainsFunc(f.opened(&f.writer, &f.reader, &f.native), func(one front) bool { return one.db.Stats().InUse > 0 })
}

// closeIdle closes the idle connections. The pool of the writer has none.
func (f *fronts) closeIdle() {
	for _, one := range f.opened(&f.reader, &f.native) {
		binds.CloseIdle(one.db, one.bounds)
	}
}

func (f *fronts) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	for _, one := range f.opened(&f.writer, &f.reader, &f.native) {
		_ = one.db.Close() // what they hold is closed with the engines, which tell
	}
}

// pool returns the pool of the bind's Bun DBs, for what Bun does not route.
func (t *tenant) pool(b *Bind) *sql.DB {
	s, key := t.set, t.key // and not t
	pool := t.fronts.open(&t.fronts.writer, b.writer.Pool(), func() *sql.DB {
		return b.router.Front(func(ctx context.Context) (*router.Router, error) {
			b, err := s.use(ctx, key)
			if err != nil {
				return nil, err
			}
			return b.router, nil
		})
	})
	b.router.UsePool(pool)
	return pool
}

// readerPool returns the pool of [Bind.Reader].
func (t *tenant) readerPool(b *Bind) *sql.DB {
	bounds := b.writer.Pool()
	if len(b.readers) > 0 {
		bounds = b.readers[0].Pool()
	}
	c := tenantConnector{t.set, t.key, b.writer.Connector().Driver(), func(ctx context.Context, b *Bind) (driver.Conn, error) {
		return (&presentReader{b}).connect(ctx, b)
	}}
	return t.fronts.open(&t.fronts.reader, bounds, func() *sql.DB { return binds.OpenPool(t.key.String()+"/readers", c, bounds) })
}

// nativePool returns the pool of [Bind.Native].
func (t *tenant) nativePool(b *Bind) *sql.DB {
	bounds := b.writer.Pool()
	c := tenantConnector{t.set, t.key, b.writer.Connector().Driver(), func(ctx context.Context, b *Bind) (driver.Conn, error) {
		return b.writer.NativeConnector().Connect(ctx)
	}}
	return t.fronts.open(&t.fronts.native, bounds, func() *sql.DB { return bounds.Open(c) })
}

// A tenantConnector makes the connections of whatever the tenant's bind is by then, and opens it if it is closed.
type tenantConnector struct {
	set    *tenants
	key    binds.Key
	driver driver.Driver
	by     func(context.Context, *Bind) (driver.Conn, error)
}

func (c tenantConnector) Connect(ctx context.Context) (driver.Conn, error) {
	b, err := c.set.use(ctx, c.key)
	if err != nil {
		return nil, err
	}
	return c.by(ctx, b)
}

func (c tenantConnector) Driver() driver.Driver { return c.driver }

// A tenantResolver resolves as the tenant's bind does by then, and opens it if it is closed.
type tenantResolver struct {
	tenant *tenant
	of     func(*Bind) bun.ConnResolver
}

func (r *tenantResolver) ResolveConn(ctx context.Context, query bun.Query) bun.IConn {
	b := r.tenant.current.Load()
	if b == nil {
		var err error
		if b, err = r.tenant.use(ctx); err != nil {
			return router.Refuse(err).ResolveConn(ctx, query)
		}
	}
	r.tenant.touch()
	return r.of(b).ResolveConn(ctx, query)
}

func (r *tenantResolver) Close() error { return nil }

func (b *Bind) readOnlyInUse() bool {
	e := b.onlyReader.Load()
	return e != nil && e.DB().Stats().InUse > 0
}
