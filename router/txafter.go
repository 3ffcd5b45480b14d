package router

import (
	"context"
	"database/sql"
	"sync"

	"github.com/bindery-go/bindery/internal/txend"
)

// AfterCommit has call run once the transaction of the bind that ctx carries has committed, in the order
// of the calls and before InTx returns, with the context that InTx was given: it is outside. It never runs
// if the transaction is rolled back, alone or with one around it, or if its outcome is unknown. A nested transaction that has
// ended is part of the one around it: with its context call waits for that. Where ctx
// carries no transaction of the bind, or one that has committed, call runs at once, outside. Several goroutines may use it.
// A nil call is none.
//
// What must not be lost with the process belongs into a table, in the same transaction.
func AfterCommit(ctx context.Context, b Routed, call func(ctx context.Context)) {
	switch l := scopeOf(ctx).tx.of(b.Router()); {
	case call == nil:
	case l == nil:
		call(ctx)
	case !l.await(call):
		call(withScope(ctx, func(s *scope) { s.tx = s.tx.firstOpen() }))
	}
}

// await lets a call wait for l, or for the level around it that has taken over what waited for l. It reports false if the
// transaction has committed.
func (l *txLevel) await(call func(context.Context)) bool {
	for ; l != nil; l = l.outer {
		if l.committed.wait(call) {
			return true
		}
	}
	return false
}

// A txLevel is a txend.Tx, for packages that know the pool of a statement and not its bind.
var _ txend.Tx = (*txLevel)(nil)

// joined returns the level that a statement built on pool joins, nil if there is none.
func (l *txLevel) joined(pool *sql.DB) *txLevel {
	for ; l != nil; l = l.next {
		if l.tx.router.uses(pool) {
			return l
		}
	}
	return nil
}

func (l *txLevel) Joins(pool *sql.DB) bool { return l.joined(pool) != nil }

func (l *txLevel) AfterCommit(pool *sql.DB, call func(context.Context)) bool {
	l = l.joined(pool)
	return l != nil && l.await(call)
}

func (l *txLevel) Nest(ctx context.Context, pool *sql.DB, fn func(context.Context) error) (joined bool, err error) {
	if l = l.joined(pool); l == nil {
		return false, nil
	}
	return true, l.tx.router.InTx(ctx, TxOptions{}, fn)
}

// uses reports whether pool is one that the bind's Bun DBs are made of.
func (l *line) uses(pool *sql.DB) bool {
	_, known := l.pools.Load(pool)
	return known
}

// calls wait for the end of a transaction or savepoint. The zero value is ready.
type calls struct {
	mu    sync.Mutex // guards the rest
	list  []func(context.Context)
	ended bool
}

// wait adds a call; it reports false if there is nothing to wait for any more.
func (c *calls) wait(call func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.list = append(c.list, call)
	return true
}

// end returns the calls that waited, in order.
func (c *calls) end() []func(context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list, c.ended = nil, true
	return list
}

// succeeded runs what waited for l with ctx, or lets it wait for the level around it.
func (l *txLevel) succeeded(ctx context.Context) {
	for _, call := range l.committed.end() {
		if !l.outer.await(call) {
			call(ctx)
		}
	}
}
