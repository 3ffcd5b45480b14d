package mysqlbind

import (
	"context"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// killAwait bounds how long a cancelled wait stays to see its session ended on the server.
const killAwait = 50 * time.Millisecond

// A lock is one attempt to hold a lock of GET_LOCK, in a session of its own.
type lock struct {
	conn  *conn
	ask   binds.Ask
	name  string        // on the server
	most  time.Duration // one statement may wait; 0: no limit
	whole bool          // the server waits for whole seconds only: MySQL
}

// newLock makes c a session for locks: a limit of the server's on statements would end a wait.
func newLock(ctx context.Context, c *conn, name string, readTimeout time.Duration) (*lock, error) {
	l := &lock{conn: c, ask: binds.AskConn(c), most: readTimeout / 2}
	unlimited := "SET SESSION max_statement_time = 0"
	if l.whole = !parseVersion(c.session.version).mariaDB; l.whole {
		unlimited = "SET SESSION max_execution_time = 0"
	}
	if _, err := c.ExecContext(ctx, unlimited, nil); err != nil {
		return nil, err
	}
	row, err := l.ask(ctx, "SELECT DATABASE()")
	if err != nil {
		return nil, err
	}
	l.name = LockName(row[0], name)
	return l, nil
}

// Acquire waits in the server, for as long as GET_LOCK is told to: a waiter is gone then, whatever
// becomes of this process. When ctx ends first, the session is killed.
func (l *lock) Acquire(ctx context.Context, wait time.Duration) (bool, error) {
	if l.most > 0 {
		wait = min(wait, l.most)
	}
	if !l.whole {
		return l.get(ctx, wait)
	}
	seconds := wait.Truncate(time.Second)
	held, err := l.get(ctx, seconds)
	if held || err != nil || wait == 0 || seconds > 0 {
		return held, err
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return l.get(ctx, 0)
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (l *lock) get(ctx context.Context, wait time.Duration) (bool, error) {
	row, err := l.ask(ctx, fmt.Sprintf("SELECT @@global.read_only, GET_LOCK('%s', %.3f)", l.name, wait.Seconds()))
	switch {
	case err != nil:
		if ctx.Err() != nil {
			l.conn.killer.await(killAwait)
		}
		return false, err
	case row[1] == "":
		return false, errLockNull
	case row[1] == "1" && !isOff(row[0]):
		return false, binds.ErrNotPrimary
	}
	return row[1] == "1", nil
}

// Fence returns 0: the server has no number that grows without a table.
func (l *lock) Fence() uint64 { return 0 }

// Check asks whether this session holds the lock, and whether the server takes writes.
func (l *lock) Check(ctx context.Context) (time.Time, error) {
	row, err := l.ask(ctx, "SELECT IS_USED_LOCK('"+l.name+"') = CONNECTION_ID(), @@global.read_only")
	switch {
	case err != nil:
	case row[0] != "1":
		err = errLockGone
	case !isOff(row[1]):
		err = binds.ErrNotPrimary
	}
	return time.Time{}, err
}

// Holder asks for the holder's connection. Whose it is the server tells of the same user's connections,
// and to a login with the privilege PROCESS.
func (l *lock) Holder(ctx context.Context) (string, error) {
	row, err := l.ask(ctx, "SELECT IS_USED_LOCK('"+l.name+"')")
	if err != nil || row[0] == "" {
		return "", err
	}
	holder := "connection " + row[0]
	sessions := "information_schema.PROCESSLIST"
	if l.whole {
		sessions = "performance_schema.processlist" // MySQL's other one stops the server's threads, and will be dropped
	}
	row, err = l.ask(ctx, "SELECT (SELECT CONCAT(', ', USER, ' on ', HOST) FROM "+sessions+" WHERE ID = "+row[0]+")")
	if err == nil {
		holder += row[0]
	}
	return holder, nil
}

// Release frees the lock.
func (l *lock) Release(ctx context.Context) (bool, error) {
	row, err := l.ask(ctx, "SELECT RELEASE_LOCK('"+l.name+"')")
	return err == nil && row[0] == "1", err
}

// Close ends the session, and so frees the lock.
func (l *lock) Close() error { return l.conn.Close() }

// await waits until what was given up has been killed, for d at most.
func (k *killer) await(d time.Duration) {
	k.mu.Lock()
	worker := k.worker
	k.mu.Unlock()
	if worker == nil {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-worker:
	case <-t.C:
	}
}
