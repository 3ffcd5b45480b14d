package router_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// All readers are gone, and two hundred reads come at once, and then fifty a second: the writer serves as many as it may, the next ones in turn, and the rest fail at once.
func TestFallbackLimit(t *testing.T) {
	limited := func(cfg *router.Config) { cfg.FallbackLimit = 20 }
	inBubble(t, 1, limited, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].Down()
		p.mustRead(t, t.Context()) // finds that out
		time.Sleep(2 * time.Second)
		var mu sync.Mutex
		waits := make(map[time.Duration]int)
		refused := 0
		var reading sync.WaitGroup
		began := time.Now()
		for range 200 {
			reading.Go(func() {
				_, _, err := p.read(t.Context())
				took := time.Since(began)
				mu.Lock()
				defer mu.Unlock()
				var limit *router.FallbackLimitError
				switch {
				case errors.As(err, &limit):
					assert.ErrorIs(t, err, router.ErrNoReader)
					assert.Zero(t, took, "at once")
					assert.Equal(t, 20, limit.Limit)
					assert.Greater(t, limit.Wait, time.Second)
					refused++
				case assert.NoError(t, err):
					waits[took.Round(50*time.Millisecond)]++
				}
			})
		}
		reading.Wait()
		assert.Equal(t, 160, refused)
		assert.Equal(t, 20, waits[0], "the budget of a second")
		for turn := 50 * time.Millisecond; turn <= time.Second; turn += 50 * time.Millisecond {
			assert.Equal(t, 1, waits[turn], "one at %v", turn)
		}
		assert.EqualValues(t, 160, p.Stats().FallbacksRefused)

		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, _, err := p.read(short)
		require.ErrorIs(t, err, router.ErrNoReader, "it has not the time to wait")
		p.mustWrite(t, t.Context(), 7)
		value, _ := p.mustRead(t, router.OnWriter(t.Context()))
		assert.EqualValues(t, 7, value, "what is the writer's own is not counted")
		ended, stop := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			_, _, err := p.read(ended)
			assert.ErrorIs(t, err, context.Canceled)
		})
		time.Sleep(time.Millisecond)
		stop()
		waiting.Wait()

		p.cluster.Replicas()[0].Up()
		time.Sleep(2 * time.Second)
		for range 100 {
			_, route := p.mustRead(t, t.Context())
			require.Equal(t, fromReader1, route, "readers are not counted")
		}
	})
}
