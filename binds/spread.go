package binds

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"

	"github.com/bindery-go/bindery/internal/connwait"
)

// A SpreadPool is a pool over connections that belong to several engines. It is safe for concurrent use.
type SpreadPool struct {
	name      string
	connector driver.Connector
	db        *sql.DB
	queue     atomic.Pointer[connwait.Queue] // nil: it has no bound
}

// OpenPool opens a pool over connections that belong to several engines, as [Engine.BoundWait] has that of one, with all bounds of
// p. Its name is what its errors show. The caller closes it, before the engines.
func OpenPool(name string, c driver.Connector, p Pool) *SpreadPool {
	s := &SpreadPool{name: name, connector: c}
	s.db = sql.OpenDB(&spread{s})
	s.SetBounds(p)
	return s
}

// DB returns the pool. Close the SpreadPool, not this.
func (s *SpreadPool) DB() *sql.DB { return s.db }

// SetBounds has the pool have the bounds of p from now on, and closes what is idle. Connections in use do not count.
func (s *SpreadPool) SetBounds(p Pool) {
	p = p.WithDefaults()
	var q *connwait.Queue
	if p.MaxOpen > 0 {
		q = connwait.New(limitsOf(p, s.name))
		q.Serve(s.db)
	}
	p.bound(s.db, true)
	if before := s.queue.Swap(q); before != nil {
		before.Close() // who waits there waits in q
	}
	CloseIdle(s.db, p)
}

// Close closes the pool, and ends the waits.
func (s *SpreadPool) Close() error { return s.db.Close() }

// spread is a connector for a [SpreadPool].
type spread struct{ pool *SpreadPool }

func (c *spread) Connect(ctx context.Context) (driver.Conn, error) {
	for {
		q := c.pool.queue.Load()
		if q == nil {
			return c.pool.connector.Connect(ctx)
		}
		conn, err := q.Connect(ctx, c.pool.connector.Connect)
		var waited *PoolWaitError
		if err == nil || c.pool.queue.Load() == q || ctx.Err() != nil || errors.As(err, &waited) {
			return conn, err
		}
	}
}

func (c *spread) Driver() driver.Driver { return c.pool.connector.Driver() }

// Close ends the waits.
func (c *spread) Close() error {
	if q := c.pool.queue.Load(); q != nil {
		q.Close()
	}
	return nil
}
