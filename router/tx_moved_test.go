package router

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadOnlyTx_movesWithItsReader has what is known of a reader become void between the choice and
// BEGIN: the connection may lead to an older state, and the transaction begins elsewhere.
func TestReadOnlyTx_movesWithItsReader(t *testing.T) {
	var b *bench
	b = newBench(t, "shop", 2, func(c *Config) {
		c.Freshness = Freshness{}
		c.Policy = pickThen{at: 0, then: func() {
			reader := b.readers[0]
			reader.lease.Store(&lease{reader: reader})
		}}
	})
	ahead := b.now() + time.Hour
	v := &view{
		fit: b.readers, up: b.readers, horizons: []time.Duration{ahead, ahead},
		leases: []*lease{b.readers[0].lease.Load(), b.readers[1].lease.Load()},
	}
	v.order(b.readers)
	b.view.Store(v)
	b.reads.Store(true) // or the monitor would begin to look at the fakes
	ctx, route := Explain(t.Context())
	err := b.InTx(ctx, TxOptions{ReadOnly: true}, func(ctx context.Context) error { return selectItem(ctx, b.db) })
	require.NoError(t, err)
	assert.Equal(t, "shop/reader-2", route.Engine())
}
