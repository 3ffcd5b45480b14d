package router

import (
	"context"

	"github.com/bindery-go/bindery/binds"
)

// InTransaction reports whether ctx carries a transaction of the bind with this key that has not
// ended. The empty key is the default bind.
func InTransaction(ctx context.Context, key binds.Key) bool {
	for l := scopeOf(ctx).tx; l != nil; l = l.next {
		r := l.tx.router
		if (r.key == key || key == "" && r.key == r.home.defaultBind) && !l.done.Load() {
			return true
		}
	}
	return false
}

// AllowCrossBind returns a context in which a transaction on one bind does not keep from writing to
// another. Such a write is no part of the transaction: it stays when the transaction is rolled back.
func AllowCrossBind(ctx context.Context) context.Context {
	return withScope(ctx, func(s *scope) { s.cross = true })
}

// OutsideTx returns a context that carries none of ctx's transactions: what is given it runs as if
// there were none, on other connections. It does not see what the transactions have written, and may
// wait for their locks for ever: SQLite has one connection that writes, and the transaction has it.
func OutsideTx(ctx context.Context) context.Context {
	if scopeOf(ctx).tx == nil {
		return ctx
	}
	return withScope(ctx, func(s *scope) { s.tx = nil })
}
