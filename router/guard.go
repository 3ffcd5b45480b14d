package router

import (
	"context"
	"reflect"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/bunlayout"
)

// Guard returns a hook for the bind's Bun DBs that refuses, with a [*WrongBindError] and before anything is
// sent, what Bun sends past the router although it belongs to another bind: builders of a bun.Tx or
// a bun.Conn whose models live there, and builders of another bind among the arguments of ExecContext
// and QueryContext. What goes by the router is checked without it. Add it as the last hook: one behind it that replaces
// the context undoes it. With a hook, Bun allocates an event for each query.
//
// It does not see the connection that a query is given by Conn: that belongs to the query's own bind.
func (r *Router) Guard() bun.QueryHook { return guard{r, r.CheckQuery} }

// GuardPlaced is [Router.Guard] for a Bun DB with [Router.Placed].
func (r *Router) GuardPlaced() bun.QueryHook { return guard{r, r.CheckPlaced} }

type guard struct {
	router *Router
	query  func(bun.Query) error
}

// BeforeQuery returns a context that has ended, with the reason as its error, for what is refused: Bun's
// hooks have no other way to stop a query.
func (g guard) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if err := g.check(e); err != nil {
		return refusedContext{Context: ctx, err: err}
	}
	return ctx
}

// AfterQuery does nothing.
func (guard) AfterQuery(context.Context, *bun.QueryEvent) {}

func (g guard) check(e *bun.QueryEvent) error {
	switch {
	case e.IQuery == nil:
		return bunlayout.NestedIn(e.DB, e.QueryArgs, func(part bun.Query, beside reflect.Type) error {
			return g.router.checkPart(part, e.DB, beside)
		})
	case bunlayout.HasConn(e.IQuery):
		return g.query(e.IQuery)
	}
	return nil // the resolver checks it
}

// refusedContext has ended with err.
type refusedContext struct {
	context.Context
	err error
}

var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (refusedContext) Done() <-chan struct{} { return ended }

func (c refusedContext) Err() error { return c.err }
