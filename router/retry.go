package router

import (
	"context"
	"slices"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// unsent reports whether a read failed before its reader saw it, while its caller still waits: then
// another engine may serve it. It notes the failure with the reader.
func (c *Conn) unsent(ctx context.Context, reader *Reader, err error) bool {
	if ctx.Err() != nil || reader.engine.Classify(err) != binds.NotSent {
		return false
	}
	reader.failed()
	return true
}

// retry runs a read that its first reader never saw on the other readers in turn, and at last on
// the writer, which a bind with fallback = "none" and its Reader() do without. It is off the hot
// path and may allocate.
func retry[T any](c *Conn, s *scope, failed *Reader, reason Reason, query string, err error, run func(*binds.Engine) (T, error)) (T, error) {
	r := c.router
	left := slices.DeleteFunc(slices.Clone(r.readers), func(o *Reader) bool { return o == failed })
	for {
		r.logger.Warn("reader cannot be reached", "engine", failed.Name(), "error", err)
		if len(left) == 0 {
			break
		}
		next := r.policy.Pick(left)
		start := next.begin()
		res, nextErr := run(next.engine)
		if nextErr == nil || next.engine.Classify(nextErr) != binds.NotSent {
			next.end(start)
			c.note(s, next, sqlkind.Read, reason, query)
			return res, nextErr
		}
		next.failed()
		failed, err = next, nextErr
		left = slices.DeleteFunc(left, func(o *Reader) bool { return o == next })
	}
	if c.mode == readerOnly || r.strict {
		var none T
		return none, &NoReaderError{Bind: r.key, Err: err}
	}
	c.note(s, nil, sqlkind.Read, ReadersDown, query)
	return run(r.writer)
}
