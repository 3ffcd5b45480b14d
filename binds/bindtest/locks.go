package bindtest

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// locks checks what [binds.NamedLock] promises. A driver without locks promises nothing.
func (s *suite) locks(t *testing.T) {
	l, err := s.writer(t).NamedLock(ctx(t), "bindtest")
	if errors.Is(err, binds.ErrNoLocks) {
		return
	}
	require.NoError(t, err)
	require.NoError(t, l.Close())
	t.Run("exclude", func(t *testing.T) { s.run(t, (*suite).lockExcludes) })
	t.Run("list", func(t *testing.T) { s.run(t, (*suite).lockLists) })
	t.Run("wait", func(t *testing.T) { s.run(t, (*suite).lockWaits) })
	t.Run("names", func(t *testing.T) { s.run(t, (*suite).lockNames) })
	t.Run("close", func(t *testing.T) { s.run(t, (*suite).lockCloses) })
	t.Run("counter", func(t *testing.T) { s.run(t, (*suite).lockCounts) })
	for _, end := range stops {
		t.Run(end.name, func(t *testing.T) {
			s.run(t, func(s *suite, t *testing.T) { s.lockCancelled(t, end) })
		})
	}
	if s.Dead != "" {
		t.Run("dead", func(t *testing.T) { s.run(t, (*suite).lockOfTheDead) })
	}
	if !s.Embedded {
		t.Run("kill", func(t *testing.T) { s.run(t, (*suite).lockKilled) })
	}
}

