package integration_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/manager"
)

// Clients who lock names of their own take no more of the server's connections than the bind allows, and what was refused
// is free for others.
func TestLocksOfClientsAreLimited(t *testing.T) {
	eachLockKind(t, func(t *testing.T, b *lockBench) {
		const clients, limit = 60, 20 // the default
		var mu sync.Mutex
		var held []*manager.Lock
		var refused atomic.Int32
		var left sync.WaitGroup
		for i := range clients {
			left.Go(func() {
				l, err := b.Lock(t.Context(), shop{}, fmt.Sprint("client ", i))
				if err != nil {
					assert.ErrorIs(t, err, manager.ErrTooManyLocks)
					refused.Add(1)
					return
				}
				mu.Lock()
				held = append(held, l)
				mu.Unlock()
			})
		}
		left.Wait()
		assert.Len(t, held, limit)
		assert.EqualValues(t, clients-limit, refused.Load())
		bind, err := b.Bind(shop{})
		require.NoError(t, err)
		stats := bind.Stats()
		assert.Equal(t, []int{limit, 0, clients - limit}, []int{stats.Locks, stats.LockWaiting, int(stats.LocksRefused)})
		require.NoError(t, held[0].Unlock())
		require.NoError(t, b.WithLock(t.Context(), shop{}, "one more", func(context.Context) error { return nil }))
		for _, l := range held[1:] {
			require.NoError(t, l.Unlock())
		}
		assert.Zero(t, bind.Stats().Locks)
	})
}
