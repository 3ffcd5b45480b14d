package sqlitebind

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A lockPace says how long things take in the life of a lock.
type lockPace struct {
	// lease is how long a lock outlives its last renewal: a process that died frees its locks so late.
	lease time.Duration
	// renewal is how often a lock is renewed.
	renewal time.Duration
	// margin is how long before its lease ends a holder gives a lock up that it could not renew.
	margin time.Duration
	// proof is how long a lease that is over by the clock is watched for a renewal before the lock is
	// taken from its holder. Clocks are set, and go on while a machine sleeps: a holder that lives has
	// time to renew twice.
	proof time.Duration
}

var usualPace = lockPace{
	lease: 10 * time.Second, renewal: time.Second, margin: 2 * time.Second, proof: 2500 * time.Millisecond,
}

// lockPoll and lockPollMax bound the pause between two looks at a lock that is waited for.
const (
	lockPoll    = time.Millisecond
	lockPollMax = 50 * time.Millisecond
)

// A lock is one attempt to hold a row of the table of locks.
type lock struct {
	conn  *conn
	pace  lockPace
	name  string
	owner string // of this attempt and no other
	fence int64
	taken bool // and not released

	stat func() (fs.FileInfo, error)
	file fs.FileInfo // the file that conn has open; nil: none

	began time.Time // of the latest renewal: the lease counts from before it was asked for
	until time.Time // when the holder gives the lock up

	seen      lockRow   // as another holder had it
	seenSince time.Time // on the monotonic clock
}

func newLock(c *conn, pace lockPace, name string) *lock {
	return &lock{conn: c, pace: pace, name: name, owner: rand.Text()}
}

// Acquire polls: SQLite tells nobody of a change. Where the holder seems to have died it takes up to
// 2.5 seconds longer than wait, to make sure.
func (l *lock) Acquire(ctx context.Context, wait time.Duration) (bool, error) {
	end := time.Now().Add(wait)
	for most := lockPoll; ; most = min(2*most, lockPollMax) {
		row, err := l.conn.lockRow(ctx, l.name)
		if err != nil {
			return false, err
		}
		dead := l.isDead(row)
		if row.owner == "" || dead {
			if held, err := l.take(ctx, row); held || err != nil {
				return held, err
			}
		}
		left := time.Until(end)
		if left <= 0 && (dead || !isOver(row)) {
			return false, nil
		}
		next := most/2 + mathrand.N(most/2) // so that waiters do not keep step
		if left > 0 {
			next = min(next, left)
		}
		if err := pause(ctx, next); err != nil {
			return false, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isOver reports whether the lease of a lock that is held has ended by the clock.
func isOver(row lockRow) bool { return row.owner != "" && time.Now().UnixMilli() > row.expiresAt }

// isDead reports whether the holder has not renewed the lock for so long that it has given it up.
func (l *lock) isDead(row lockRow) bool {
	if row.owner == "" {
		return false
	}
	if row.owner != l.seen.owner || row.beat != l.seen.beat {
		l.seen, l.seenSince = row, time.Now()
		return false
	}
	watched := time.Since(l.seenSince)
	// The second holds however the clock was set meanwhile.
	return isOver(row) && watched >= l.pace.proof || watched >= l.pace.lease+l.pace.proof
}

// take takes the lock if it still is as row says.
func (l *lock) take(ctx context.Context, row lockRow) (bool, error) {
	began := time.Now()
	// The time makes the fence grow even past the loss of the file.
	v, err := l.conn.row(ctx, takeLock, l.name, l.owner, lockHolder(), began.UnixMicro(), began.Add(l.pace.lease).UnixMilli(),
		row.owner, row.beat)
	if err != nil || v == nil {
		return false, err
	}
	l.fence, _ = v[0].(int64)
	l.taken = true
	l.renewed(began)
	return true, nil
}

func (l *lock) renewed(began time.Time) {
	l.began, l.until = began, began.Add(l.pace.lease-l.pace.margin)
}

// Fence returns the row's counter.
func (l *lock) Fence() uint64 { return uint64(l.fence) }

// Check renews the lock once a second, and otherwise looks whether it is there. What fails for a
// moment, because the disk is slow, say, is no loss before the lease is about to end.
func (l *lock) Check(ctx context.Context) (time.Time, error) {
	if time.Now().Before(l.until) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, l.until)
		defer cancel()
	}
	err := l.check(ctx)
	var gone *lockGoneError
	switch {
	case errors.As(err, &gone):
		return l.until, err
	case err != nil && !time.Now().Before(l.until):
		return l.until, fmt.Errorf("sqlitebind: the lock could not be renewed, and its lease is about to end: %w", err)
	}
	return l.until, nil
}

func (l *lock) check(ctx context.Context) error {
	if l.file != nil {
		if now, err := l.stat(); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, l.file) {
			return &lockGoneError{"the lock file was removed"}
		}
	}
	began := time.Now()
	if began.Sub(l.began) < l.pace.renewal {
		row, err := l.conn.lockRow(ctx, l.name)
		if err == nil && row.owner != l.owner {
			err = &lockGoneError{"its lease ended, and it was taken"}
		}
		return err
	}
	v, err := l.conn.row(ctx, renewLock, l.name, l.owner, began.Add(l.pace.lease).UnixMilli())
	switch {
	case err != nil:
		return err
	case v == nil:
		return &lockGoneError{"its lease ended, and it was taken"}
	}
	l.renewed(began)
	return nil
}

// Holder returns the process of the lock's owner.
func (l *lock) Holder(ctx context.Context) (string, error) {
	row, err := l.conn.lockRow(ctx, l.name)
	return row.holder, err
}

// Release frees the row if it is this attempt's.
func (l *lock) Release(ctx context.Context) (bool, error) {
	v, err := l.conn.row(ctx, freeLock, l.name, l.owner)
	l.taken = l.taken && err != nil
	return v != nil, err
}

// closeTimeout bounds the release of a lock that is closed while it is held.
const closeTimeout = 100 * time.Millisecond

// Close closes the connection, and frees the lock if that can be done soon. Otherwise it stays held
// until its lease ends.
func (l *lock) Close() error {
	if l.taken {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		_, _ = l.Release(ctx) // see above
		cancel()
	}
	return l.conn.Close()
}

// lockHolder names this process for those who wait.
var lockHolder = sync.OnceValue(func() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	return fmt.Sprintf("pid %d on %s, %s", os.Getpid(), host, filepath.Base(os.Args[0]))
})
