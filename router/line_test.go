package router_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// successor opens the router that takes p's place: with so many of the cluster's replicas.
func successor(t *testing.T, p *process, readers int) *router.Router {
	t.Helper()
	open := func(name, uri string, role binds.Role) *binds.Engine {
		e, err := p.cluster.Drivers().Open(t.Context(), name, uri, binds.As(role))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		return e
	}
	cfg := router.Config{
		Key: "shop", Default: "shop", Dialect: p.cluster.Dialect(), Succeeds: p.Router,
		Writer:    open("shop/writer", p.cluster.WriterURI(), binds.Writer),
		Logger:    slog.New(slog.NewTextHandler(p.log, nil)),
		Freshness: router.Freshness{ReadYourWrites: router.SessionWrites},
	}
	for i, uri := range p.cluster.ReaderURIs()[:readers] {
		cfg.Readers = append(cfg.Readers, router.NewReader(open(fmt.Sprintf("shop/reader-%d", i+1), uri, binds.Reader), 1))
	}
	next, err := router.New(cfg)
	require.NoError(t, err)
	t.Cleanup(next.Close)
	next.Start(t.Context())
	return next
}

// What a session has written through one router, and a resumed one has, it reads through the next one: also where its write ends after
// that has taken over.
func TestSessionsOutliveTheirRouter(t *testing.T) {
	inBubble(t, 2, sessionWrites, func(t *testing.T, p *process) {
		for _, replica := range p.cluster.Replicas() {
			replica.SetLag(3 * time.Second)
		}
		time.Sleep(5 * time.Second)
		session, late := router.NewSession(t.Context()), router.NewSession(t.Context())
		p.mustWrite(t, session, 1)
		token, err := router.SessionFrom(session).Token(t.Context())
		require.NoError(t, err)
		next := successor(t, p, 1)
		var writing sync.WaitGroup
		p.cluster.Primary().SetLatency(100 * time.Millisecond)
		writing.Go(func() { p.mustWrite(t, late, 2) })
		synctest.Wait()
		next.TakeOver()
		time.Sleep(50 * time.Millisecond)
		value, _ := p.mustRead(t, session)
		assert.GreaterOrEqual(t, value, int64(1), "its own write")
		resumed, err := router.ResumeSession(t.Context(), token)
		require.NoError(t, err)
		value, _ = p.mustRead(t, resumed)
		assert.GreaterOrEqual(t, value, int64(1), "that of whom it goes on for")
		writing.Wait()
		value, _ = p.mustRead(t, late)
		assert.EqualValues(t, 2, value, "a write on the router before, which ended after the next had begun")
		after, err := router.SessionFrom(late).Token(t.Context())
		require.NoError(t, err)
		assert.NotEmpty(t, after)

		time.Sleep(10 * time.Second)
		_, route := p.mustRead(t, late)
		assert.Equal(t, fromReader1, route, "the new router's only reader serves when it has caught up")
		p.Router.Writer().CloseIdle()
		for _, reader := range p.Router.Readers() {
			reader.Engine().CloseIdle()
		}
		assert.Zero(t, p.InUse(), "what is held of the router before is not used any more")
	})
}

// A session has read on a reader what the primary does not show yet, and the bind has other readers by now, or none: it does not go back.
func TestReaderOfBeforeThenWriter(t *testing.T) {
	for _, readers := range []int{0, 1} {
		inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
			session, done := aheadOf(t, p, 500*time.Millisecond)
			successor(t, p, readers).TakeOver()
			for door, read := range map[string]func(context.Context) (int64, error){
				"OnWriter": func(ctx context.Context) (int64, error) {
					value, _, err := p.read(router.OnWriter(ctx))
					return value, err
				},
				"any": func(ctx context.Context) (int64, error) {
					value, _, err := p.read(ctx)
					return value, err
				},
			} {
				value, err := read(session)
				require.NoError(t, err, door)
				assert.EqualValues(t, 7, value, "%s, with %d readers", door, readers)
			}
			done()
		})
	}
}

// Counts go on, and those of a router that is closed stay.
func TestCountsOutliveTheirRouter(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].Down()
		time.Sleep(2 * time.Second)
		p.mustRead(t, t.Context())
		before := p.Stats().ToWriter
		assert.Positive(t, before)
		next := successor(t, p, 1)
		next.TakeOver()
		p.Close()
		p.mustRead(t, t.Context())
		assert.Greater(t, next.Stats().ToWriter, before)
		next.Remove()
		var removed *router.RemovedBindError
		_, _, err := p.read(t.Context())
		require.ErrorAs(t, err, &removed)
		assert.ErrorContains(t, err, `the bind "shop" was removed`)
	})
}

// A read that is on its way to a reader when the bind's configuration changes takes what that shows for nothing: its pool may lead elsewhere by
// then. And one that finds nobody at that moment waits for the next router, also where no read may go to the writer.
func TestReadsWhileRoutersChange(t *testing.T) {
	strict := func(cfg *router.Config) { cfg.NoFallback = true }
	inBubble(t, 2, strict, func(t *testing.T, p *process) {
		next := successor(t, p, 1)
		for _, replica := range p.cluster.Replicas() {
			replica.SetLatency(100 * time.Millisecond)
		}
		var reading sync.WaitGroup
		reading.Go(func() {
			_, route := p.mustRead(t, t.Context())
			assert.Equal(t, fromReader1, route)
		})
		synctest.Wait()
		before := p.Stats().Retried
		p.Yields()
		began := time.Now()
		reading.Go(func() {
			_, route := p.mustRead(t, t.Context())
			assert.Equal(t, fromReader1, route)
			assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond, "it has waited")
		})
		synctest.Wait()
		time.Sleep(20 * time.Millisecond)
		next.TakeOver()
		reading.Wait()
		assert.Equal(t, before+1, p.Stats().Retried, "the first was sent again")
	})
}
