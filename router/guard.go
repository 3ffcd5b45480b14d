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
// and QueryContext. What goes by the router is checked without it. With a hook, Bun allocates an event for each
// query.
func (r *Router) Guard() bun.QueryHook { return guard{r} }

type guard struct{ router *Router }

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
	r := g.router
	if e.IQuery == nil {
		return bunlayout.NestedIn(e.QueryArgs, r.checkPart)
	}
	if !bunlayout.HasConn(e.IQuery) {
		return nil // the resolver checks it
	}
	m, ok := e.IQuery.GetModel().(bun.TableModel)
	if ok && !r.home.isHot(m.Table()) {
		if err := r.checkHome(m.Table().Type); err != nil {
			return err
		}
	}
	if bunlayout.Nests(e.IQuery, m) {
		return r.checkParts(e.IQuery)
	}
	return nil
}

// checkHome is [Router.CheckModel], but lets Bun's own notes of migrations live in every bind.
func (r *Router) checkHome(t reflect.Type) error {
	if t.PkgPath() == migratePackage {
		return nil
	}
	return r.CheckModel(t)
}

const migratePackage = "github.com/uptrace/bun/migrate"

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
