package replication

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/bench/internal/peers"
)

// stickFor is how long a session stays on the primary after a write: what Rails' DatabaseSelector has by
// default, and Laravel's, GitLab's and others' rules come to.
const stickFor = 2 * time.Second

// A sticker sends a session's reads to the primary for [stickFor] after it wrote, and to the replicas in
// turn at other times. It is what an application puts between Bun and its replicas by itself.
type sticker struct {
	replicas []*sql.DB
	next     atomic.Uint64
}

var _ bun.ConnResolver = (*sticker)(nil)

// stuck is a session's memory: until when it stays on the primary.
type stuck struct{ until atomic.Pointer[time.Time] }

type stuckKey struct{}

// newStuck returns a context with a session's memory in it.
func newStuck(ctx context.Context) context.Context {
	return context.WithValue(ctx, stuckKey{}, new(stuck))
}

// ResolveConn returns nil, which means Bun's own pool, for the primary.
func (s *sticker) ResolveConn(ctx context.Context, query bun.Query) bun.IConn {
	session, _ := ctx.Value(stuckKey{}).(*stuck)
	if !bun.IsReadOnlyQuery(query) {
		if session != nil {
			until := time.Now().Add(stickFor)
			session.until.Store(&until)
		}
		return nil
	}
	if session != nil {
		if until := session.until.Load(); until != nil && time.Now().Before(*until) {
			return nil
		}
	}
	return s.replicas[s.next.Add(1)%uint64(len(s.replicas))]
}

// Close closes the replicas' pools.
func (s *sticker) Close() error {
	var errs []error
	for _, db := range s.replicas {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

func openSticky(c peers.Cluster, maxOpen int) (store, error) {
	d, err := bunDialect(c.Dialect)
	if err != nil {
		return nil, err
	}
	open := func(s peers.Server) *sql.DB {
		db := sql.OpenDB(s.Connect())
		db.SetMaxOpenConns(maxOpen)
		db.SetMaxIdleConns(maxOpen)
		return db
	}
	s := new(sticker)
	for _, r := range c.Replicas {
		s.replicas = append(s.replicas, open(r))
	}
	return peers.OnBun(bun.NewDB(open(c.Primary), d, bun.WithConnResolver(s))), nil
}

func bunDialect(name dialect.Name) (schema.Dialect, error) {
	switch name {
	case dialect.PG:
		return pgdialect.New(), nil
	case dialect.MySQL:
		return mysqldialect.New(), nil
	}
	return nil, fmt.Errorf("replication: no dialect for %s", name)
}
