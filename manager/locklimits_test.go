package manager_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// openLimited opens one bind of a SQLite file whose locks are limited.
func openLimited(t *testing.T, limits manager.LockLimits) *manager.DBManager {
	t.Helper()
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{{
		Key: "accounts", Writer: binds.NewURI("sqlite://" + filepath.ToSlash(t.TempDir()) + "/app.db"), Locks: limits,
	}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func lockStats(t *testing.T, m *manager.DBManager) (open, waiting int, refused uint64) {
	t.Helper()
	b, err := m.Bind(accounts{})
	require.NoError(t, err)
	s := b.Stats()
	return s.Locks, s.LockWaiting, s.LocksRefused
}

// Locks by names of clients take so many connections and no more, and one that is freed makes room.
func TestLocksAreLimited(t *testing.T) {
	m := openLimited(t, manager.LockLimits{MaxOpen: 2})
	a, b := lock(t, m, "client 1"), lock(t, m, "client 2")
	for range 3 {
		_, err := m.Lock(t.Context(), accounts{}, "client 3")
		require.ErrorIs(t, err, manager.ErrTooManyLocks)
		require.NotErrorIs(t, err, manager.ErrLockTimeout)
		var limit *manager.LockLimitError
		require.ErrorAs(t, err, &limit)
		assert.Equal(t, manager.LockLimitError{Limit: 2}, *limit)
		assert.EqualError(t, err, `manager: lock "client 3" of bind "accounts": this process has 2 connections open for locks, `+
			`and no more are allowed: hold fewer names at a time, or raise locks.max_open`)
	}
	open, waiting, refused := lockStats(t, m)
	assert.Equal(t, []int{2, 0, 3}, []int{open, waiting, int(refused)})
	require.NoError(t, a.Unlock())
	require.NoError(t, a.Unlock(), "twice: it is counted once")
	c := lock(t, m, "client 3")
	_, err := m.Lock(t.Context(), accounts{}, "client 1")
	require.ErrorIs(t, err, manager.ErrTooManyLocks)
	require.NoError(t, errors.Join(b.Unlock(), c.Unlock()))
	open, waiting, _ = lockStats(t, m)
	assert.Zero(t, open+waiting)
}

// Any number may wait for one name on one connection, up to a limit of its own.
func TestWaitersForLocksAreLimited(t *testing.T) {
	m := openLimited(t, manager.LockLimits{MaxOpen: 2, MaxWaiting: 3})
	held := lock(t, m, "a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var left sync.WaitGroup
	for range 3 {
		left.Go(func() {
			_, err := m.Lock(ctx, accounts{}, "a")
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	require.Eventually(t, func() bool { open, waiting, _ := lockStats(t, m); return open == 2 && waiting == 3 }, 5*time.Second, time.Millisecond)
	err := m.WithLock(t.Context(), accounts{}, "b", func(context.Context) error { panic("it has no lock") })
	var limit *manager.LockLimitError
	require.ErrorAs(t, err, &limit)
	assert.Equal(t, manager.LockLimitError{Waiting: true, Limit: 3}, *limit)
	assert.ErrorContains(t, err, "raise locks.max_waiting")
	cancel()
	left.Wait()
	open, waiting, refused := lockStats(t, m)
	assert.Equal(t, []int{1, 0, 1}, []int{open, waiting, int(refused)})
	require.NoError(t, held.Unlock())
}

// A lock that could not be had leaves nothing counted, whatever was in the way.
func TestFailedLocksAreNotCounted(t *testing.T) {
	m := openLimited(t, manager.LockLimits{MaxOpen: 2})
	held := lock(t, m, "a")
	for range 5 {
		_, err := m.Lock(t.Context(), accounts{}, "a", manager.TryOnly())
		require.ErrorIs(t, err, manager.ErrLockTimeout)
		_, err = m.Lock(t.Context(), accounts{}, "a", manager.Wait(time.Millisecond))
		require.ErrorIs(t, err, manager.ErrLockTimeout)
		_, err = m.Lock(t.Context(), accounts{}, "")
		require.Error(t, err)
	}
	open, waiting, refused := lockStats(t, m)
	assert.Equal(t, []int{1, 0, 0}, []int{open, waiting, int(refused)})
	require.NoError(t, held.Unlock())
}

// The default is the limit that the documentation says, and a negative one is none.
func TestLockLimitsByDefault(t *testing.T) {
	assert.Equal(t, manager.LockLimits{MaxOpen: 20, MaxWaiting: 1000}, manager.LockLimits{}.WithDefaults())
	m := openLimited(t, manager.LockLimits{MaxOpen: -1})
	var all []*manager.Lock
	for i := range 25 {
		all = append(all, lock(t, m, fmt.Sprint(i)))
	}
	for _, l := range all {
		require.NoError(t, l.Unlock())
	}
}

func TestLockNameIsLimited(t *testing.T) {
	m := openLimited(t, manager.LockLimits{})
	require.NoError(t, lock(t, m, strings.Repeat("n", 4096)).Unlock())
	_, err := m.Lock(t.Context(), accounts{}, strings.Repeat("é", 1<<20))
	var bad *binds.LockNameError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, `manager: lock of bind "accounts": binds: the lock name "`+strings.Repeat("é", 32)+
		`…" has 2097152 bytes: give text in UTF-8 without NUL, of 1 to 4096 bytes`, err.Error())
}

// Who only tries a lock that this process holds is told so, without a connection.
func TestTryingAHeldLockAtTheLimit(t *testing.T) {
	m := openLimited(t, manager.LockLimits{MaxOpen: 1})
	held := lock(t, m, "a")
	_, err := m.Lock(t.Context(), accounts{}, "a", manager.TryOnly())
	require.ErrorIs(t, err, manager.ErrLockTimeout)
	_, err = m.Lock(t.Context(), accounts{}, "b", manager.TryOnly())
	require.ErrorIs(t, err, manager.ErrTooManyLocks)
	require.NoError(t, held.Unlock())
}
