package router

import (
	"context"
	"database/sql/driver"
	"slices"

	"github.com/bindery-go/bindery/internal/ctxend"
)

// ConnectReader makes a new connection to the reader that the policy picks, or to another one if
// that cannot be reached. The error is a [*NoReaderError]. The caller closes the connection.
func (r *Router) ConnectReader(ctx context.Context) (driver.Conn, error) {
	var last error
	left := slices.Clone(r.Readers())
	if left = slices.DeleteFunc(left, (*Reader).Drained); len(left) == 0 && len(r.Readers()) > 0 {
		last = ErrDrained
	}
	for len(left) > 0 && ctxend.Err(ctx) == nil {
		next := r.policy.Pick(left)
		conn, err := next.engine.Connector().Connect(ctx)
		if err == nil {
			return conn, nil
		}
		last = err
		left = slices.DeleteFunc(left, func(o *Reader) bool { return o == next })
	}
	if err := ctxend.Err(ctx); err != nil {
		return nil, err
	}
	return nil, &NoReaderError{Bind: r.key, Err: last}
}
