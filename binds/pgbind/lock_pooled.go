package pgbind

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// A pooledLock is a lock through a pooler that may give each transaction another session, where a session's lock would
// be granted to all who come to that session, and stay in it. It is the lock of a transaction that stays open for as
// long as the lock is held: a pooler leaves that its session, and ends the session if its client goes. It keeps out,
// and is kept out by, the locks of sessions (manual section 13.3.5).
//
// An open transaction that has read committed data and has no number holds up no vacuum. So the fence, which is a
// transaction's number, is drawn on another connection.
type pooledLock struct {
	*lock
	connector *connector
}

// fenceTimeout bounds the wait for a pooler's second connection.
const fenceTimeout = 5 * time.Second

func (l *pooledLock) Acquire(ctx context.Context, wait time.Duration) (bool, error) {
	if err := l.begin(ctx); err != nil {
		return false, err
	}
	got, err := l.attempt(ctx, wait)
	if err == nil && !got {
		_, err = l.conn.ExecContext(ctx, "ROLLBACK", nil)
	}
	if err != nil || !got {
		return false, err
	}
	return true, l.drawElsewhere(ctx)
}

// begin opens the transaction. It sees what others commit while it is open, so that no old snapshot is kept.
func (l *pooledLock) begin(ctx context.Context) error {
	var err error
	if l.conn.wire.status != statusIdle { // the attempt before failed
		_, err = l.conn.ExecContext(ctx, "ROLLBACK", nil)
	}
	if err == nil {
		_, err = l.conn.ExecContext(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", nil)
	}
	if err != nil && ctx.Err() == nil { // PgBouncer that pools statements ends a connection that begins a transaction
		return &PoolerError{Pooler: l.conn.wire.poolerName(l.conn.wire.pooling), Need: "a named lock", Err: err}
	}
	if err == nil {
		_, err = l.ask(ctx, l.preparation())
	}
	return err
}

func (l *pooledLock) attempt(ctx context.Context, wait time.Duration) (bool, error) {
	call := fmt.Sprintf("pg_try_advisory_xact_lock(%d)", l.key)
	if wait > 0 {
		if l.most > 0 {
			wait = min(wait, l.most)
		}
		limit := max(wait.Truncate(time.Millisecond), time.Millisecond)
		if _, err := l.conn.ExecContext(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", limit.Milliseconds()), nil); err != nil {
			return false, err
		}
		call = fmt.Sprintf("(SELECT true FROM pg_advisory_xact_lock(%d))", l.key)
	}
	return l.grant(l.ask(ctx, "SELECT CASE WHEN NOT pg_is_in_recovery() THEN "+call+" END"))
}

func (l *pooledLock) drawElsewhere(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fenceTimeout)
	defer cancel()
	c, err := l.connector.Connect(ctx)
	if err != nil {
		return fmt.Errorf("pgbind: a lock through a pooler takes two of its connections for a moment: %w", err)
	}
	defer func() { _ = c.Close() }() // the fence is drawn
	if err := l.draw(ctx, binds.AskConn(c)); err != nil {
		return fmt.Errorf("pgbind: a lock through a pooler takes two of its connections for a moment: %w", err)
	}
	return nil
}

// Release ends the transaction, and so the lock.
func (l *pooledLock) Release(ctx context.Context) (bool, error) {
	_, err := l.Check(ctx)
	_, errEnd := l.conn.ExecContext(ctx, "ROLLBACK", nil)
	if errors.Is(err, binds.ErrNotPrimary) {
		err = nil // it was held there all the same
	}
	err = errors.Join(err, errEnd)
	return err == nil, err
}
