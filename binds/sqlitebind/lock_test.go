package sqlitebind

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// beat is how often the manager looks at a lock.
const beat = 250 * time.Millisecond

func locksOf(t *testing.T, uri string) *locks {
	t.Helper()
	s, err := parse(uri)
	require.NoError(t, err)
	ls := newSource(New(), s).NamedLocks().(*locks)
	t.Cleanup(func() { assert.NoError(t, ls.Close()) })
	return ls
}

func attempt(t *testing.T, ls *locks, name string) *lock {
	t.Helper()
	l, err := ls.Open(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l.(*lock)
}

func acquire(t *testing.T, l *lock, wait time.Duration) bool {
	t.Helper()
	got, err := l.Acquire(t.Context(), wait)
	require.NoError(t, err)
	return got
}

// inBubble runs a test in which time costs nothing, with two attempts at one lock.
func inBubble(t *testing.T, test func(t *testing.T, a, b *lock)) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // an interrupt ends a moment after what it interrupts
		ls := locksOf(t, "sqlite://"+filepath.Join(t.TempDir(), "app.db"))
		test(t, attempt(t, ls, "a"), attempt(t, ls, "a"))
	})
}

// keep renews a lock as the manager does, until the test ends or a look fails.
func keep(t *testing.T, l *lock) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, err := l.Check(context.Background())
			assert.NoError(t, err)
			time.Sleep(beat)
		}
	}()
	return func() { cancel(); <-done }
}

func TestLockOfADeadProcessExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *lock) {
		require.True(t, acquire(t, a, 0))
		require.False(t, acquire(t, b, 0))
		start := time.Now()
		require.True(t, acquire(t, b, time.Minute))
		took := time.Since(start)
		assert.Greater(t, took, a.pace.lease)
		assert.Less(t, took, a.pace.lease+a.pace.proof+time.Second)
		assert.Greater(t, b.Fence(), a.Fence())

		_, err := a.Check(t.Context())
		var gone *lockGoneError
		require.ErrorAs(t, err, &gone, "who was thought dead finds out")
		held, err := a.Release(t.Context())
		require.NoError(t, err)
		assert.False(t, held)
		_, err = b.Check(t.Context())
		require.NoError(t, err, "and takes nothing away")
	})
}

func TestTryingTakesFromTheDead(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *lock) {
		require.True(t, acquire(t, a, 0))
		time.Sleep(a.pace.lease - time.Second)
		start := time.Now()
		require.False(t, acquire(t, b, 0))
		assert.Zero(t, time.Since(start), "a lease that runs is not watched")
		time.Sleep(2 * time.Second)
		require.True(t, acquire(t, b, 0), "one that is over is")
	})
}

func TestRenewedLockStaysHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *lock) {
		require.True(t, acquire(t, a, 0))
		stop := keep(t, a)
		defer stop()
		require.False(t, acquire(t, b, 3*a.pace.lease))
	})
}

// A renewal between a look and the taking wins.
func TestRenewalBeatsTheTaker(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *lock) {
		require.True(t, acquire(t, a, 0))
		row, err := b.conn.lockRow(t.Context(), "a")
		require.NoError(t, err)
		time.Sleep(a.pace.renewal)
		_, err = a.Check(t.Context())
		require.NoError(t, err)
		got, err := b.take(t.Context(), row)
		require.NoError(t, err)
		assert.False(t, got)
		row, err = b.conn.lockRow(t.Context(), "a")
		require.NoError(t, err)
		got, err = b.take(t.Context(), row)
		require.NoError(t, err)
		assert.True(t, got, "as it is now it may be taken")
	})
}

// A holder that cannot renew knows that it has lost before another can get the lock.
func TestHolderGivesUpFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *lock) {
		require.True(t, acquire(t, a, 0))
		held := time.Now()
		lostAfter := make(chan time.Duration)
		a.conn.waiter.timeout = 10 * time.Millisecond
		_, err := b.conn.ExecContext(t.Context(), "BEGIN IMMEDIATE", nil)
		require.NoError(t, err)
		go func() {
			for {
				time.Sleep(beat)
				if until, err := a.Check(context.Background()); err != nil {
					assert.False(t, time.Now().Before(until))
					lostAfter <- time.Since(held)
					return
				}
			}
		}()
		lost := <-lostAfter
		assert.GreaterOrEqual(t, lost, a.pace.lease-a.pace.margin, "a disk that stalls is no loss at once")
		assert.Less(t, lost, a.pace.lease)
		_, err = b.conn.ExecContext(t.Context(), "ROLLBACK", nil)
		require.NoError(t, err)
		require.False(t, acquire(t, b, 0), "nobody has it between")
	})
}

