package integration_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

type silentBind struct{ binds.Marker }

func (silentBind) BindKey() binds.Key { return "shop" }

// TestASilentWriter has a server accept connections and say nothing: each statement comes back within its deadline, and
// within three seconds without one, says that nothing was sent, and by what address.
func TestASilentWriter(t *testing.T) {
	for _, scheme := range []string{"postgres", "mysql"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var locks atomic.Int64 // each has a name of its own: who waits for the same one waits longer
		var mu sync.Mutex
		var conns []net.Conn
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				mu.Lock()
				conns = append(conns, c)
				mu.Unlock()
			}
		}()
		t.Cleanup(func() {
			assert.NoError(t, l.Close())
			mu.Lock()
			defer mu.Unlock()
			for _, c := range conns {
				_ = c.Close() // the client may have been first
			}
		})
		m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{
			{Key: "shop", Writer: binds.NewURI(fmt.Sprintf("%s://app:very-secret@%s/app", scheme, l.Addr())), Lazy: true},
		}})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, m.Close()) })
		bind, err := m.Bind(silentBind{})
		require.NoError(t, err)
		ways := map[string]func(ctx context.Context) error{
			"a write": func(ctx context.Context) error {
				_, err := m.NewRaw(silentBind{}, "UPDATE t SET v = 1").Exec(ctx)
				return err
			},
			"a read": func(ctx context.Context) error { return m.NewRaw(silentBind{}, "SELECT 1").Scan(ctx, new(int)) },
			"a read, in a session": func(ctx context.Context) error {
				return m.NewRaw(silentBind{}, "SELECT 1").Scan(router.NewSession(ctx), new(int))
			},
			"a transaction": func(ctx context.Context) error {
				return m.InTx(ctx, silentBind{}, func(context.Context) error { return nil })
			},
			"a named lock": func(ctx context.Context) error {
				return m.WithLock(ctx, silentBind{}, fmt.Sprint("job ", locks.Add(1)), func(context.Context) error { return nil })
			},
			"the DB itself": func(ctx context.Context) error {
				_, err := bind.DB().ExecContext(ctx, "UPDATE t SET v = 1")
				return err
			},
			"the writer": func(ctx context.Context) error {
				_, err := bind.Writer().ExecContext(ctx, "UPDATE t SET v = 1")
				return err
			},
		}
		type result struct {
			what string
			most time.Duration
			took time.Duration
			err  error
		}
		var running sync.WaitGroup
		results := make(chan result, 2*len(ways))
		for what, do := range ways {
			for _, limit := range []time.Duration{0, time.Second} {
				running.Go(func() {
					ctx, most := t.Context(), 3*time.Second
					if limit > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, limit)
						defer cancel()
						most = limit
					}
					began := time.Now()
					err := do(ctx)
					results <- result{what, most, time.Since(began), err}
				})
			}
		}
		running.Wait()
		close(results)
		for r := range results {
			t.Logf("%s, %s, within %v: %v: %v", scheme, r.what, r.most, r.took, r.err)
			if r.what == "the DB itself" || r.what == "the writer" { // past the router
				require.ErrorAs(t, r.err, new(*binds.ConnectError), r.what)
			} else {
				require.ErrorIs(t, r.err, router.ErrNoWriter, r.what)
			}
			require.ErrorIs(t, r.err, context.DeadlineExceeded, r.what)
			require.NotErrorIs(t, r.err, router.ErrOutcomeUnknown, r.what)
			assert.ErrorContains(t, r.err, `"shop/writer"`, r.what)
			assert.NotContains(t, r.err.Error(), "very-secret", r.what)
			assert.Less(t, r.took, r.most+3*time.Second, r.what) // it was minutes
		}
	}
}
