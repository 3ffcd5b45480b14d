package connwait_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/connwait"
)

var errRefused, errClosed = errors.New("refused"), errors.New("closed")

// A server makes connections that say nothing.
type server struct {
	queue *connwait.Queue

	asked atomic.Int64 // by who wants a connection, or only looks for one

	mu         sync.Mutex
	open, most int
	made       int
	fail       error
	bad        bool // connections are found broken when they are used again
	panics     bool // in whatever the driver is asked for
}

type conn struct {
	*server
	driver.Conn
	queue   *connwait.Queue
	made    time.Time
	passing bool
}

func (s *server) Connect(ctx context.Context) (driver.Conn, error) {
	s.asked.Add(1)
	return s.queue.Connect(ctx, func(context.Context) (driver.Conn, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.panics {
			panic("connect")
		}
		if s.fail != nil {
			return nil, s.fail
		}
		s.made++
		s.open++
		s.most = max(s.most, s.open)
		return &conn{server: s, made: time.Now()}, nil
	})
}

func (s *server) Driver() driver.Driver { return nil }
func (s *server) Close() error          { s.queue.Close(); return nil }

func (c *conn) WaitedFor(q *connwait.Queue) { c.queue = q }

func (c *conn) ResetSession(context.Context) error {
	if c.panics {
		panic("reset")
	}
	if c.bad {
		return driver.ErrBadConn
	}
	return nil
}

func (c *conn) IsValid() bool {
	c.passing = c.queue.Wants() && c.queue.Young(c.made)
	return !c.queue.Wants()
}

func (c *conn) Close() error {
	if c.passing && c.queue.Pass(c) {
		return nil
	}
	defer c.queue.Leave()
	return c.Discard()
}

func (c *conn) Discard() error {
	c.mu.Lock()
	c.open--
	c.mu.Unlock()
	return nil
}

func (c *conn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	time.Sleep(10 * time.Millisecond)
	return driver.RowsAffected(1), nil
}

// inBubble runs a test in a bubble, on a pool of so many connections for which callers wait a second.
func inBubble(t *testing.T, size int, test func(t *testing.T, s *server, db *sql.DB)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		s.queue = connwait.New(connwait.Limits{
			MaxOpen: size, MaxLifetime: time.Minute, MaxWait: time.Second, Closed: errClosed,
			Refused: func(waited time.Duration) error { return fmt.Errorf("%w after %v", errRefused, waited) },
		})
		db := sql.OpenDB(s)
		db.SetMaxIdleConns(size)
		s.queue.Serve(db)
		test(t, s, db)
		require.NoError(t, db.Close())
		s.mu.Lock()
		defer s.mu.Unlock()
		assert.Zero(t, s.open, "a connection leaks")
		assert.Zero(t, s.queue.Stats().Waiting)
	})
}

func take(t *testing.T, db *sql.DB, n int) (free func()) {
	t.Helper()
	var all []*sql.Conn
	for range n {
		c, err := db.Conn(t.Context())
		require.NoError(t, err)
		all = append(all, c)
	}
	return func() {
		for _, c := range all {
			require.NoError(t, c.Close())
		}
	}
}

// Who has no deadline waits for as long as the pool allows; who has one, or whose context ends, until then.
func TestWaitIsBounded(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, s *server, db *sql.DB) {
		free := take(t, db, 2)
		for reason, row := range map[string]struct {
			make func() (context.Context, context.CancelFunc)
			want error
			took time.Duration
		}{
			"no deadline": {func() (context.Context, context.CancelFunc) { return t.Context(), func() {} }, errRefused, time.Second},
			"a short deadline": {func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), time.Millisecond)
			}, context.DeadlineExceeded, time.Millisecond},
			"a long deadline": {func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), time.Hour) }, context.DeadlineExceeded, time.Hour},
			"cancelled": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(300*time.Millisecond, cancel)
				return ctx, cancel
			}, context.Canceled, 300 * time.Millisecond},
		} {
			ctx, cancel := row.make()
			began := time.Now()
			_, err := db.ExecContext(ctx, "")
			cancel()
			require.ErrorIs(t, err, row.want, reason)
			assert.Equal(t, row.took, time.Since(began), reason)
		}
		assert.EqualValues(t, 1, s.queue.Stats().Refusals)
		assert.EqualValues(t, 4, s.queue.Stats().Waits)
		free()
		_, err := db.ExecContext(t.Context(), "")
		require.NoError(t, err)
		assert.Equal(t, 2, s.made)
	})
}

// A flood is served in its order by the same few connections.
func TestWaitersAreServedInTheirOrder(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, s *server, db *sql.DB) {
		var mu sync.Mutex
		var order []int
		var left sync.WaitGroup
		free := take(t, db, 2)
		for i := range 50 {
			left.Go(func() {
				_, err := db.ExecContext(t.Context(), "")
				assert.NoError(t, err)
				mu.Lock()
				order = append(order, i/2)
				mu.Unlock()
			})
			synctest.Wait()
		}
		assert.Equal(t, 50, s.queue.Stats().Waiting)
		free()
		left.Wait()
		for i := range order {
			assert.InDelta(t, i/2, order[i], 1)
		}
		assert.Equal(t, 2, s.made, "they were passed on")
		assert.Equal(t, 2, s.most)
	})
}

