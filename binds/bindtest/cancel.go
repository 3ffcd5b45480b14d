package bindtest

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// A stop is one way for a context to end.
type stop struct {
	name string
	want error
	make func(context.Context) (context.Context, context.CancelFunc)
}

var stops = []stop{
	{"cancel", context.Canceled, context.WithCancel},
	{"deadline", context.DeadlineExceeded, func(c context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(c, 200*time.Millisecond)
	}},
}

// slowUses are ways to run a slow statement under a context.
var slowUses = []struct {
	name string
	do   func(s *suite, ctx context.Context, e *binds.Engine) error
}{
	{"Exec", func(s *suite, ctx context.Context, e *binds.Engine) error {
		return second(e.DB().ExecContext(ctx, s.Slow))
	}},
	{"Query", func(s *suite, ctx context.Context, e *binds.Engine) error {
		return drain(e.DB().QueryContext(ctx, s.Slow))
	}},
	{"QueryRow", func(s *suite, ctx context.Context, e *binds.Engine) error {
		var v any
		return e.DB().QueryRowContext(ctx, s.Slow).Scan(&v)
	}},
	{"streaming rows", func(s *suite, ctx context.Context, e *binds.Engine) error {
		return drain(e.DB().QueryContext(ctx, s.SlowRows))
	}},
	{"prepared", func(s *suite, ctx context.Context, e *binds.Engine) error {
		stmt, err := e.DB().PrepareContext(context.WithoutCancel(ctx), s.Slow)
		if err != nil {
			return err
		}
		return errors.Join(second(stmt.ExecContext(ctx)), stmt.Close())
	}},
	{"prepared Query", func(s *suite, ctx context.Context, e *binds.Engine) error {
		stmt, err := e.DB().PrepareContext(context.WithoutCancel(ctx), s.Slow)
		if err != nil {
			return err
		}
		return errors.Join(drain(stmt.QueryContext(ctx)), stmt.Close())
	}},
	{"statement in a transaction", func(s *suite, ctx context.Context, e *binds.Engine) error {
		tx, err := e.DB().BeginTx(context.WithoutCancel(ctx), nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.Slow)
		_ = tx.Rollback() // its connection may be gone
		return err
	}},
	{"transaction", func(s *suite, ctx context.Context, e *binds.Engine) error {
		tx, err := e.DB().BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.Slow)
		_ = tx.Rollback() // database/sql may have done so already
		return err
	}},
	{"Bun", func(s *suite, ctx context.Context, e *binds.Engine) error {
		return second(s.bun(e).NewRaw(s.Slow).Exec(ctx))
	}},
}

// A context that ends stops the statement: the caller has its error promptly, the server stops
// working, and the pool serves whatever comes next.
func (s *suite) cancellation(t *testing.T) {
	for _, use := range slowUses {
		for _, stop := range stops {
			t.Run("writer "+use.name+" "+stop.name, func(t *testing.T) {
				e := s.writer(t)
				s.stopped(t, stop, e, func(c context.Context) error { return use.do(s, c, e) })
			})
			t.Run("reader "+use.name+" "+stop.name, func(t *testing.T) {
				e := s.readers(t, s.writer(t))[0].Engine
				s.stopped(t, stop, e, func(c context.Context) error { return use.do(s, c, e) })
			})
		}
	}
	for _, stop := range stops {
		t.Run("after the first row "+stop.name, func(t *testing.T) { s.stoppedRows(t, s.writer(t), stop) })
		t.Run("waiting for a lock "+stop.name, func(t *testing.T) { s.stoppedWait(t, s.writer(t), stop) })
	}
	t.Run("before the statement", func(t *testing.T) { s.stoppedBefore(t, s.writer(t)) })
}

// stopped runs do until stop ends its context, and checks what becomes of it.
func (s *suite) stopped(t *testing.T, stop stop, e *binds.Engine, do func(context.Context) error) {
	t.Helper()
	require.NoError(t, e.DB().PingContext(ctx(t)), "the context must not end while the engine connects")
	c, cancel := stop.make(ctx(t))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(c) }()
	if stop.want == context.Canceled {
		s.eventually(t, func() bool { return s.running(t) > 0 }, "the statement does not begin")
		cancel()
	}
	<-c.Done()
	since := time.Now()
	select {
	case err := <-done:
		t.Logf("returned %v after the context's end", time.Since(since))
		require.ErrorIs(t, err, stop.want)
		assert.Contains(t, []binds.Fault{binds.Canceled, binds.Unknown}, e.Classify(err), "fault of %v", err)
	case <-time.After(patience):
		require.Fail(t, "the statement did not return after its context had ended")
	}
	s.eventually(t, func() bool { return s.running(t) == 0 }, "the server works on")
	works(t, e)
}

