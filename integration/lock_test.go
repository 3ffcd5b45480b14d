package integration_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
)

// A lockKind is a kind of server, and how an administrator sees its locks.
type lockKind struct {
	waiters string // query: how many sessions wait for a lock
	end     func(id string) string
	fence   bool
}

var lockKinds = map[string]lockKind{
	"postgres": {
		waiters: "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
		end:     func(id string) string { return "SELECT pg_terminate_backend(" + id + ")" },
		fence:   true,
	},
	"mariadb": lockKindOfMySQL,
	"mysql":   lockKindOfMySQL,
	"group":   lockKindOfMySQL,
	"galera":  lockKindOfMySQL,
}

var lockKindOfMySQL = lockKind{
	waiters: "SELECT count(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'",
	end:     func(id string) string { return "KILL " + id },
}

// A lockBench is a manager on a cluster, at an address that can be cut and moved.
type lockBench struct {
	lockKind
	*manager.DBManager
	on      string
	cluster *integration.Cluster
	address *forwarder
}

// eachLockKind runs a test on servers of its own.
func eachLockKind(t *testing.T, test func(t *testing.T, b *lockBench)) {
	t.Helper()
	teston.Only(t, slices.Collect(maps.Keys(lockKinds))...)
	for name, k := range lockKinds {
		if !teston.Has(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := teston.Start(t, name, 1)
			f := newForwarder(t, c.Primary.Addr())
			uri := f.uri(c.Primary)
			m := openManager(t, config(map[string]string{"shop": uri}, nil, "pool = { max_open = 1 }"))
			test(t, &lockBench{lockKind: k, DBManager: m, on: name, cluster: c, address: f})
		})
	}
}

func (b *lockBench) lock(t *testing.T) *heldLock {
	t.Helper()
	l, err := b.Lock(t.Context(), shop{}, "job", manager.Wait(waitFor))
	require.NoError(t, err)
	at := make(chan time.Time, 1)
	context.AfterFunc(l.Context(), func() { at <- time.Now() })
	return &heldLock{l, at}
}

// ask asks the primary's administrator.
func (b *lockBench) ask(t *testing.T, query string) string {
	t.Helper()
	answer, err := b.cluster.Primary.QueryString(t.Context(), query)
	require.NoError(t, err)
	return answer
}

func (b *lockBench) eventually(t *testing.T, want, query string) {
	t.Helper()
	require.Eventually(t, func() bool { return b.ask(t, query) == want }, waitFor, time.Millisecond, query)
}

// begin starts to wait for the lock, and returns once the server knows of it.
func (b *lockBench) begin(ctx context.Context, t *testing.T) <-chan waited {
	t.Helper()
	done := make(chan waited, 1)
	go func() {
		l, err := b.Lock(ctx, shop{}, "job")
		done <- waited{l, err, time.Now()}
	}()
	b.eventually(t, "1", b.waiters)
	return done
}

type waited struct {
	lock *manager.Lock
	err  error
	at   time.Time
}

// A heldLock is a lock that notes when it is lost.
type heldLock struct {
	*manager.Lock
	lostAt chan time.Time
}

// lost waits until a lock is known to be lost, and logs how long that took.
func lost(t *testing.T, l *heldLock, since time.Time, what string) {
	t.Helper()
	select {
	case at := <-l.lostAt:
		t.Logf("%s: noticed after %v", what, at.Sub(since))
	case <-time.After(waitFor):
		require.Fail(t, "the loss goes unnoticed", what)
	}
	cause := context.Cause(l.Context())
	require.ErrorIs(t, cause, manager.ErrLockLost)
	t.Log(cause)
	assertNoPassword(t, cause)
	began := time.Now()
	require.ErrorIs(t, l.Unlock(), manager.ErrLockLost)
	t.Logf("%s: Unlock took %v", what, time.Since(began))
}

var number = regexp.MustCompile(`\d+`)

// holder returns the server's identifier of the session that holds the lock.
func (b *lockBench) holder(t *testing.T) string {
	t.Helper()
	_, err := b.Lock(t.Context(), shop{}, "job", manager.TryOnly())
	require.ErrorIs(t, err, manager.ErrLockTimeout)
	t.Log(err)
	var typed *manager.LockError
	require.ErrorAs(t, err, &typed)
	return number.FindString(typed.Holder)
}