// setExpiry does what a step of the clock does: the lease seems to end at another time.
func setExpiry(t *testing.T, l *lock, at time.Time) {
	t.Helper()
	_, err := l.conn.row(t.Context(), "UPDATE bindery_locks SET expires_at = ?1", at.UnixMilli())
	require.NoError(t, err)
}

func TestClockSetForwardTakesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *lock) {
		require.True(t, acquire(t, a, 0))
		setExpiry(t, a, time.Now().Add(-time.Hour))
		stop := keep(t, a)
		defer stop()
		require.False(t, acquire(t, b, 0), "its holder renews it")
	})
}

func TestClockSetBackKeepsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *lock) {
		require.True(t, acquire(t, a, 0))
		setExpiry(t, a, time.Now().Add(24*time.Hour))
		start := time.Now()
		require.True(t, acquire(t, b, time.Hour), "its holder is dead")
		assert.Less(t, time.Since(start), time.Minute)
	})
}

func TestLockOnARemovedFileIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	ls := locksOf(t, "sqlite://"+path)
	a := attempt(t, ls, "a")
	require.True(t, acquire(t, a, 0))
	require.NoError(t, os.Remove(path+lockSuffix))
	_, err := a.Check(t.Context())
	require.ErrorContains(t, err, "the lock file was removed")
	before := a.Fence()
	b := attempt(t, ls, "a")
	require.True(t, acquire(t, b, 0), "the same engine makes a new file")
	assert.Greater(t, b.Fence(), before, "the fence grows past the loss")
}

// A transaction on the database itself does not keep a lock from being renewed, however long.
func TestLocksWaitForNoTransaction(t *testing.T) {
	uri := "sqlite://" + filepath.Join(t.TempDir(), "app.db") + "?busy_timeout=10ms"
	c := connTo(t, uri)
	_, err := c.ExecContext(t.Context(), "BEGIN EXCLUSIVE", nil)
	require.NoError(t, err)
	ls := locksOf(t, uri)
	a := attempt(t, ls, "a")
	require.True(t, acquire(t, a, 0))
	a.began = time.Time{} // a renewal is due
	until, err := a.Check(t.Context())
	require.NoError(t, err)
	assert.False(t, a.began.IsZero(), "it was renewed")
	assert.Greater(t, time.Until(until), time.Second)
	_, err = c.ExecContext(t.Context(), "ROLLBACK", nil)
	require.NoError(t, err)
}

func TestLocksNeedAWritableDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	require.NoError(t, connTo(t, "sqlite://"+path).Ping(t.Context()))
	_, err := locksOf(t, "sqlite://"+path+"?mode=ro").Open(t.Context(), "a")
	require.ErrorIs(t, err, errLockReadOnly)
	assert.NoFileExists(t, path+lockSuffix)
	_, err = locksOf(t, "sqlite://"+path+".missing?mode=rw").Open(t.Context(), "a")
	var missing *MissingError
	require.ErrorAs(t, err, &missing)
}

// Whoever may write the database may lock.
func TestLockFileHasTheDatabasesPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	require.NoError(t, connTo(t, "sqlite://"+path).Ping(t.Context()))
	require.NoError(t, os.Chmod(path, 0o666))
	attempt(t, locksOf(t, "sqlite://"+path), "a")
	info, err := os.Stat(path + lockSuffix)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o666), info.Mode().Perm())
}

func TestLocksOfAClosedEngine(t *testing.T) {
	s, err := parse("sqlite::memory:")
	require.NoError(t, err)
	ls := newSource(New(), s).NamedLocks()
	require.NoError(t, ls.Close())
	_, err = ls.Open(t.Context(), "a")
	require.ErrorContains(t, err, "closed")
}

var _ binds.NamedLock = (*lock)(nil)
