package router_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/router"
)

// An Explain in a function hides nothing from that of its caller.
func TestNestedExplain(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		ctx, outer := router.Explain(t.Context())
		p.mustWrite(t, ctx, 1)
		within, inner := router.Explain(router.OnWriter(ctx))
		_, _ = p.mustRead(t, within)
		assert.Len(t, inner.Decisions(), 1)
		assert.Equal(t, router.HintWriter, inner.Reason())
		assert.Len(t, outer.Decisions(), 2)
		assert.Equal(t, inner.Last(), outer.Last())
		assert.Same(t, inner, router.RouteFrom(within))
	})
}
