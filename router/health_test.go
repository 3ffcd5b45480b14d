package router_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

func TestHealthOfReaders(t *testing.T) {
	inBubble(t, 3, func(c *router.Config) { c.Freshness.MaxLag = time.Hour }, func(t *testing.T, p *process) {
		replicas := p.cluster.Replicas()
		time.Sleep(time.Minute) // nobody reads: the monitor looks rarely
		began := time.Now()
		for _, h := range p.Health(t.Context()) {
			assert.True(t, h.LagKnown && h.Serving && !h.Shared, h.Engine.Name())
			assert.Less(t, h.Lag, 10*time.Millisecond, "how old the last look was is no lag")
			require.NoError(t, h.Down)
			require.NoError(t, h.Doubt)
		}
		assert.Less(t, time.Since(began), 10*time.Millisecond)

		replicas[0].SetLag(200 * time.Millisecond)
		replicas[1].SetLag(time.Hour)
		p.mustWrite(t, t.Context(), 7)
		list := p.Health(t.Context())
		assert.Equal(t, "shop/reader-1", list[0].Engine.Name())
		assert.GreaterOrEqual(t, list[0].Lag, 100*time.Millisecond)
		assert.LessOrEqual(t, list[0].Lag, 500*time.Millisecond, "it catches up while we look, ever more slowly: twice the lag, and half an interval")
		assert.InDelta(t, 0, list[2].Lag.Milliseconds(), 10, "and keeps no other one late")
		time.Sleep(30 * time.Second)
		list = p.Health(t.Context())
		assert.InDelta(t, 0, list[0].Lag.Milliseconds(), 10)
		assert.InDelta(t, 30, list[1].Lag.Seconds(), 4, "while nothing is written, too")
		assert.True(t, list[1].Serving, "max_lag is an hour")

		replicas[0].Down()
		list = p.Health(t.Context())
		require.Error(t, list[0].Down)
		assert.False(t, list[0].Serving)
		require.NoError(t, list[2].Down)

		p.cluster.Primary().Down()
		p.Health(t.Context())
		time.Sleep(30 * time.Second)
		began = time.Now()
		list = p.Health(t.Context())
		assert.LessOrEqual(t, time.Since(began), time.Second)
		assert.Less(t, list[2].Lag, 5*time.Second, "no write is acknowledged without the writer")
	})
}

func TestHealthOfADivergedReader(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.cluster.Replicas()[1].Promote()
		time.Sleep(time.Minute)
		list := p.Health(t.Context())
		require.ErrorContains(t, list[0].Doubt, "another history", "it follows that one")
		require.ErrorContains(t, list[1].Doubt, "a primary of its own")
		assert.False(t, list[1].LagKnown)
		assert.False(t, list[1].Serving)
	})
}

// However often health is asked for, the servers are asked no more often than the monitor looks at them.
func TestHealthAskedOftenCostsFewProbes(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		before := p.cluster.Primary().Probes()
		began := time.Now()
		for range 50 {
			var left sync.WaitGroup
			for range 40 {
				left.Go(func() { assert.Len(t, p.Health(t.Context()), 2) })
			}
			left.Wait()
		}
		took := time.Since(began)
		t.Logf("%d probes for 2000 calls in %v", p.cluster.Primary().Probes()-before, took)
		assert.LessOrEqual(t, p.cluster.Primary().Probes()-before, 2+int(took/(4*time.Millisecond)), "200 a second, see demandGap")
	})
}

// What was found the last time is told without a question: lag as it was at the reader's latest answer, however long ago that is.
func TestKnownHealthAsksNobody(t *testing.T) {
	inBubble(t, 2, func(c *router.Config) { c.Freshness.MaxLag = time.Hour }, func(t *testing.T, p *process) {
		p.Health(t.Context())
		known := func() []router.Health {
			before := p.cluster.Primary().Probes()
			list := p.KnownHealth()
			assert.Equal(t, before, p.cluster.Primary().Probes())
			return list
		}
		time.Sleep(10 * time.Minute) // the bind rests
		for _, h := range known() {
			assert.True(t, h.LagKnown, h.Engine.Name())
			assert.Less(t, h.Lag, time.Second, "how old the last look is, is no lag: %s", h.Engine.Name())
		}
		p.cluster.Replicas()[0].SetLag(time.Hour)
		p.mustWrite(t, t.Context(), 7)
		p.cluster.Replicas()[1].Down()
		for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(time.Second) {
			p.Health(t.Context()) // while somebody looks
		}
		list := known()
		assert.InDelta(t, 150, list[0].Lag.Seconds(), 35, "up to a minute too long, see Health")
		require.Error(t, list[1].Down)
		assert.False(t, list[1].Serving)
	})
}