// awaitWaiting waits until a server has the statement that waits for a lock. In this process nobody can ask, so
// it waits until the pool is in use: by one more connection than before, or by one more caller that waits for one.
func (s *suite) awaitWaiting(t *testing.T, e *binds.Engine, idle sql.DBStats) {
	t.Helper()
	s.eventually(t, func() bool {
		if !s.Embedded {
			return s.running(t) > 0
		}
		now := e.DB().Stats()
		return now.InUse > idle.InUse || now.WaitCount > idle.WaitCount
	}, "the statement does not begin")
}

func (s *suite) stoppedRows(t *testing.T, e *binds.Engine, stop stop) {
	first := make(chan struct{})
	c, cancel := stop.make(ctx(t))
	defer cancel()
	done := make(chan error, 1)
	go func() {
		rows, err := e.DB().QueryContext(c, s.SlowRows)
		if err == nil && rows.Next() {
			close(first)
		}
		done <- drain(rows, err)
	}()
	if stop.want == context.Canceled {
		select {
		case <-first:
		case err := <-done:
			require.Fail(t, "no first row", "%v", err)
		}
		cancel()
	}
	<-c.Done()
	select {
	case err := <-done:
		require.ErrorIs(t, err, stop.want)
	case <-time.After(patience):
		require.Fail(t, "the rows went on after their context had ended")
	}
	s.eventually(t, func() bool { return s.running(t) == 0 }, "the server works on")
	works(t, e)
}

func (s *suite) stoppedWait(t *testing.T, e *binds.Engine, stop stop) {
	s.table(t, e, "bindtest_locked", "id INTEGER PRIMARY KEY, n INTEGER")
	exec(t, e, "INSERT INTO bindtest_locked (id, n) VALUES (1, 1)")
	holder, err := e.DB().BeginTx(ctx(t), nil)
	require.NoError(t, err)
	_, err = holder.ExecContext(ctx(t), "UPDATE bindtest_locked SET n = 2 WHERE id = 1")
	require.NoError(t, err)
	c, cancel := stop.make(ctx(t))
	defer cancel()
	idle := e.DB().Stats()
	done := make(chan error, 1)
	go func() { done <- second(e.DB().ExecContext(c, "UPDATE bindtest_locked SET n = 3 WHERE id = 1")) }()
	if stop.want == context.Canceled {
		s.awaitWaiting(t, e, idle)
		cancel()
	}
	<-c.Done()
	select {
	case err := <-done:
		require.ErrorIs(t, err, stop.want)
	case <-time.After(patience):
		require.Fail(t, "the wait went on after its context had ended")
	}
	s.eventually(t, func() bool { return s.running(t) == 0 }, "the server waits on")
	require.NoError(t, holder.Commit())
	works(t, e)
	assert.Equal(t, "2", value(t, e, "SELECT n FROM bindtest_locked"), "an abandoned write was carried out")
}

func (s *suite) stoppedBefore(t *testing.T, e *binds.Engine) {
	c, cancel := context.WithCancel(ctx(t))
	cancel()
	for name, use := range uses {
		assert.ErrorIs(t, use(c, e), context.Canceled, name)
	}
	works(t, e)
}

// A context that ends as its statement does hits no later statement of the same connection.
func (s *suite) lateCancel(t *testing.T) {
	e := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1}))
	for name, do := range map[string]func(context.Context) error{
		"Query": func(c context.Context) error { return drain(e.DB().QueryContext(c, "SELECT 1")) },
		"Exec":  func(c context.Context) error { return second(e.DB().ExecContext(c, "SELECT 1")) },
		"transaction": func(c context.Context) error {
			tx, err := e.DB().BeginTx(c, nil)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(c, "SELECT 1")
			return errors.Join(err, tx.Commit())
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				c, cancel := context.WithCancel(ctx(t))
				raced := make(chan struct{})
				go func() { cancel(); close(raced) }()
				if err := do(c); err != nil && !errors.Is(err, sql.ErrTxDone) {
					require.ErrorIs(t, err, context.Canceled)
				}
				require.Equal(t, "1", value(t, e, "SELECT 1"), "a late cancel hit another statement")
				<-raced
			}
		})
	}
}
