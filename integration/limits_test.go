package integration_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/teston"
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

// Who waits for a connection of a real server's pool is refused in time, whichever way it came, and a flood is served by the few
// connections that there are.
func TestWaitForThePoolIsBounded(t *testing.T) {
	for _, name := range []string{"postgres", "mariadb", "mysql"} {
		if !teston.Has(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := teston.Start(t, name, 0)
			m := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, nil, "pool = { max_open = 2, max_wait = '300ms' }"))
			bind, err := m.Bind(shop{})
			require.NoError(t, err)
			db, ctx := bind.DB(), t.Context()
			one := func(ctx context.Context) error { return m.NewRaw(shop{}, "SELECT 1").Scan(ctx, new(int)) }
			prepared, err := db.PrepareContext(ctx, "SELECT 1")
			require.NoError(t, err)
			defer func() { require.NoError(t, prepared.Close()) }()

			var began, left sync.WaitGroup
			began.Add(2)
			free := make(chan struct{})
			for range 2 {
				left.Go(func() {
					assert.NoError(t, m.InTx(ctx, shop{}, func(ctx context.Context) error {
						err := one(ctx)
						began.Done()
						<-free
						return err
					}))
				})
			}
			began.Wait()
			for what, run := range map[string]func() error{
				"a builder": func() error { return one(ctx) },
				"InTx": func() error {
					return m.InTx(ctx, shop{}, func(context.Context) error { panic("it has no connection") })
				},
				"Bun's transaction":  func() error { _, err := db.BeginTx(ctx, nil); return err },
				"Conn":               func() error { _, err := db.Conn(ctx); return err },
				"prepared statement": func() error { return prepared.QueryRowContext(ctx).Scan(new(int)) },
			} {
				since := time.Now()
				err := run()
				var wait *binds.PoolWaitError
				require.ErrorAs(t, err, &wait, what)
				assert.GreaterOrEqual(t, time.Since(since), 300*time.Millisecond, what)
				assert.ErrorContains(t, err, `none of the 2 connections of "shop/writer" was free`, what)
			}
			assert.EqualValues(t, 5, bind.Stats().PoolWaitsRefused)
			close(free)
			left.Wait()

			bounded, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			for i := range 60 {
				left.Go(func() {
					for range 5 {
						if i%2 == 0 {
							assert.NoError(t, one(bounded))
							continue
						}
						assert.NoError(t, prepared.QueryRowContext(bounded).Scan(new(int)))
					}
				})
			}
			left.Wait()
			stats := bind.WriterEngine().Stats()
			assert.LessOrEqual(t, stats.OpenConnections, 2)
			assert.Zero(t, stats.InUse)
			assert.Positive(t, stats.WaitCount)
			assert.Zero(t, bind.Stats().PoolWaiting)
		})
	}
}
