package router

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/ctxend"
)

// notSent says of a statement whose context ended before anything of it was sent which engine it waited for.
// Held is nil for a pool where transactions are not counted.
func notSent(ctx context.Context, e *binds.Engine, pool *sql.DB, held *holding, ended error) error {
	err := &NotSentError{Engine: e.Name(), Err: ended}
	s, inTx := pool.Stats(), 0
	if pool == e.DB() {
		s = e.Stats()
	}
	if held != nil {
		inTx = held.count(ctx)
	}
	if most := s.MaxOpenConnections; most > 0 && max(s.InUse, inTx) >= most {
		err.InUse, err.MaxOpen, err.InTx = most, most, min(inTx, most)
	}
	return err
}

// neverSent reports that err, with which a statement's context ended, came before anything was sent: from database/sql, which
// gives the context's error as it is, or from the connection, which says so.
func neverSent(err, ended error) bool {
	var unsent *binds.NotSentError
	var known *NotSentError
	return err == ended || errors.As(err, &unsent) || errors.As(err, &known)
}

// awaitNative waits until the Native pool has a connection, with which nobody tells what was sent on it: when the context has
// ended before, that is known here. Another caller may take the connection first.
func (c *Conn) awaitNative(ctx context.Context) error {
	e := c.router.writer
	if ended := ctxend.Err(ctx); ended != nil {
		return notSent(ctx, e, c.pool, nil, ended)
	}
	if s := c.pool.Stats(); s.MaxOpenConnections == 0 || s.InUse < s.MaxOpenConnections {
		return nil
	}
	waiting, began := ctx, time.Now()
	if _, bounded := ctx.Deadline(); !bounded && e.Pool().MaxWait > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, e.Pool().MaxWait)
		defer cancel()
	}
	conn, err := c.pool.Conn(waiting)
	switch {
	case err != nil && err == waiting.Err() && ctx.Err() == nil:
		c.router.stats.waits.Add(1)
		return notSent(ctx, e, c.pool, nil, &binds.PoolWaitError{Engine: e.Name(), MaxOpen: e.Pool().MaxOpen, Waited: time.Since(began)})
	case err == nil:
		_ = conn.Close() // it goes back to the pool
	case err == ctx.Err():
		return notSent(ctx, e, c.pool, nil, err)
	}
	return nil // what is wrong otherwise, the statement will tell
}

// check looks whether the session that c leads to has ended, before a statement whose outcome would else be unknown. Of a
// connection that has just come from the pool that is known.
func (c *watchedConn) check(reports bool) error {
	used := c.used
	c.used = true
	if !reports || !used {
		return nil
	}
	return c.ended()
}

// ended says that the session which c leads to has ended, as far as can be told.
func (c *watchedConn) ended() error {
	checker, ok := c.inner.(binds.ConnChecker)
	if !ok {
		return nil
	}
	if err := checker.CheckConn(); err != nil {
		return c.notSent(err)
	}
	return nil
}

// notSent names the engine of a statement of which nothing was sent.
func (c *watchedConn) notSent(err error) error {
	if c.notice.engine == nil {
		return err
	}
	var unsent *binds.NotSentError
	if errors.As(err, &unsent) {
		err = unsent.Err
	}
	if checker, ok := c.inner.(binds.ConnChecker); ok && err == driver.ErrBadConn {
		if why := checker.CheckConn(); why != nil {
			err = why
		}
	}
	return &NotSentError{Engine: c.notice.engine.Name(), Err: err}
}