func TestLockOfATerminatedSession(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		l := b.lock(t)
		before, ok := l.Fence()
		assert.Equal(t, b.fence, ok)
		id := b.holder(t)
		next := b.begin(t.Context(), t)

		killed := time.Now()
		require.NoError(t, b.cluster.Primary.Exec(t.Context(), b.end(id)))
		got := <-next
		require.NoError(t, got.err)
		t.Logf("the next waiter had the lock after %v", got.at.Sub(killed))
		lost(t, l, killed, "session terminated")
		require.NoError(t, got.lock.Context().Err(), "the next holder is well")
		if after, ok := got.lock.Fence(); ok {
			assert.Greater(t, after, before)
		}
		require.NoError(t, got.lock.Unlock())
		require.NoError(t, b.Close())
		b.eventually(t, "0", b.sessions())
	})
}

// TestWithLockTellsOfTheLoss has the lock lost while fn runs and finds nothing wrong itself.
func TestWithLockTellsOfTheLoss(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		failure := errors.New("fn gave up")
		for _, own := range []error{nil, failure} {
			err := b.WithLock(t.Context(), shop{}, "job", func(ctx context.Context) error {
				require.NoError(t, b.cluster.Primary.Exec(t.Context(), b.end(b.holder(t))))
				<-ctx.Done()
				return own
			})
			require.ErrorIs(t, err, manager.ErrLockLost)
			if own != nil {
				require.ErrorIs(t, err, failure)
			}
		}
	})
}

func TestCancelledWaiterLeavesNothing(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		l := b.lock(t)
		sessions := b.ask(t, b.sessions())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		next := b.begin(ctx, t)
		cancelled := time.Now()
		cancel()
		got := <-next
		t.Logf("returned %v after the cancel", got.at.Sub(cancelled))
		require.ErrorIs(t, got.err, context.Canceled)
		require.NotErrorIs(t, got.err, manager.ErrLockTimeout)
		b.eventually(t, "0", b.waiters)
		t.Logf("no waiter on the server %v after the cancel", time.Since(cancelled))
		b.eventually(t, sessions, b.sessions())

		ctx, cancel = context.WithTimeout(t.Context(), 1300*time.Millisecond) // more than a slice
		defer cancel()
		got = <-b.begin(ctx, t)
		deadline, _ := ctx.Deadline()
		t.Logf("returned %v after the deadline: %v", got.at.Sub(deadline), got.err)
		require.ErrorIs(t, got.err, context.DeadlineExceeded)
		b.eventually(t, "0", b.waiters)
		require.NoError(t, l.Context().Err())
		require.NoError(t, l.Unlock())
	})
}

// sessions is a query for how many sessions the application has.
func (b *lockBench) sessions() string {
	if b.fence {
		return "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'app'"
	}
	return "SELECT count(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'"
}

func TestLockOfABrokenConnection(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		l := b.lock(t)
		cut := time.Now()
		b.address.cut()
		lost(t, l, cut, "connection cut")
		require.NoError(t, b.lock(t).Unlock(), "the server has freed it")
	})
}

func TestLockOnAServerThatIsKilled(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		l := b.lock(t)
		next := b.begin(t.Context(), t)
		killed := time.Now()
		require.NoError(t, b.cluster.Primary.Kill(t.Context()))
		lost(t, l, killed, "server killed")
		got := <-next
		require.Error(t, got.err, "the waiter is told")
		t.Logf("the waiter was told after %v: %v", got.at.Sub(killed), got.err)
		_, err := b.Lock(t.Context(), shop{}, "job")
		var connect *binds.ConnectError
		require.ErrorAs(t, err, &connect, "nobody is there to lock on")
		t.Log(err)
		assertNoPassword(t, err)
		require.NoError(t, b.cluster.Primary.Start(t.Context()))
		if b.on == teston.Group { // it has chosen another primary meanwhile
			_, err := b.Lock(t.Context(), shop{}, "job")
			require.ErrorIs(t, err, binds.ErrNotPrimary)
			require.Eventually(t, func() bool {
				for _, s := range b.cluster.Replicas {
					if writable, err := s.QueryString(t.Context(), "SELECT @@super_read_only = 0"); err == nil && writable == "1" {
						b.address.move(s.Addr())
						return true
					}
				}
				return false
			}, waitFor, tick)
		}
		require.NoError(t, b.lock(t).Unlock())
	})
}

