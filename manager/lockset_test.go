package manager

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
)

// Close does not wait for locks that others hold: it ends those who do.
func TestCloseEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // SQLite's interrupts end a moment after what they interrupt
		dir := filepath.ToSlash(t.TempDir())
		var ms [2]*DBManager
		for i := range ms {
			var err error
			ms[i], err = New(t.Context(), &Config{Binds: []BindConfig{
				{Key: "accounts", Writer: binds.NewURI("sqlite://" + dir + "/app.db")},
			}})
			require.NoError(t, err)
			defer func() { assert.NoError(t, ms[i].Close()) }()
		}
		l, err := ms[0].Lock(t.Context(), binds.Key("accounts"), "a")
		require.NoError(t, err)
		const waiters = 3 // one of them on the database, two behind it
		errs := make(chan error, waiters)
		for range waiters {
			go func() {
				_, err := ms[1].Lock(context.Background(), binds.Key("accounts"), "a")
				errs <- err
			}()
		}
		synctest.Wait()
		assert.Equal(t, waiters, ms[1].book.Load().def.locks.turns["a"].users)
		require.NoError(t, ms[1].Close())
		for range waiters {
			require.ErrorIs(t, <-errs, ErrClosed)
		}
		assert.Empty(t, ms[1].book.Load().def.locks.turns)
		require.NoError(t, l.Unlock(), "the other manager's is left alone")
	})
}

// closable is a connection for a lock that can be closed again and again.
type closable struct{ binds.NamedLock }

func (closable) Close() error { return nil }

// A connection is counted until it is closed for the first time: a lock that is taken while its manager closes is closed twice.
func TestConnectionsForLocksAreCountedOnce(t *testing.T) {
	s := newLockSet(LockLimits{MaxOpen: 2})
	require.NoError(t, s.connect("a", false, false))
	require.NoError(t, s.connect("b", false, false))
	require.ErrorIs(t, s.connect("c", false, false), ErrTooManyLocks)
	require.NoError(t, s.connect("migrations", false, true), "the library's own")
	l := &countedLock{NamedLock: closable{}, set: s}
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	assert.Equal(t, 2, s.conns)
}
