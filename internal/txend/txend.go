// Package txend lets packages that do not know each other use the transaction that a context carries.
package txend

import (
	"context"
	"database/sql"
)

// A Tx is a transaction that a context carries, with all others that it carries. Its methods report false
// if statements built on pool join none of them.
type Tx interface {
	// Joins reports whether they join one.
	Joins(pool *sql.DB) bool
	// AfterCommit has call run once that transaction has committed, and never if it is rolled back, alone
	// or with one around it.
	AfterCommit(pool *sql.DB, call func(context.Context)) bool
	// Nest runs fn in a savepoint of it, which is undone alone if fn fails.
	Nest(ctx context.Context, pool *sql.DB, fn func(context.Context) error) (joined bool, err error)
}

type key struct{}

// With returns a context that carries t.
func With(ctx context.Context, t Tx) context.Context { return context.WithValue(ctx, key{}, t) }

// Joins asks the Tx that ctx carries; it reports false if there is none. So do the others.
func Joins(ctx context.Context, pool *sql.DB) bool {
	t, ok := ctx.Value(key{}).(Tx)
	return ok && t.Joins(pool)
}

// AfterCommit asks the Tx that ctx carries.
func AfterCommit(ctx context.Context, pool *sql.DB, call func(context.Context)) bool {
	t, ok := ctx.Value(key{}).(Tx)
	return ok && t.AfterCommit(pool, call)
}

// Nest asks the Tx that ctx carries.
func Nest(ctx context.Context, pool *sql.DB, fn func(context.Context) error) (joined bool, err error) {
	t, ok := ctx.Value(key{}).(Tx)
	if !ok {
		return false, nil
	}
	return t.Nest(ctx, pool, fn)
}