// named opens an attempt that the test's end closes.
func named(t *testing.T, e *binds.Engine, name string) binds.NamedLock {
	t.Helper()
	l, err := e.NamedLock(ctx(t), name)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func acquires(t *testing.T, l binds.NamedLock, wait time.Duration, want bool, why string) {
	t.Helper()
	got, err := l.Acquire(ctx(t), wait)
	require.NoError(t, err, why)
	require.Equal(t, want, got, why)
}

func holds(t *testing.T, l binds.NamedLock) {
	t.Helper()
	until, err := l.Check(ctx(t))
	require.NoError(t, err)
	assert.True(t, until.IsZero() || time.Until(until) > 0, "it is held for a while")
}

func releases(t *testing.T, l binds.NamedLock) {
	t.Helper()
	held, err := l.Release(ctx(t))
	require.NoError(t, err)
	assert.True(t, held, "it was held")
}

func (s *suite) lockExcludes(t *testing.T) {
	e, second := s.writer(t), s.writer(t)
	if s.storage(second) != s.storage(e) {
		second = closed(t, e.Sibling("bindtest/second")) // a memory database is its engine's own
	}
	a, b := named(t, e, "bindtest"), named(t, second, "bindtest")
	holder, err := b.Holder(ctx(t))
	require.NoError(t, err)
	assert.Empty(t, holder, "nobody holds it")

	acquires(t, a, 0, true, "it is free")
	acquires(t, b, 0, false, "it is taken")
	acquires(t, b, 50*time.Millisecond, false, "it stays taken")
	acquires(t, named(t, e, "bindtest/other"), 0, true, "another name is another lock")
	holds(t, a)
	holder, err = b.Holder(ctx(t))
	require.NoError(t, err)
	assert.NotEmpty(t, holder, "somebody holds it")
	first := a.Fence()

	releases(t, a)
	acquires(t, b, 0, true, "the attempts in vain left the connection good")
	holds(t, b)
	if first != 0 {
		assert.Greater(t, b.Fence(), first, "the fence grows")
	}
	releases(t, b)
	held, err := b.Release(ctx(t))
	require.NoError(t, err)
	assert.False(t, held, "it is free already")
}

// lockLists checks what a driver whose locks can be listed tells of one that is held, and of who waits.
func (s *suite) lockLists(t *testing.T) {
	e := s.writer(t)
	const name = "bindtest/listed"
	find := func() (binds.LockState, bool) {
		list, err := e.ListLocks(ctx(t), name, "bindtest/nobody's")
		require.NoError(t, err)
		for _, l := range list.Locks {
			assert.NotEqual(t, "bindtest/nobody's", l.Name)
			if l.Name == name {
				return l, true
			}
		}
		return binds.LockState{}, false
	}
	if _, err := e.ListLocks(ctx(t), name); errors.Is(err, binds.ErrNoLocks) {
		return
	}
	var bad *binds.LockNameError
	_, err := e.ListLocks(ctx(t), "")
	require.ErrorAs(t, err, &bad)
	_, held := find()
	assert.False(t, held, "nobody holds it")
	a := named(t, e, name)
	_, held = find()
	assert.False(t, held, "to open one is not to hold it")
	acquires(t, a, 0, true, "it is free")
	l, held := find()
	require.True(t, held)
	assert.NotEmpty(t, l.ID)
	assert.NotEmpty(t, l.Holder)
	assert.Empty(t, l.Waiters)
	if !s.Embedded {
		b := named(t, e, name)
		done := make(chan error, 1)
		go func() {
			_, err := b.Acquire(ctx(t), patience)
			done <- err
		}()
		s.eventually(t, func() bool { l, _ := find(); return len(l.Waiters) == 1 }, "who waits is not listed")
		releases(t, a)
		require.NoError(t, <-done)
		l, _ = find()
		assert.Empty(t, l.Waiters)
		releases(t, b)
	} else {
		releases(t, a)
	}
	_, held = find()
	assert.False(t, held, "it is free again")
}

// storage tells memory databases apart.
func (s *suite) storage(e *binds.Engine) any {
	if s.Embedded && e.Storage() == "" {
		return e
	}
	return e.Storage()
}

func (s *suite) lockWaits(t *testing.T) {
	e := s.writer(t)
	a := named(t, e, "bindtest")
	acquires(t, a, 0, true, "it is free")
	got := s.waiter(ctx(t), t, e)
	s.eventually(t, func() bool { return s.running(t) == 1 || s.Embedded }, "nobody waits on the server")
	releases(t, a)
	require.NoError(t, <-got)
}

// waiter waits for the lock in the background, and frees it when it has it.
func (s *suite) waiter(ctx context.Context, t *testing.T, e *binds.Engine) <-chan error {
	t.Helper()
	l := named(t, e, "bindtest")
	done := make(chan error, 1)
	go func() {
		got, err := l.Acquire(ctx, patience)
		if err == nil && !got {
			err = errors.New("the lock was not free in time")
		}
		if err == nil {
			_, err = l.Release(ctx)
		}
		done <- err
	}()
	return done
}

func (s *suite) lockNames(t *testing.T) {
	e := s.writer(t)
	for _, name := range []string{"", "\xff", "a\x00b"} {
		_, err := e.NamedLock(ctx(t), name)
		var bad *binds.LockNameError
		require.ErrorAs(t, err, &bad, "%q", name)
	}
	names := []string{
		"a", "A", "a ", " a", "'", `"`, `\`, "%", "a'; --", "日本語", "é", "e\u0301", "\U0001F512", "a\nb",
		strings.Repeat("long", 1000), strings.Repeat("long", 1000) + "er", strings.Repeat("\U0001F512", 64),
	}
	for _, name := range names {
		acquires(t, named(t, e, name), 0, true, name+" is another lock")
	}
	for _, name := range names {
		acquires(t, named(t, e, name), 0, false, name+" is taken")
	}
}

func (s *suite) lockCloses(t *testing.T) {
	e := s.writer(t)
	a, err := e.NamedLock(ctx(t), "bindtest")
	require.NoError(t, err)
	acquires(t, a, 0, true, "it is free")
	require.NoError(t, a.Close())
	acquires(t, named(t, e, "bindtest"), patience, true, "closing freed it")
}

func (s *suite) lockCounts(t *testing.T) {
	e := s.writer(t)
	const workers = 50
	n := 0
	var fences []uint64
	var wg sync.WaitGroup
	for range workers {
		l := named(t, e, "bindtest")
		wg.Go(func() {
			for got := false; !got; {
				var err error
				if got, err = l.Acquire(ctx(t), patience); !assert.NoError(t, err) {
					return
				}
			}
			n++ // the race detector sees whether the lock excludes
			if f := l.Fence(); f != 0 {
				fences = append(fences, f)
			}
			held, err := l.Release(ctx(t))
			assert.NoError(t, err)
			assert.True(t, held)
		})
	}
	wg.Wait()
	assert.Equal(t, workers, n)
	assert.True(t, slices.IsSorted(fences), "%v", fences)
	assert.Len(t, slices.Compact(fences), len(fences), "no number twice")
}

func (s *suite) lockCancelled(t *testing.T, end stop) {
	e := s.writer(t)
	a := named(t, e, "bindtest")
	acquires(t, a, 0, true, "it is free")
	waiting, cancel := end.make(ctx(t))
	defer cancel()
	got := s.waiter(waiting, t, e)
	s.eventually(t, func() bool { return s.running(t) == 1 || s.Embedded || waiting.Err() != nil }, "nobody waits on the server")
	if end.name == "cancel" {
		cancel()
	}
	<-waiting.Done()
	ended := time.Now()
	require.ErrorIs(t, <-got, end.want)
	t.Logf("returned %v after its context's end", time.Since(ended))
	s.eventually(t, func() bool { return s.running(t) == 0 }, "the waiter is left on the server")
	t.Logf("the server had no waiter %v after", time.Since(ended))
	holds(t, a)
	releases(t, a)
	acquires(t, named(t, e, "bindtest"), patience, true, "nobody stands in the way")
}

// number is the server's identifier of a session in what NamedLock.Holder says.
var number = regexp.MustCompile(`\d+`)

func (s *suite) lockKilled(t *testing.T) {
	e := s.writer(t)
	a := named(t, e, "bindtest")
	acquires(t, a, 0, true, "it is free")
	got := s.waiter(ctx(t), t, e)
	holder, err := named(t, e, "bindtest").Holder(ctx(t))
	require.NoError(t, err)
	s.kill(t, number.FindString(holder))
	require.NoError(t, <-got, "the server frees what a dead session held")
	_, err = a.Check(ctx(t))
	require.Error(t, err, "the holder finds out")
	held, err := a.Release(ctx(t))
	require.Error(t, err)
	assert.False(t, held)
}

// lockOfTheDead connects where nobody is, or where the login is refused.
func (s *suite) lockOfTheDead(t *testing.T) {
	for _, uri := range []string{s.Dead, s.Login} {
		if uri == "" {
			continue
		}
		e := s.open(t, "bindtest/dead", uri)
		_, err := e.NamedLock(ctx(t), "bindtest")
		var connect *binds.ConnectError
		require.ErrorAs(t, err, &connect)
		assert.Equal(t, "bindtest/dead", connect.Engine)
		assert.Contains(t, []binds.Fault{binds.NotSent, binds.Busy}, e.Classify(err))
		for _, secret := range s.Secrets {
			assert.NotContains(t, err.Error(), secret)
		}
	}
}
