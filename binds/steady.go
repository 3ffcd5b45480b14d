package binds

import (
	"context"
	"database/sql/driver"
	"time"
)

// A connection that breaks under a statement tells nothing of who is to blame: the statement, which may be too large for
// the server, or may crash it, or the server and the way to it. Whether another connection broke with it does.

// steadyFor is how long the connection for probes must have been well. Who asks may be late to hear of a break, and that
// connection be a new one by then.
const steadyFor = 2 * time.Second

// Steady reports whether the server is well and the way to it is, as far as the connection tells that is kept for
// [Engine.Probe]: it answers before ctx ends, and none has broken within the last two seconds. What broke another
// connection a moment ago was then a matter of that one. Where there is no such connection yet, one is made.
func (e *Engine) Steady(ctx context.Context) bool {
	steady := false
	err := e.probe.use(ctx, e.connector, e.probe.keep.Load(), func(driver.Conn) error {
		steady = time.Since(e.probe.broke) > steadyFor
		return e.probe.ping(ctx)
	})
	return err == nil && steady
}

// ping asks for a sign of life. The turn must be held.
func (p *prober) ping(ctx context.Context) error {
	if by, ok := p.conn.(driver.Pinger); ok {
		return by.Ping(ctx)
	}
	_, err := AskConn(p.conn)(ctx, "SELECT 1")
	return err
}
