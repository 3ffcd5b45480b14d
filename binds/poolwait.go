package binds

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/internal/connwait"
)

// PoolWaitError reports a caller that has waited for a connection for as long as [Pool.MaxWait] allows. Nothing was sent.
type PoolWaitError struct {
	Engine  string        // whose connections they are
	MaxOpen int           // all of them were in use
	Waited  time.Duration // for one of them
}

func (e *PoolWaitError) Error() string {
	return fmt.Sprintf("binds: none of the %d connections of %q was free within %v: give the context a deadline to say how long it may wait, "+
		"make transactions and statements shorter, or raise max_open or max_wait", e.MaxOpen, e.Engine, e.Waited.Round(time.Millisecond))
}

// BoundWait bounds how long callers of the engine's pool wait for a connection, by [Pool.MaxWait], first come, first served.
// The connections that the function of [Engine.OnConnect] returns must be of the kind that package internal/connwait passes on: it
// is for the router. It must be called before the engine is used. From then on the pool's own sql.DBStats tell of no
// bound and no waits; [Engine.Stats] does.
func (e *Engine) BoundWait() {
	if e.pool.MaxOpen <= 0 {
		return
	}
	e.queue = connwait.New(limitsOf(e.pool, e.name))
	e.queue.Serve(e.DB())
	if e.pools.now.Load() == e {
		e.DB().SetMaxOpenConns(0)
	}
}

func limitsOf(p Pool, name string) connwait.Limits {
	return connwait.Limits{
		MaxOpen: p.MaxOpen, MaxLifetime: p.MaxLifetime, MaxWait: p.MaxWait,
		Refused: func(waited time.Duration) error {
			return &PoolWaitError{Engine: name, MaxOpen: p.MaxOpen, Waited: waited}
		},
		Closed: &ConnectError{Engine: name, Err: errors.New("the engine is closed")},
	}
}

// Stats returns the statistics of the engine's pool, with the bounds in force and those who wait.
func (e *Engine) Stats() sql.DBStats {
	s := e.DB().Stats()
	if e.queue == nil {
		return s
	}
	q := e.queue.Stats()
	s.MaxOpenConnections = e.pool.MaxOpen
	s.WaitCount, s.WaitDuration = q.Waits, q.Waited
	s.OpenConnections = max(s.OpenConnections-q.Waiting, 0) // who waits counts as a connection there
	s.InUse = max(s.InUse-q.Waiting, 0)
	return s
}

// Waits counts those who wait for a connection of the engine's pool now, and those who got a [*PoolWaitError] since it was opened.
func (e *Engine) Waits() (waiting int, refused uint64) {
	if e.queue == nil {
		return 0, 0
	}
	s := e.queue.Stats()
	return s.Waiting, s.Refusals
}
