package mysqlbind_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/internal/teston"
)

func attempt(t *testing.T, e *binds.Engine, name string) binds.NamedLock {
	t.Helper()
	l, err := e.NamedLock(bounded(t), name)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func acquire(t *testing.T, l binds.NamedLock, wait time.Duration) bool {
	t.Helper()
	got, err := l.Acquire(bounded(t), wait)
	require.NoError(t, err)
	return got
}

// LockName and the statement of its documentation agree, and it is what the lock is called.
func TestLockNameOnTheServer(t *testing.T) {
	e := writer(t, "")
	for _, name := range []string{"reports", "Reports", "日本語", "\U0001F512"} {
		assert.Equal(t, mysqlbind.LockName("app", name),
			value(t, e, "SELECT SHA2(CONCAT('bindery:', DATABASE(), CHAR(0), CAST('"+name+"' AS BINARY)), 256)"), name)
	}
	require.True(t, acquire(t, attempt(t, e, "reports"), 0))
	assert.Equal(t, "0", value(t, e, "SELECT GET_LOCK('"+mysqlbind.LockName("app", "reports")+"', 0)"))
}

func TestNoLockOnAReplica(t *testing.T) {
	if teston.MySQLFamily() == teston.Galera {
		t.Skip("the nodes of Galera are equals: none is a replica")
	}
	l := attempt(t, engine(t, cluster.Replicas[0].URI()), "a")
	_, err := l.Acquire(bounded(t), time.Second)
	require.ErrorIs(t, err, binds.ErrNotPrimary)
	_, err = l.Check(bounded(t))
	require.ErrorIs(t, err, binds.ErrNotPrimary)
}

// The server's limit on statements does not end a wait, nor does the URI's on reading.
func TestLockOutwaitsOtherLimits(t *testing.T) {
	holder := attempt(t, writer(t, ""), "a")
	require.True(t, acquire(t, holder, 0))
	onPrimary(t, "SET GLOBAL "+server().limit+" = "+server().tight)
	t.Cleanup(func() { onPrimary(t, "SET GLOBAL "+server().limit+" = 0") })
	l := attempt(t, writer(t, ""), "a")
	for _, wait := range []time.Duration{300 * time.Millisecond, time.Second} { // MySQL's own waits have whole seconds
		start := time.Now()
		require.False(t, acquire(t, l, wait))
		assert.GreaterOrEqual(t, time.Since(start), wait-50*time.Millisecond)
	}
	require.False(t, acquire(t, l, 0), "the session is good")

	impatient := attempt(t, writer(t, "?read_timeout=400ms"), "a")
	require.False(t, acquire(t, impatient, time.Minute), "a statement ends before the read timeout does")
	require.False(t, acquire(t, impatient, 0))
}

// MariaDB answers a killed wait with NULL and no error, MySQL with one.
func TestLockWaitThatIsKilled(t *testing.T) {
	e := writer(t, "")
	require.True(t, acquire(t, attempt(t, e, "a"), 0))
	l := attempt(t, e, "a")
	failed := make(chan error)
	go func() {
		_, err := l.Acquire(context.Background(), time.Minute)
		failed <- err
	}()
	id := ""
	require.Eventually(t, func() bool {
		id, _ = cluster.Primary.QueryString(t.Context(), "SELECT ID FROM "+server().processes+" WHERE STATE = 'User lock'")
		return id != ""
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, cluster.Primary.Exec(bounded(t), "KILL QUERY "+id))
	err := <-failed
	require.ErrorContains(t, err, server().killedWait)
	assert.NotEqual(t, binds.Retryable, e.Classify(err), "whoever killed it meant it")
}

func ExampleLockName() {
	fmt.Println(mysqlbind.LockName("shop", "reports"))
	// Output: f7e3af7d981f6e4baab1e3aa3a3b9d195539977fad17a144edad7d645ec5ee62
}
