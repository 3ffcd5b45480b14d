package pgbind

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

func attempt(t *testing.T, e *binds.Engine, name string) *lock {
	t.Helper()
	l, err := e.NamedLock(t.Context(), name)
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

// LockKey and the statement of its documentation agree.
func TestLockKey(t *testing.T) {
	assert.Equal(t, int64(-6577070814924081647), LockKey("reports"), "a key never changes: other versions lock it too")
	for _, name := range []string{"reports", "a", "日本語", "it's"} {
		var key int64
		require.NoError(t, admin.QueryRowContext(t.Context(),
			"SELECT ('x' || left(encode(sha256(convert_to('bindery:' || $1, 'UTF8')), 'hex'), 16))::bit(64)::bigint", name).Scan(&key))
		assert.Equal(t, key, LockKey(name), name)
	}
}

func TestLockIsAnAdvisoryLock(t *testing.T) {
	e := open(t, cluster.Primary.URI())
	require.True(t, acquire(t, attempt(t, e, "reports"), 0))
	assert.Equal(t, "false", value(t, e, "SELECT pg_try_advisory_lock("+strconv.FormatInt(LockKey("reports"), 10)+")::text"))
}

func TestNoLockOnAStandby(t *testing.T) {
	l := attempt(t, open(t, cluster.Replicas[0].URI()), "a")
	for _, wait := range []time.Duration{0, time.Second} {
		_, err := l.Acquire(t.Context(), wait)
		require.ErrorIs(t, err, binds.ErrNotPrimary)
	}
	_, err := l.Check(t.Context())
	require.ErrorIs(t, err, binds.ErrNotPrimary)
}

// Limits that the URI or the login sets for statements do not end a wait, or the session.
func TestLockOutwaitsOtherLimits(t *testing.T) {
	holder := attempt(t, open(t, cluster.Primary.URI()), "a")
	require.True(t, acquire(t, holder, 0))
	limits := []string{"statement_timeout", "50", "idle_in_transaction_session_timeout", "50"}
	if since(14) {
		limits = append(limits, "idle_session_timeout", "50")
	}
	l := attempt(t, open(t, with(t, cluster.Primary.URI(), limits...)), "a")
	start := time.Now()
	require.False(t, acquire(t, l, 300*time.Millisecond))
	assert.GreaterOrEqual(t, time.Since(start), 250*time.Millisecond)
	require.False(t, acquire(t, l, 0), "the session is good")

	impatient := attempt(t, open(t, with(t, cluster.Primary.URI(), "read_timeout", "400ms")), "a")
	require.False(t, acquire(t, impatient, time.Minute), "a statement ends before the read timeout does")
	require.False(t, acquire(t, impatient, 0))
}

// A pooler that gives each transaction any session is found out.
func TestLockInAnotherSession(t *testing.T) {
	e := open(t, cluster.Primary.URI())
	l, other := attempt(t, e, "a"), attempt(t, e, "b")
	require.True(t, acquire(t, l, 0))
	require.NotEqual(t, l.mark, other.mark)
	l.conn, other.conn = other.conn, l.conn
	l.ask, other.ask = other.ask, l.ask
	_, err := l.Check(t.Context())
	require.ErrorIs(t, err, errLockPooled)
}

// The number that a crash follows is not given out again, though nothing was written.
func TestFenceSurvivesACrash(t *testing.T) {
	e := open(t, cluster.Primary.URI())
	var fences []uint64
	for range 5 {
		l := attempt(t, e, "a")
		require.True(t, acquire(t, l, 0))
		fences = append(fences, l.Fence())
		require.NoError(t, cluster.Primary.Kill(t.Context()))
		require.NoError(t, cluster.Primary.Start(t.Context()))
	}
	assert.IsIncreasing(t, fences)
	require.Eventually(t, func() bool { return admin.PingContext(t.Context()) == nil }, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, cluster.WaitReplayed(context.Background()))
}

// A deadline long past is an error at once, and a wait that a cancel request ends is the context's.
func TestLockOfAnEndedContext(t *testing.T) {
	l := attempt(t, open(t, cluster.Primary.URI()), "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Acquire(ctx, time.Second)
	require.ErrorIs(t, err, context.Canceled)
}
