package manager_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

func lock(t *testing.T, m *manager.DBManager, name string, opts ...manager.LockOption) *manager.Lock {
	t.Helper()
	l, err := m.Lock(t.Context(), accounts{}, name, opts...)
	require.NoError(t, err)
	return l
}

func TestLockExcludes(t *testing.T) {
	m := open(t)
	first := lock(t, m, "a")
	assert.Equal(t, "a", first.Name())

	_, err := m.Lock(t.Context(), accounts{}, "a", manager.TryOnly())
	require.ErrorIs(t, err, manager.ErrLockTimeout)
	var typed *manager.LockError
	require.ErrorAs(t, err, &typed)
	assert.Equal(t, binds.Key("accounts"), typed.Bind)
	assert.Equal(t, "a", typed.Name)
	assert.Contains(t, typed.Holder, "pid ")
	assert.Contains(t, err.Error(), `manager: lock "a" of bind "accounts": the lock was not free in time (held by pid `)

	_, err = m.Lock(t.Context(), accounts{}, "a", manager.Wait(30*time.Millisecond))
	require.ErrorIs(t, err, manager.ErrLockTimeout)

	other := lock(t, m, "b", manager.TryOnly())
	require.NoError(t, other.Unlock(), "another name is another lock")
	elsewhere, err := m.Lock(t.Context(), audit{}, "a", manager.TryOnly())
	require.NoError(t, err, "another bind's name is another lock")
	require.NoError(t, elsewhere.Unlock())

	before, ok := first.Fence()
	require.True(t, ok)
	require.NoError(t, first.Unlock())
	again := lock(t, m, "a", manager.TryOnly())
	after, ok := again.Fence()
	require.True(t, ok)
	assert.Greater(t, after, before)
	require.NoError(t, again.Unlock())
}

func TestUnlockTwice(t *testing.T) {
	m := open(t)
	l := lock(t, m, "a")
	require.NoError(t, l.Context().Err())
	require.NoError(t, l.Unlock())
	require.ErrorIs(t, l.Context().Err(), context.Canceled)
	next := lock(t, m, "a", manager.TryOnly())
	require.NoError(t, l.Unlock(), "it says the same, and leaves the next holder alone")
	require.NoError(t, next.Context().Err())
	require.NoError(t, next.Unlock())
}

func TestLockWaitsForTheHolder(t *testing.T) {
	m := open(t)
	first := lock(t, m, "a")
	got := make(chan error)
	go func() {
		l, err := m.Lock(t.Context(), accounts{}, "a")
		if err == nil {
			err = l.Unlock()
		}
		got <- err
	}()
	require.NoError(t, first.Unlock())
	require.NoError(t, <-got)
}

func TestLockEndsWithItsContext(t *testing.T) {
	m := open(t)
	first := lock(t, m, "a")
	for name, row := range map[string]struct {
		want error
		make func() (context.Context, context.CancelFunc)
	}{
		"cancelled": {context.Canceled, func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(30*time.Millisecond, cancel)
			return ctx, cancel
		}},
		"before the call": {context.Canceled, func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		}},
		"a deadline": {context.DeadlineExceeded, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 100*time.Millisecond)
		}},
		"a deadline shorter than a question": {context.DeadlineExceeded, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 5*time.Millisecond)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := row.make()
			defer cancel()
			_, err := m.Lock(ctx, accounts{}, "a")
			require.ErrorIs(t, err, row.want)
			var typed *manager.LockError
			require.ErrorAs(t, err, &typed)
			require.NotErrorIs(t, err, manager.ErrLockTimeout)
		})
	}
	require.NoError(t, first.Unlock())
}

func TestLockNames(t *testing.T) {
	m := open(t)
	for _, name := range []string{"", "a\x00b", "\xff"} {
		_, err := m.Lock(t.Context(), accounts{}, name)
		var bad *binds.LockNameError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, name, bad.Name)
	}
	_, err := m.Lock(t.Context(), nowhere{}, "a")
	var unknown *binds.UnknownBindError
	require.ErrorAs(t, err, &unknown)
}

