package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

// A RemovedBindError reports something that was begun on a bind which had been removed while the program ran. Nothing was sent.
type RemovedBindError struct{ Bind binds.Key }

func (e *RemovedBindError) Error() string {
	return fmt.Sprintf("router: the bind %q was removed: what began before that goes on, nothing new begins", e.Bind.String())
}

// removed resolves for a bind that was removed.
type removed struct{ router *Router }

func (r removed) ResolveConn(context.Context, bun.Query) bun.IConn {
	return &failedConn{err: &RemovedBindError{Bind: r.router.key}}
}

func (removed) Close() error { return nil }

// Refuse returns a resolver whose queries fail with err.
func Refuse(err error) bun.ConnResolver { return refusing{err} }

// refusing resolves for a bind that cannot be opened.
type refusing struct{ err error }

func (r refusing) ResolveConn(context.Context, bun.Query) bun.IConn { return &failedConn{err: r.err} }

func (refusing) Close() error { return nil }

// orRemoved tells of a statement that was on its way to its pool when the bind was removed: nothing was sent.
func (r *Router) orRemoved(err error) error {
	if errors.Is(err, errPoolClosed) && r.latest.Load() == nil && !r.suspended.Load() {
		return &RemovedBindError{Bind: r.key}
	}
	return err
}
