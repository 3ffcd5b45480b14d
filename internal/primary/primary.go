// Package primary lets packages that do not know a router ask for reads that see the newest state.
package primary

import (
	"context"
	"sync/atomic"
)

var reads atomic.Pointer[func(context.Context) context.Context]

// ReadBy makes on what [Reads] does. A router calls it when its package is linked.
func ReadBy(on func(context.Context) context.Context) { reads.Store(&on) }

// Reads returns a context whose reads go to the primary where a router spreads them, else ctx.
func Reads(ctx context.Context) context.Context {
	if on := reads.Load(); on != nil {
		return (*on)(ctx)
	}
	return ctx
}
