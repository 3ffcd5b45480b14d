package manager

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// fakeLock is a lock without a server. Its fields say how it behaves.
type fakeLock struct {
	binds.NamedLock // for what is not called

	until   func() time.Time // nil: the lock lasts as long as its connection
	notHeld bool

	mu       sync.Mutex                      // guards the rest
	check    func(ctx context.Context) error // nil: all is well
	checks   int
	released bool
	closed   bool
}

// becomes changes what a look finds.
func (f *fakeLock) becomes(check func(ctx context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.check = check
}

func (f *fakeLock) Check(ctx context.Context) (until time.Time, err error) {
	f.mu.Lock()
	f.checks++
	check := f.check
	f.mu.Unlock()
	if f.until != nil {
		until = f.until()
	}
	if check != nil {
		err = check(ctx)
	}
	return until, err
}

func (f *fakeLock) Release(ctx context.Context) (bool, error) {
	f.released = true
	return !f.notHeld, ctx.Err()
}

func (f *fakeLock) Close() error {
	f.closed = true
	return nil
}

// hold makes a Lock of f as an attempt that got it does.
func hold(t *testing.T, f *fakeLock) *Lock {
	t.Helper()
	b := &Bind{key: "accounts", locks: newLockSet(LockLimits{})}
	a := &lockAttempt{bind: b, name: "a", held: f}
	l := &Lock{bind: b, name: a.name, held: f}
	l.ctx, l.lose = context.WithCancelCause(t.Context())
	until, err := f.Check(t.Context())
	require.NoError(t, err)
	l.watch = watchLock(f, until, func(cause error) { l.lose(l.lostError(cause)) })
	require.NoError(t, b.locks.add(l))
	return l
}

var errGone = errors.New("the session is gone")

// lostAfter waits for the loss of a lock, and returns when it came.
func lostAfter(t *testing.T, l *Lock) time.Duration {
	t.Helper()
	start := time.Now()
	<-l.Context().Done()
	took := time.Since(start)
	var typed *LockError
	require.ErrorAs(t, context.Cause(l.Context()), &typed)
	assert.Equal(t, "a", typed.Name)
	assert.Equal(t, binds.Key("accounts"), typed.Bind)
	require.ErrorIs(t, typed, ErrLockLost)
	return took
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestWatchSeesTheLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeLock)
		l := hold(t, f)
		time.Sleep(time.Hour)
		require.NoError(t, l.Context().Err(), "held for long")
		synctest.Wait()
		assert.InDelta(t, time.Hour/lockBeat, f.checks, 2)
		f.becomes(func(context.Context) error { return errGone })
		assert.LessOrEqual(t, lostAfter(t, l), lockBeat)
		require.ErrorIs(t, context.Cause(l.Context()), errGone)
		err := l.Unlock()
		require.ErrorIs(t, err, ErrLockLost)
		require.ErrorIs(t, err, errGone)
		assert.True(t, f.released, "what is left of it is freed")
		assert.True(t, f.closed)
		require.Equal(t, err, l.Unlock(), "again")
	})
}

// A server that does not answer cannot be told from one that another has replaced.
func TestWatchGivesASilentServerUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeLock)
		l := hold(t, f)
		f.becomes(hang)
		took := lostAfter(t, l)
		assert.GreaterOrEqual(t, took, lockSilence, "a stall is no loss")
		assert.Less(t, took, 3*time.Second)
		err := l.Unlock()
		require.ErrorIs(t, err, ErrLockLost)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "that was no deadline of the caller's")
	})
}

// A look that no context ends, such as one at a disk that hangs, does not keep the holder in ignorance.
func TestWatchDoesNotDependOnTheLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, free := new(fakeLock), make(chan struct{})
		l := hold(t, f)
		f.becomes(func(context.Context) error { <-free; return nil })
		assert.Less(t, lostAfter(t, l), 3*time.Second)
		require.ErrorIs(t, context.Cause(l.Context()), errSilence)
		close(free)
		require.ErrorIs(t, l.Unlock(), ErrLockLost, "the answer came too late")
	})
}

// A lease that is not renewed counts as lost when it is about to end, however the look goes.
func TestWatchKeepsToTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(5 * time.Second)
		l := hold(t, &fakeLock{until: func() time.Time { return end }})
		assert.Equal(t, 5*time.Second, lostAfter(t, l))
		require.ErrorIs(t, l.Unlock(), ErrLockLost)
	})
	synctest.Test(t, func(t *testing.T) {
		l := hold(t, &fakeLock{until: func() time.Time { return time.Now().Add(5 * time.Second) }})
		time.Sleep(time.Hour)
		require.NoError(t, l.Context().Err(), "one that is renewed lasts")
		require.NoError(t, l.Unlock())
	})
}

// A look under way delays Unlock by a second at most.
func TestUnlockDuringALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeLock)
		l := hold(t, f)
		f.becomes(hang)
		time.Sleep(lockBeat + time.Millisecond)
		start := time.Now()
		err := l.Unlock()
		require.ErrorIs(t, err, ErrLockLost, "the server did not say that it was held")
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, context.Canceled)
		assert.LessOrEqual(t, time.Since(start), unlockTimeout)
		assert.True(t, f.closed)
	})
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeLock)
		l := hold(t, f)
		f.becomes(func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil })
		time.Sleep(lockBeat + time.Millisecond)
		require.NoError(t, l.Unlock(), "a slow answer is an answer")
		require.ErrorIs(t, context.Cause(l.Context()), context.Canceled)
		require.NotErrorIs(t, context.Cause(l.Context()), ErrLockLost)
	})
}

func TestUnlockOfALockThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := hold(t, &fakeLock{notHeld: true})
		err := l.Unlock()
		require.ErrorIs(t, err, ErrLockLost)
		require.EqualError(t, err, `manager: lock "a" of bind "accounts": the lock was lost: the server says that it was not held`)
	})
}

func TestCloseTakesLocksFromTheirHolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeLock)
		l := hold(t, f)
		l.bind.locks.closeAll()
		assert.True(t, f.released)
		require.ErrorIs(t, context.Cause(l.Context()), ErrClosed)
		require.ErrorIs(t, l.Unlock(), ErrLockLost)
		_, _, err := l.bind.locks.enter(t.Context(), false)
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, l.bind.locks.add(l), ErrClosed)
	})
}
