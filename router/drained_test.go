package router_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// A reader that is drained serves nothing, though it is up and fresh, and is looked at all the while: it serves again at once.
func TestDrainedReader(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		first, second := p.Readers()[0], p.Readers()[1]
		p.SetDrained(first, true)
		for range 10 {
			_, route := p.mustRead(t, t.Context())
			require.Equal(t, fromReader2, route)
			_, route = p.mustRead(t, router.OnReader(t.Context()))
			require.Contains(t, route, "shop/reader-2")
		}
		time.Sleep(30 * time.Second)
		h := p.Health(t.Context())
		assert.Equal(t, []bool{true, false, false, true}, []bool{h[0].Drained, h[0].Serving, h[1].Drained, h[1].Serving})
		assert.NoError(t, h[0].Down)
		assert.Less(t, h[0].Lag, time.Second, "it is looked at")
		p.SetDrained(second, true)
		_, route := p.mustRead(t, t.Context())
		assert.Contains(t, route, "shop/writer")
		p.SetDrained(first, false)
		_, route = p.mustRead(t, t.Context())
		assert.Equal(t, fromReader1, route, "at once")
	})
	strict := func(cfg *router.Config) { cfg.NoFallback = true }
	inBubble(t, 1, strict, func(t *testing.T, p *process) {
		p.SetDrained(p.Readers()[0], true)
		_, _, err := p.read(t.Context())
		require.ErrorIs(t, err, router.ErrNoReader)
		require.ErrorIs(t, err, router.ErrDrained)
	})
}
