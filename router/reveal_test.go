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
		time.Sleep(time.Second)
		_, route := p.mustRead(t, session)
		require.Equal(t, fromReader1, route)
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
