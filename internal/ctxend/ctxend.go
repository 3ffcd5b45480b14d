// Package ctxend tells whether a context's time is over, at the very moment.
package ctxend

import (
	"context"
	"time"
)

// Err returns ctx.Err(), and context.DeadlineExceeded already where the deadline has passed while ctx has yet to find that out:
// its timer and those of network connections that were given the same deadline fire in any order.
func Err(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
