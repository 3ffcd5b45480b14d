package manager

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// pool returns the pool of the bind's Bun DBs, for what Bun does not route.
func (t *tenant) pool(b *Bind) *sql.DB {
	s, key := t.set, t.key // and not t
	pool := t.fronts.openWriter(func() *sql.DB {
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
		return b.connectReader(ctx)
	}}
	return t.fronts.openReader(t.key.String()+"/readers", c, bounds)
}

// nativePool returns the pool of [Bind.Native].
func (t *tenant) nativePool(b *Bind) *sql.DB {
	c := tenantConnector{t.set, t.key, b.writer.Connector().Driver(), func(ctx context.Context, b *Bind) (driver.Conn, error) {
		return b.writer.NativeConnector().Connect(ctx)
	}}
	return t.fronts.openNative(c, b.writer.Pool())
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