func TestWithLock(t *testing.T) {
	m, failure := open(t), errors.New("fn failed")
	require.NoError(t, m.WithLock(t.Context(), accounts{}, "a", func(ctx context.Context) error {
		require.ErrorIs(t, m.WithLock(ctx, accounts{}, "a", func(context.Context) error { panic("it has no lock") }, manager.TryOnly()), manager.ErrLockTimeout, "it waits for itself")
		return nil
	}))
	err := m.WithLock(t.Context(), accounts{}, "a", func(context.Context) error { return failure })
	assert.Equal(t, failure, err, "fn's own error, unwrapped")
	assert.PanicsWithValue(t, "fn panicked", func() {
		_ = m.WithLock(t.Context(), accounts{}, "a", func(context.Context) error { panic("fn panicked") })
	})
	require.NoError(t, m.WithLock(t.Context(), accounts{}, "a", func(context.Context) error { return nil }, manager.TryOnly()),
		"the panic freed it")
}

// A lock takes no connection of the pool: SQLite's writer has one.
func TestLocksLeaveThePoolAlone(t *testing.T) {
	m := open(t)
	a, b := lock(t, m, "a"), lock(t, m, "b")
	_, err := m.NewInsert(&user{Name: "Alice"}).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, errors.Join(a.Unlock(), b.Unlock()))
}

func TestLocksMakeACounterExact(t *testing.T) {
	m := open(t)
	const workers, rounds = 50, 4
	n := 0
	var fences []uint64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				l, err := m.Lock(t.Context(), accounts{}, "counter")
				if !assert.NoError(t, err) {
					return
				}
				n++ // the race detector sees whether the lock excludes
				fence, _ := l.Fence()
				fences = append(fences, fence)
				assert.NoError(t, l.Unlock())
			}
		})
	}
	wg.Wait()
	assert.Equal(t, workers*rounds, n)
	assert.IsIncreasing(t, fences)
}

func TestCloseFreesLocks(t *testing.T) {
	m := open(t)
	l := lock(t, m, "a")
	waiting := make(chan error)
	go func() {
		_, err := m.Lock(context.Background(), accounts{}, "a")
		waiting <- err
	}()
	require.NoError(t, m.Close())
	require.ErrorIs(t, <-waiting, manager.ErrClosed)
	<-l.Context().Done()
	require.ErrorIs(t, context.Cause(l.Context()), manager.ErrLockLost)
	require.ErrorIs(t, context.Cause(l.Context()), manager.ErrClosed)
	err := l.Unlock()
	require.ErrorIs(t, err, manager.ErrLockLost)
	require.ErrorIs(t, err, manager.ErrClosed)
	_, err = m.Lock(t.Context(), accounts{}, "a")
	require.ErrorIs(t, err, manager.ErrClosed)
}

// What ends the caller's context does not free the lock: the caller may still be cleaning up.
func TestLockOutlivesItsContext(t *testing.T) {
	m := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	l, err := m.Lock(ctx, accounts{}, "a")
	require.NoError(t, err)
	cancel()
	<-l.Context().Done()
	require.NotErrorIs(t, context.Cause(l.Context()), manager.ErrLockLost)
	_, err = m.Lock(t.Context(), accounts{}, "a", manager.TryOnly())
	require.ErrorIs(t, err, manager.ErrLockTimeout)
	require.NoError(t, l.Unlock())
}

// A wait that ends while somebody of the same process waits already is a wait that ended.
func TestLockTurnsEnd(t *testing.T) {
	m := open(t)
	first := lock(t, m, "a")
	waiting, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := m.Lock(waiting, accounts{}, "a")
		done <- err
	}()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := m.Lock(t.Context(), accounts{}, "a", manager.Wait(50*time.Millisecond))
			assert.ErrorIs(t, err, manager.ErrLockTimeout)
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
		})
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := m.Lock(ctx, accounts{}, "a")
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotErrorIs(t, err, manager.ErrLockTimeout)
		})
		wg.Go(func() {
			_, err := m.Lock(t.Context(), accounts{}, "a", manager.TryOnly())
			assert.ErrorIs(t, err, manager.ErrLockTimeout)
		})
	}
	wg.Wait()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.NoError(t, first.Unlock())
	require.NoError(t, lock(t, m, "a", manager.TryOnly()).Unlock())
}
