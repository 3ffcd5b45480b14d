package router_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// aheadOf has a write wait on the primary for d, and a session see it on a reader meanwhile.
func aheadOf(t *testing.T, p *process, d time.Duration) (session context.Context, done func()) {
	t.Helper()
	p.cluster.Primary().SetCommitWait(d)
	session = router.NewSession(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { _ = p.write(router.NewSession(t.Context()), 7) })
	synctest.Wait()
	value, route := p.mustRead(t, session)
	require.EqualValues(t, 7, value, route)
	value, _ = p.mustRead(t, router.OnWriter(router.NewSession(t.Context())))
	require.Zero(t, value, "who has not seen it waits for nothing")
	return session, writing.Wait
}

func sessionWrites(cfg *router.Config) { cfg.Freshness.ReadYourWrites = router.SessionWrites }

// A session that has seen on a reader what the writer does not show yet waits for that.
func TestReaderThenWriterWaits(t *testing.T) {
	doors := map[string]func(t *testing.T, p *process, ctx context.Context) (int64, error){
		"OnWriter": func(t *testing.T, p *process, ctx context.Context) (int64, error) {
			value, _, err := p.read(router.OnWriter(ctx))
			return value, err
		},
		"in a transaction": func(t *testing.T, p *process, ctx context.Context) (value int64, err error) {
			err = p.InTx(ctx, router.TxOptions{}, func(ctx context.Context) error {
				value, _, err = p.read(ctx)
				return err
			})
			return value, err
		},
		"by a prepared statement": func(t *testing.T, p *process, ctx context.Context) (value int64, err error) {
			stmt, err := p.db.PrepareContext(ctx, "SELECT value FROM counters")
			require.NoError(t, err)
			err = stmt.QueryRowContext(ctx).Scan(&value)
			require.NoError(t, stmt.Close())
			return value, err
		},
		"the reader is down": func(t *testing.T, p *process, ctx context.Context) (int64, error) {
			p.cluster.Replicas()[0].Down()
			value, _, err := p.read(ctx)
			return value, err
		},
	}
	for door, read := range doors {
		t.Run(door, func(t *testing.T) {
			inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
				session, done := aheadOf(t, p, 500*time.Millisecond)
				began := time.Now()
				value, err := read(t, p, session)
				require.NoError(t, err)
				assert.EqualValues(t, 7, value)
				assert.InDelta(t, 500, time.Since(began).Milliseconds(), 11)
				done()
			})
		})
	}
}

// The wait is bounded, and what it was in vain for is said.
func TestReaderThenWriterGivesUp(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		session, done := aheadOf(t, p, time.Minute)
		began := time.Now()
		_, _, err := p.read(router.OnWriter(session))
		var behind *router.WriterBehindError
		require.ErrorAs(t, err, &behind)
		assert.Equal(t, "shop/writer", behind.Engine)
		assert.Equal(t, "shop/reader-1", behind.Reader)
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.ErrorContains(t, err, `"shop/writer" does not show yet what the session has read on "shop/reader-1"`)

		short, cancel := context.WithTimeout(session, 50*time.Millisecond)
		defer cancel()
		_, _, err = p.read(router.OnWriter(short))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorAs(t, err, &behind)

		value, route := p.mustRead(t, session)
		assert.EqualValues(t, 7, value, route)
		assert.Contains(t, route, "shop/reader-1", "it stays with its reader")
		done()
		value, _ = p.mustRead(t, router.OnWriter(session))
		assert.EqualValues(t, 7, value)
	})
}

// A primary that hangs cannot be asked: the error does not say that it is behind.
func TestReaderThenWriterThatHangs(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		sessions := []context.Context{router.NewSession(t.Context()), router.NewSession(t.Context())}
		readOnReader := func() {
			time.Sleep(time.Second)
			for _, session := range sessions {
				p.mustRead(t, session)
			}
		}
		readOnReader()
		p.cluster.Primary().SetLatency(time.Millisecond)
		var opening sync.WaitGroup
		for _, session := range sessions { // each connection that is needed, and that for questions
			opening.Go(func() { p.mustRead(t, router.OnWriter(session)) })
		}
		opening.Wait()
		readOnReader()
		p.cluster.Primary().Freeze()
		var reading sync.WaitGroup
		for i, why := range []string{"there was no answer", "the question of another session had no answer yet"} {
			ctx, cancel := context.WithTimeout(sessions[i], time.Duration(300-100*i)*time.Millisecond)
			defer cancel()
			reading.Go(func() {
				_, _, err := p.read(router.OnWriter(ctx))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, `router: it cannot be told whether "shop/writer" shows what the session has read on "shop/reader-1": context deadline exceeded: `+why)
			})
			synctest.Wait()
		}
		reading.Wait()
		began := time.Now()
		_, _, err := p.read(router.OnWriter(sessions[0]))
		require.Error(t, err)
		assert.LessOrEqual(t, time.Since(began), 3*time.Second)
	})
}

