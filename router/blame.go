package router

import (
	"context"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// evidenceTimeout bounds the look for who is to blame for a broken connection. A server that takes longer is not well.
const evidenceTimeout = 100 * time.Millisecond

// alone reports that no other connection to an engine's server broke with that of a statement: it was the statement's
// own doing, or an administrator's with its session, and no fault of the server or the way to it.
func (r *Router) alone(ctx context.Context, e *binds.Engine) bool {
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	if r.monitor == nil { // nothing is kept for probes
		return e.Ping(ctx) == nil
	}
	return e.Steady(ctx)
}