// A connection that is broken, or too old, is not passed on: who waits makes another one.
func TestBadConnectionsAreNotPassedOn(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
		pass := func() {
			free := take(t, db, 1)
			done := make(chan error)
			go func() { _, err := db.ExecContext(t.Context(), ""); done <- err }()
			synctest.Wait()
			free()
			require.NoError(t, <-done)
		}
		pass()
		assert.Equal(t, 1, s.made)
		time.Sleep(2 * time.Minute)
		pass()
		assert.Equal(t, 2, s.made)
		s.bad = true
		pass()
		assert.GreaterOrEqual(t, s.made, 3)
		assert.Equal(t, 1, s.most)
		s.bad = false
	})
}

// Who cannot connect leaves the place to the next one, and all hear of it.
func TestFailedConnectionsLeave(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
		s.fail = errors.New("nobody is there")
		var left sync.WaitGroup
		for range 5 {
			left.Go(func() { _, err := db.ExecContext(t.Context(), ""); assert.ErrorIs(t, err, s.fail) })
		}
		left.Wait()
		s.fail = nil
		_, err := db.ExecContext(t.Context(), "")
		require.NoError(t, err)
	})
}

// A connection that became idle while somebody began to wait is found.
func TestIdleConnectionsAreFound(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
		take(t, db, 1)() // one is idle, and a caller of the queue's does not see it, as in that race
		began := time.Now()
		got, err := s.queue.Connect(t.Context(), nil)
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 2*time.Millisecond)
		require.NoError(t, got.Close())
	})
}

func TestCloseEndsWaits(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
		free := take(t, db, 1)
		done := make(chan error)
		go func() { _, err := db.ExecContext(context.Background(), ""); done <- err }()
		synctest.Wait()
		require.NoError(t, db.Close())
		require.ErrorIs(t, <-done, errClosed)
		free()
	})
}

// Contexts that end at the very moment when a connection comes free lose none.
func TestContextsThatEndMeanwhile(t *testing.T) {
	s := &server{}
	s.queue = connwait.New(connwait.Limits{MaxOpen: 3, MaxWait: 100 * time.Microsecond, Refused: func(time.Duration) error { return errRefused }, Closed: errClosed})
	db := sql.OpenDB(s)
	s.queue.Serve(db)
	var left sync.WaitGroup
	for range 40 {
		left.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*time.Microsecond)
				}
				c, err := db.Conn(ctx)
				if err == nil {
					assert.NoError(t, c.Close())
				}
				cancel()
			}
		})
	}
	left.Wait()
	require.NoError(t, db.Close())
	assert.LessOrEqual(t, s.most, 3)
	assert.Zero(t, s.open)
	assert.Zero(t, s.queue.Stats().Waiting)
}

// A driver that panics takes no connection's place with it.
func TestPanicsLeave(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
		s.panics = true
		assert.PanicsWithValue(t, "connect", func() { _, _ = s.Connect(t.Context()) })
		s.panics = false
		free := take(t, db, 1)
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			_, _ = s.Connect(t.Context())
		}()
		synctest.Wait()
		s.panics = true
		free()
		require.Equal(t, "reset", <-done)
		s.panics = false
		assert.Zero(t, s.open, "the connection is closed")
		take(t, db, 1)()
	})
}

// Who is handed a broken connection makes another one at once: its place is in no danger, and its wait does not begin anew.
func TestBrokenConnectionsKeepThePlace(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
		free := take(t, db, 1)
		var mu sync.Mutex
		var order []string
		var left sync.WaitGroup
		for _, name := range []string{"first", "second", "third"} {
			left.Go(func() {
				c, err := db.Conn(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				mu.Lock()
				order = append(order, name)
				s.bad = false
				mu.Unlock()
				assert.NoError(t, c.Close())
			})
			synctest.Wait()
		}
		time.Sleep(990 * time.Millisecond) // they have 10 ms left
		s.bad = true
		free()
		left.Wait()
		assert.Equal(t, []string{"first", "second", "third"}, order)
		assert.EqualValues(t, 3, s.queue.Stats().Waits, "nobody waited twice")
		assert.Equal(t, 1, s.most)
	})
}

// A DB that was given a bound of its own keeps nobody who waits in the queue for longer than its time.
func TestBoundOfTheDBHoldsNobodyUp(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, _ *server, db *sql.DB) {
		free := take(t, db, 2)
		db.SetMaxOpenConns(4)
		var left sync.WaitGroup
		for _, row := range []struct {
			deadline time.Duration
			want     error
		}{{100 * time.Millisecond, context.DeadlineExceeded}, {0, errRefused}} {
			left.Go(func() {
				ctx, took := t.Context(), time.Second
				if row.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.deadline)
					defer cancel()
					took = row.deadline
				}
				began := time.Now()
				_, err := db.ExecContext(ctx, "")
				assert.ErrorIs(t, err, row.want)
				assert.Equal(t, took, time.Since(began))
			})
			synctest.Wait()
		}
		left.Wait()

		done := make(chan error)
		go func() { _, err := db.ExecContext(t.Context(), ""); done <- err }()
		time.Sleep(300 * time.Millisecond)
		free()
		require.NoError(t, <-done, "looks lose nothing")
	})
}