// A session is compared with the writer once after it has read on a reader, and sessions that come at the same time
// share the answer.
func TestReaderThenWriterIsAskedOnce(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		primary := p.cluster.Primary()
		primary.SetLatency(time.Millisecond)
		read := func(ctx context.Context) time.Duration {
			began := time.Now()
			p.mustRead(t, router.OnWriter(ctx))
			return time.Since(began)
		}
		session := router.NewSession(t.Context())
		usual := read(session)
		assert.Equal(t, usual, read(session), "it has read on no reader")
		readOnReader := func() {
			time.Sleep(time.Second)
			_, route := p.mustRead(t, session)
			require.Equal(t, fromReader1, route)
		}
		readOnReader()
		read(session) // the first question makes a connection
		readOnReader()
		took := read(session)
		assert.Greater(t, took, usual)
		assert.LessOrEqual(t, took, usual+2*time.Millisecond, "one question, which may wait for its turn")
		assert.Equal(t, usual, read(session), "and no more")

		var running sync.WaitGroup
		began := time.Now()
		for range 50 {
			running.Go(func() {
				ctx := router.NewSession(t.Context())
				p.mustRead(t, ctx)
				p.mustRead(t, router.OnWriter(ctx))
			})
		}
		running.Wait()
		assert.LessOrEqual(t, time.Since(began), 10*time.Millisecond)
	})
}

// A reader's address leads to the primary itself. A session that has read there waits on the writer for nobody's commit.
func TestReaderThatIsThePrimaryThenWriter(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		p.cluster.Balance(0, p.cluster.Primary())
		p.cluster.Replicas()[0].Down()
		time.Sleep(2 * time.Second)
		session := router.NewSession(t.Context())
		_, route := p.mustRead(t, session)
		require.Equal(t, fromReader1, route)
		p.cluster.Primary().SetCommitWait(10 * time.Second)
		var writing sync.WaitGroup
		writing.Go(func() { p.mustWrite(t, router.NewSession(t.Context()), 7) })
		synctest.Wait()
		began := time.Now()
		p.mustRead(t, router.OnWriter(session))
		assert.Zero(t, time.Since(began))
		writing.Wait()
	})
}

// Sessions that have read on a reader which is not known any more wait side by side for what the primary was committing then.
func TestReaderThatIsNotKnownAndManySessions(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		var sessions []context.Context
		for range 20 {
			session := router.NewSession(t.Context())
			p.mustRead(t, session)
			sessions = append(sessions, session)
			time.Sleep(time.Millisecond)
		}
		_, done := aheadOf(t, p, 2*time.Second)
		p.cluster.Replicas()[0].Down()
		p.mustRead(t, t.Context()) // finds that out
		began := time.Now()
		var reading sync.WaitGroup
		for i := range sessions {
			reading.Go(func() { p.mustRead(t, router.OnWriter(sessions[len(sessions)-1-i])) })
			time.Sleep(time.Millisecond)
		}
		reading.Wait()
		assert.LessOrEqual(t, time.Since(began), 2100*time.Millisecond, "all at once")
		done()
	})
}

// After a failover the list of readers has the primary itself among them. It does not show yet what a replica shows, whatever
// its position says: a session that has read there is not sent on to it.
func TestReaderThenThePrimaryAsReader(t *testing.T) {
	inBubble(t, 2, roundRobinSessions, func(t *testing.T, p *process) {
		old, next, other := p.cluster.Primary(), p.cluster.Replicas()[0], p.cluster.Replicas()[1]
		old.Down()
		p.cluster.Promote(next)
		p.mustWrite(t, t.Context(), 1)
		time.Sleep(time.Second)
		next.SetCommitWait(2 * time.Second)
		var writing sync.WaitGroup
		writing.Go(func() { assert.NoError(t, p.write(router.NewSession(t.Context()), 7)) })
		synctest.Wait()
		session := router.NewSession(t.Context())
		for range 2 {
			value, route := p.mustRead(t, session)
			if route == fromReader2 {
				require.EqualValues(t, 7, value)
				break
			}
			require.Equal(t, fromReader1, route)
			require.EqualValues(t, 1, value)
			session = router.NewSession(t.Context())
		}
		time.Sleep(time.Second) // both are proved anew
		other.Down()
		value, route := p.mustRead(t, session)
		assert.EqualValues(t, 7, value, route)
		writing.Wait()
	})
}

