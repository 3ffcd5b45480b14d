package pgbind

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

// codeLockNotAvailable is lock_not_available: lock_timeout ended the wait. The session stays good.
const codeLockNotAvailable = "55P03"

// A lock is one attempt to hold an advisory lock, in a session of its own.
type lock struct {
	conn *conn
	ask  binds.Ask
	key  int64
	// mark tells this session from every other. A pooler that gives each transaction any session
	// gives itself away by it: there a lock is nobody's.
	mark  string
	most  time.Duration // one statement may wait; 0: no limit
	limit time.Duration // lock_timeout, as last set
	fence uint64
}

func newLock(c *conn, key int64, readTimeout time.Duration) *lock {
	return &lock{conn: c, ask: binds.AskConn(c), key: key, mark: rand.Text(), most: readTimeout / 2}
}

// prepare makes the session's own. Timeouts of the login or the server would end a wait, and with it
// the session; a commit that waits for standbys would hold up the fence.
//
// Where a pooler may give the session to others, nothing is set: all of it ends with the statement's transaction.
func (l *lock) prepare(ctx context.Context) error {
	if err := l.conn.meetPgpool(ctx); err != nil { // which the statement depends on
		return err
	}
	row, err := l.ask(ctx, l.preparation())
	if err == nil {
		l.conn.wire.meet(row[0])
	}
	return err
}

// preparation is the statement for that. What it sets lasts as long as the session, or as the transaction.
func (l *lock) preparation() string {
	local := "false"
	switch w := l.conn.wire; {
	case w.pooling.shares():
		local = "true"
	case w.pooling == noPooler && w.pid != 0:
		local = fmt.Sprintf("pg_backend_pid() <> %d", int32(w.pid))
	}
	return "SELECT pg_backend_pid()::text, set_config('" + lockMark + "', '" + l.mark + "', " + local + ")," +
		" set_config('synchronous_commit', 'local', " + local + "), (SELECT count(set_config(name, '0', " + local + ")) FROM pg_settings" +
		" WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout'))"
}

// lockMark is the setting that holds a session's mark.
const lockMark = "bindery.lock"

// Acquire waits in the server's queue, for as long as lock_timeout says: a waiter leaves it when that
// ends, whatever becomes of this process, and at once when a cancel request reaches the server.
func (l *lock) Acquire(ctx context.Context, wait time.Duration) (bool, error) {
	attempt := fmt.Sprintf("pg_try_advisory_lock(%d)", l.key)
	if wait > 0 {
		if l.most > 0 {
			wait = min(wait, l.most)
		}
		if err := l.setLimit(ctx, max(wait.Truncate(time.Millisecond), time.Millisecond)); err != nil {
			return false, err
		}
		attempt = fmt.Sprintf("(SELECT true FROM pg_advisory_lock(%d))", l.key)
	}
	got, err := l.grant(l.ask(ctx, "SELECT CASE WHEN NOT pg_is_in_recovery() THEN "+attempt+" END"))
	if err != nil || !got {
		return false, err
	}
	return true, l.draw(ctx, l.ask)
}

// grant reads the answer to an attempt.
func (l *lock) grant(row []string, err error) (bool, error) {
	var answer pgdriver.Error
	switch {
	case errors.As(err, &answer) && answer.Field('C') == codeLockNotAvailable:
		return false, nil
	case err != nil:
		return false, err
	case row[0] == "":
		return false, binds.ErrNotPrimary
	}
	return row[0] == "true", nil
}

func (l *lock) setLimit(ctx context.Context, d time.Duration) error {
	if d == l.limit {
		return nil
	}
	_, err := l.conn.ExecContext(ctx, "SET lock_timeout = "+strconv.FormatInt(d.Milliseconds(), 10), nil)
	if err == nil {
		l.limit = d
	}
	return err
}

// draw takes the number of a transaction that begins while the lock is held. The message has its commit
// written to the disk: else a crash could give the number out again.
func (l *lock) draw(ctx context.Context, ask binds.Ask) error {
	row, err := ask(ctx, "SELECT txid_current(), pg_logical_emit_message(true, '"+lockMark+"', '')")
	switch {
	case err != nil && Driver{}.Classify(err) == binds.Refused:
		return nil // a login that may not: there is no fence
	case err != nil:
		return err
	}
	l.fence, err = strconv.ParseUint(row[0], 10, 64)
	return err
}

// Fence returns the number of a transaction that began after the lock was taken, see the manual's
// table 9.80.
func (l *lock) Fence() uint64 { return l.fence }

// Check asks whether this is still the session that took the lock, which only its end frees, and whether
// the server is a primary.
func (l *lock) Check(ctx context.Context) (time.Time, error) {
	row, err := l.ask(ctx, "SELECT pg_is_in_recovery(), current_setting('"+lockMark+"', true) = '"+l.mark+"'")
	switch {
	case err != nil:
	case row[0] != "false":
		err = binds.ErrNotPrimary
	case row[1] != "true":
		err = errLockPooled
	}
	return time.Time{}, err
}

// Holder asks pg_locks. What pg_stat_activity tells of another user's session needs pg_read_all_stats.
func (l *lock) Holder(ctx context.Context) (string, error) {
	row, err := l.ask(ctx, fmt.Sprintf(`SELECT (SELECT 'pid ' || l.pid || coalesce(', application "' || nullif(a.application_name, '') || '"', '')
 || coalesce(', client ' || host(a.client_addr), '')
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
 AND l.classid = '%d'::oid AND l.objid = '%d'::oid AND l.objsubid = 1 LIMIT 1)`, uint32(uint64(l.key)>>32), uint32(l.key)))
	if err != nil {
		return "", err
	}
	return row[0], nil
}

// Release frees the lock.
func (l *lock) Release(ctx context.Context) (bool, error) {
	row, err := l.ask(ctx, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", l.key))
	return err == nil && row[0] == "true", err
}

// Close ends the session, and so frees the lock.
func (l *lock) Close() error { return l.conn.Close() }