// Whatever comes at the very moment when a wait ends, a place is nobody's or a connection's, and no connection is lost: the
// wait's end and the connection's, or its failure, in either order.
func TestWaitsThatEndAsTheyAreServed(t *testing.T) {
	for what, row := range map[string]struct {
		limit  time.Duration // of the context; zero: it has no deadline, and the queue's second counts
		cancel bool
		ends   func(c *sql.Conn) error // ends the connection of whoever has one
		others bool                    // somebody else waits, for longer
	}{
		"deadline, connection":            {limit: time.Second, ends: givesBack},
		"deadline, connection, others":    {limit: time.Second, ends: givesBack, others: true},
		"deadline, place":                 {limit: time.Second, ends: breaks},
		"deadline, place, others":         {limit: time.Second, ends: breaks, others: true},
		"cancelled, connection":           {cancel: true, ends: givesBack},
		"cancelled, connection, others":   {cancel: true, ends: givesBack, others: true},
		"cancelled, place":                {cancel: true, ends: breaks},
		"cancelled, place, others":        {cancel: true, ends: breaks, others: true},
		"no patience, connection":         {ends: givesBack},
		"no patience, connection, others": {ends: givesBack, others: true},
		"no patience, place":              {ends: breaks},
		"no patience, place, others":      {ends: breaks, others: true},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
				for range 50 {
					held, err := db.Conn(t.Context())
					require.NoError(t, err)
					ctx, cancel := context.WithCancel(t.Context())
					if row.limit > 0 {
						ctx, cancel = context.WithTimeout(ctx, row.limit)
					}
					var left sync.WaitGroup
					left.Go(func() {
						if c, err := db.Conn(ctx); err == nil {
							assert.NoError(t, c.Close())
						}
					})
					synctest.Wait()
					if row.others {
						left.Go(func() {
							later, cancel := context.WithTimeout(context.Background(), time.Minute)
							defer cancel()
							c, err := db.Conn(later)
							if assert.NoError(t, err) {
								assert.NoError(t, c.Close())
							}
						})
						synctest.Wait()
					}
					moment := time.Second
					if row.cancel {
						moment /= 2
					}
					left.Go(func() {
						time.Sleep(moment)
						if row.cancel {
							cancel() // who waits is woken by that, and served before it looks
						}
						assert.NoError(t, row.ends(held))
					})
					left.Wait()
					cancel()
					require.Equal(t, s.open, s.queue.Open(), "places, and the connections that have them")
					require.LessOrEqual(t, s.most, 1)
					require.Equal(t, s.open, db.Stats().OpenConnections, "no connection is anybody's but the pool's")
				}
			})
		})
	}
}

func givesBack(c *sql.Conn) error { return c.Close() }

// breaks loses a connection, so that its place comes free.
func breaks(c *sql.Conn) error {
	if err := c.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		return err
	}
	return nil
}

// Who comes after Close hears of it, place or none.
func TestNobodyConnectsAfterClose(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, s *server, db *sql.DB) {
		free := take(t, db, 1)
		require.NoError(t, db.Close())
		_, err := s.Connect(t.Context())
		require.ErrorIs(t, err, errClosed)
		assert.Equal(t, 1, s.made)
		free()
		_, err = s.Connect(t.Context())
		require.ErrorIs(t, err, errClosed)
	})
}

// The first of those who wait looks for idle connections, whoever that is, and nobody else wakes up.
func TestOnlyTheFirstLooks(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, s *server, db *sql.DB) {
		free := take(t, db, 1)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var left sync.WaitGroup
		done := make(chan struct{})
		wait := func(ctx context.Context, want error) {
			left.Go(func() {
				c, err := s.Connect(ctx)
				assert.ErrorIs(t, err, want)
				if err == nil {
					<-done
					assert.NoError(t, c.Close())
				}
			})
			synctest.Wait()
		}
		wait(ctx, context.Canceled)
		for range 99 {
			wait(t.Context(), nil)
		}
		time.Sleep(300 * time.Millisecond)
		began := s.asked.Load()
		time.Sleep(500 * time.Millisecond)
		assert.InDelta(t, 5, s.asked.Load()-began, 1)
		assert.Equal(t, 1, s.queue.Looking())
		leave()
		synctest.Wait()
		assert.Equal(t, 1, s.queue.Looking(), "one has left, the next one is the first")
		free()
		synctest.Wait()
		assert.Equal(t, 98, s.queue.Stats().Waiting)
		assert.Equal(t, 1, s.queue.Looking(), "one was served, the next one is the first")
		close(done)
		left.Wait()
		assert.Zero(t, s.queue.Looking())
	})
}