// The writer's address leads to a replica that trails, and the primary is listed as a reader: a session that has read on the other one
// reads on there, as soon as it shows as much.
func TestReaderThenThePrimaryThatIsNoWriter(t *testing.T) {
	inBubble(t, 2, roundRobinSessions, func(t *testing.T, p *process) {
		other := failover(t, p, time.Minute)
		primary, replica := p.cluster.Primary(), p.cluster.Servers()[2]
		time.Sleep(time.Second)
		before, _ := onReader2(t, p)
		for name, wait := range map[string]time.Duration{"nothing is being committed": 0, "a commit waits": 700 * time.Millisecond} {
			primary.SetCommitWait(wait)
			var writing sync.WaitGroup
			writing.Go(func() { other.mustWrite(t, t.Context(), 500) })
			synctest.Wait()
			session, value := onReader2(t, p)
			require.EqualValues(t, 500, value, name)
			replica.Down()
			began := time.Now()
			value, route := p.mustRead(t, session)
			assert.EqualValues(t, 500, value, name)
			assert.Equal(t, fromReader1, route, name)
			assert.InDelta(t, wait.Milliseconds(), time.Since(began).Milliseconds(), 60, name)
			_, route = p.mustRead(t, session)
			assert.Equal(t, fromReader1, route, name)
			_, route = p.mustRead(t, before)
			assert.Equal(t, fromReader1, route, name)
			writing.Wait()
			primary.SetCommitWait(0)
			replica.Up()
			time.Sleep(5 * time.Second)
		}

		// It is bounded, and if the primary cannot be asked, whoever comes next is waited for.
		primary.SetCommitWait(time.Minute)
		go func() { _ = other.write(t.Context(), 600) }()
		synctest.Wait()
		session, _ := onReader2(t, p)
		replica.Down()
		began := time.Now()
		short, cancel := context.WithTimeout(session, 300*time.Millisecond)
		defer cancel()
		_, _, err := p.read(short)
		var behind *router.WriterBehindError
		require.ErrorAs(t, err, &behind)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, "shop/reader-1", behind.Engine)
		assert.Equal(t, "shop/reader-2", behind.Reader)
		assert.InDelta(t, 300, time.Since(began).Milliseconds(), 20)
		primary.Down()
		var gone *router.UnavailableError
		_, _, err = p.read(session)
		require.ErrorAs(t, err, &gone)
	})
}

// It is the server that the session reads on that is asked what it shows, not who else is at its address.
func TestWriterIsAskedAtItsOwnServer(t *testing.T) {
	inBubble(t, 2, sessionWrites, func(t *testing.T, p *process) {
		primary, other := p.cluster.Primary(), p.cluster.Replicas()[1]
		p.cluster.BalanceWriter(other, primary)
		session := router.NewSession(t.Context())
		p.mustRead(t, session)
		p.mustRead(t, router.OnWriter(session)) // the first question, on a connection of its own
		p.cluster.MoveWriter(primary)
		session, done := aheadOf(t, p, 500*time.Millisecond)
		value, route := p.mustRead(t, router.OnWriter(session))
		assert.EqualValues(t, 7, value, route)
		done()
	})
}

// The reader that a session has read on restarts at an older state meanwhile. What it shows now says nothing of what the session has seen.
func TestReaderThatWentBackThenWriter(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		session, done := aheadOf(t, p, 800*time.Millisecond)
		replica := p.cluster.Replicas()[0]
		replica.SetLag(time.Hour)
		replica.CrashRestart(1)
		time.Sleep(400 * time.Millisecond) // it is known again
		value, route := p.mustRead(t, router.OnWriter(session))
		assert.EqualValues(t, 7, value, route)
		done()
	})
}
