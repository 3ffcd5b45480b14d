package sqlitebind

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/binds"
)

func connTo(t *testing.T, uri string) *conn {
	t.Helper()
	s, err := parse(uri)
	require.NoError(t, err)
	c, err := newSource(New(), s).connect(t.Context(), binds.Writer)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// A statement that has left SQLite is not interrupted: its connection may be closed by now.
func TestNoInterruptAfterLeave(t *testing.T) {
	i := &interrupter{} // without a handle an interrupt panics
	s := i.watch(t.Context())
	require.NoError(t, i.enter(s))
	i.leave()
	assert.False(t, i.interruptOnce(s.id))

	next := i.watch(t.Context())
	require.NoError(t, i.enter(next))
	assert.False(t, i.interruptOnce(s.id), "another statement is inside")
	i.leave()
}

func TestNoEntryAfterTheContext(t *testing.T) {
	i := &interrupter{}
	ctx, cancel := context.WithCancel(t.Context())
	s := i.watch(ctx)
	cancel()
	require.ErrorIs(t, i.enter(s), context.Canceled)
	assert.Zero(t, i.current)
}

// SQLite forgets an interrupt that comes before a statement's first step, so it is repeated.
func TestEarlyInterruptIsRepeated(t *testing.T) {
	c := connTo(t, "sqlite::memory:")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.do(ctx, func() error {
			cancel()
			for sqlite3.Xsqlite3_is_interrupted(c.db.tls, c.db.db) == 0 {
				continue
			}
			_, err := c.raw.ExecContext(context.Background(),
				"WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 1000000000) SELECT count(*) FROM r", nil)
			return err
		})
	}()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the statement runs on")
	}
}