// TestLockOnAServerThatIsFrozen also cancels a waiter there, which no server hears of, and frees a lock
// whose loss is not known yet.
func TestLockOnAServerThatIsFrozen(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		l := b.lock(t)
		other, err := b.Lock(t.Context(), shop{}, "other job")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		next := b.begin(ctx, t)
		frozen := time.Now()
		require.NoError(t, b.cluster.Primary.Freeze())
		cancelled := time.Now()
		cancel()
		got := <-next
		require.ErrorIs(t, got.err, context.Canceled)
		t.Logf("the waiter returned %v after the cancel", got.at.Sub(cancelled))
		unlocking := time.Now()
		require.ErrorIs(t, other.Unlock(), manager.ErrLockLost, "nobody says that it was held")
		t.Logf("Unlock took %v on a frozen server", time.Since(unlocking))
		lost(t, l, frozen, "server frozen")
		require.NoError(t, b.cluster.Primary.Thaw())
		b.eventually(t, "0", b.waiters)
		require.NoError(t, b.lock(t).Unlock(), "what the dead connections held is free")
	})
}

// TestLockOnADemotedPrimary makes the primary a replica, or read-only, under a lock.
func TestLockOnADemotedPrimary(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		if b.on == teston.Galera {
			t.Skip("the nodes of Galera are equals: none is promoted")
		}
		l := b.lock(t)
		old, successor := b.cluster.Primary, b.cluster.Replicas[0]
		demoted := time.Now()
		if b.fence {
			require.NoError(t, successor.Promote(t.Context()))
			demoted = time.Now()
			require.NoError(t, old.Rebuild(t.Context(), successor))
		} else {
			require.NoError(t, old.Exec(t.Context(), "SET GLOBAL read_only = 1"))
		}
		lost(t, l, demoted, "primary demoted")
		_, err := b.Lock(t.Context(), shop{}, "job", manager.TryOnly())
		require.ErrorIs(t, err, binds.ErrNotPrimary)
		_, err = b.Lock(t.Context(), shop{}, "job")
		require.ErrorIs(t, err, binds.ErrNotPrimary)
		t.Log(err)

		if !b.fence {
			require.NoError(t, successor.Promote(t.Context()))
		}
		b.address.move(successor.Addr())
		require.NoError(t, b.lock(t).Unlock(), "the address leads to the new primary")
	})
}

// TestLocksOfTwoDatabases shows that one server's databases do not share names.
func TestLocksOfTwoDatabases(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		require.NoError(t, b.cluster.Primary.Exec(t.Context(), "CREATE DATABASE other"))
		uri := b.cluster.Primary.URI()
		if !b.fence {
			require.NoError(t, b.cluster.Primary.Exec(t.Context(), "GRANT ALL ON other.* TO app@'%'"))
		}
		other, err := url.Parse(uri)
		require.NoError(t, err)
		other.Path = "/other"
		m := openManager(t, config(map[string]string{"shop": uri, "audit": other.String()}, nil, ""))
		l := b.lock(t)
		_, err = m.Lock(t.Context(), shop{}, "job", manager.TryOnly())
		require.ErrorIs(t, err, manager.ErrLockTimeout, "another manager, the same database")
		second, err := m.Lock(t.Context(), audit{}, "job", manager.TryOnly())
		require.NoError(t, err, "another database")
		require.NoError(t, errors.Join(l.Unlock(), second.Unlock()))
	})
}

// TestLocksKeepACounter has two managers' goroutines read and write a row without a transaction. The
// bind's pool has one connection: the locks need none of it. There are more goroutines than PostgreSQL has
// connections: those who wait need one for each manager.
func TestLocksKeepACounter(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		const workers = 150
		second := openManager(t, config(map[string]string{"shop": b.cluster.Primary.URI()}, nil, ""))
		_, err := b.NewRaw(shop{}, "CREATE TABLE counter (id INT PRIMARY KEY, n INT)").Exec(t.Context())
		require.NoError(t, err)
		_, err = b.NewRaw(shop{}, "INSERT INTO counter VALUES (1, 0)").Exec(t.Context())
		require.NoError(t, err)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range workers {
			m := b.DBManager
			if i%2 == 0 {
				m = second
			}
			wg.Go(func() {
				assert.NoError(t, m.WithLock(t.Context(), shop{}, "counter", func(ctx context.Context) error {
					var n int
					if err := m.NewRaw(shop{}, "SELECT n FROM counter").Scan(ctx, &n); err != nil {
						return err
					}
					_, err := m.NewRaw(shop{}, "UPDATE counter SET n = ?", n+1).Exec(ctx)
					return err
				}))
			})
		}
		wg.Wait()
		t.Logf("%d increments took %v", workers, time.Since(began))
		assert.Equal(t, strconv.Itoa(workers), b.ask(t, "SELECT n FROM counter"))
		require.NoError(t, errors.Join(b.Close(), second.Close()))
		b.eventually(t, "0", b.sessions())
	})
}
