package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// openTenants opens a manager whose tenants all are on the same servers.
func openTenants(t *testing.T, writer string, readers []string, fresh router.Freshness, opts ...manager.TenantOption) *manager.DBManager {
	t.Helper()
	cfg := &manager.Config{Binds: []manager.BindConfig{{Key: "main", Writer: binds.NewURI("sqlite://" + filepath.ToSlash(t.TempDir()) + "/main.db")}}}
	m, err := manager.New(t.Context(), cfg, manager.WithLogger(slog.New(slog.DiscardHandler)),
		manager.WithTenants(func(context.Context, binds.Key) (manager.BindConfig, error) {
			b := manager.BindConfig{Writer: binds.NewURI(writer), Freshness: fresh, Pool: binds.Pool{MaxOpen: 6}}
			for _, uri := range readers {
				b.Readers = append(b.Readers, manager.ReaderConfig{URI: binds.NewURI(uri)})
			}
			return b, nil
		}, opts...))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// TestOwnWritesOutliveATenant writes while the replica stands still, has the tenant closed, and reads: with a session, by its token, and
// without one; whether or not anything of the tenant was held meanwhile. The replica would serve, whatever its lag, who needs nothing.
func TestOwnWritesOutliveATenant(t *testing.T) {
	teston.Only(t, teston.Postgres)
	c := teston.Start(t, teston.Postgres, 1)
	for _, mode := range []string{router.ProcessWrites, router.SessionWrites} {
		t.Run(mode, func(t *testing.T) {
			fresh := router.Freshness{ReadYourWrites: mode, MaxLag: -1, MonitorInterval: 20 * time.Millisecond}
			m := openTenants(t, c.Primary.URI(), []string{c.Replicas[0].URI()}, fresh, manager.Idle(time.Millisecond))
			key := binds.Key("customer")
			require.NoError(t, m.On(key).ResetTables(t.Context(), (*tally)(nil)))
			_, err := m.On(key).NewInsert(&tally{ID: 1}).Exec(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.WaitReplayed(t.Context()))
			require.NoError(t, c.Replicas[0].PauseReplay(t.Context()))
			defer func() { require.NoError(t, c.Replicas[0].ResumeReplay(context.WithoutCancel(t.Context()))) }()
			closed := func() bool { return len(m.Tenants()) == 0 }
			value := func(ctx context.Context) (int64, string) {
				var row tally
				ctx, route := router.Explain(ctx)
				require.NoError(t, m.On(key).NewSelect(&row).Where("id = 1").Scan(ctx))
				return row.Value, route.Engine()
			}
			for n := int64(1); n <= 6; n++ {
				session := router.NewSession(t.Context())
				_, err := m.On(key).NewUpdate(&tally{ID: 1, Value: n}).WherePK().Exec(session)
				require.NoError(t, err)
				require.Eventually(t, closed, waitFor, tick)
				got, engine := value(session)
				assert.Equal(t, n, got, "the session's own write, by %s", engine)

				require.Eventually(t, closed, waitFor, tick)
				token, err := router.SessionFrom(session).Token(t.Context())
				require.NoError(t, err, "the tenant is opened to be asked for its position")
				require.NotEmpty(t, token)
				require.Eventually(t, closed, waitFor, tick)
				session = nil
				runtime.GC() // nobody holds anything of the tenant any more
				runtime.GC()
				resumed, err := router.ResumeSession(t.Context(), token)
				require.NoError(t, err)
				got, engine = value(resumed)
				assert.Equal(t, n, got, "by its token, by %s", engine)

				require.Eventually(t, closed, waitFor, tick)
				resumed = nil
				runtime.GC()
				runtime.GC()
				if mode == router.ProcessWrites {
					got, engine = value(t.Context())
					assert.Equal(t, n, got, "the process's own write, by %s", engine)
				}
			}
			if mode == router.SessionWrites {
				got, engine := value(router.OnReader(t.Context()))
				assert.Zero(t, got, "the replica stands still, as the test is about: %s", engine)
			}
		})
	}
}

// TestTenantsUnderLoad has sixteen goroutines write and read back on three times as many tenants as may be open.
func TestTenantsUnderLoad(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			writer, readers, _ := k.uris(t)
			const most, workers = 4, 16
			each := int64(40) // writes of each worker
			if k.name != teston.SQLite {
				each = 8 // a connection to a server, with a password, costs a while
			}
			fresh := router.Freshness{ReadYourWrites: router.SessionWrites, MonitorInterval: 20 * time.Millisecond}
			m := openTenants(t, writer, readers, fresh, manager.Max(most), manager.Idle(20*time.Millisecond), manager.OpenWithin(time.Minute))
			keys := make([]binds.Bound, 3*most)
			for i := range keys {
				keys[i] = binds.Key(fmt.Sprintf("t%d", i))
			}
			require.NoError(t, m.On(keys[0]).ResetTables(t.Context(), (*tally)(nil)))
			held := m.On(keys[1])
			var running sync.WaitGroup
			for id := range int64(workers) {
				_, err := m.On(keys[0]).NewInsert(&tally{ID: id + 1}).Exec(t.Context())
				require.NoError(t, err)
			}
			for id := range int64(workers) {
				running.Go(func() {
					session := router.NewSession(t.Context())
					last := make(map[binds.Key]bool)
					for value := int64(1); value <= each; value++ {
						on := m.OnContext(session, keys[(id+value)%int64(len(keys))])
						if value%5 == 0 {
							on = held
						}
						row := tally{ID: id + 1, Value: value}
						write := func(ctx context.Context) error {
							_, err := on.NewUpdate(&row).WherePK().Exec(ctx)
							return err
						}
						var err error
						switch value % 3 {
						case 0:
							err = write(session)
						case 1:
							err = on.InTx(session, write)
						case 2:
							err = on.DB().RunInTx(session, nil, func(ctx context.Context, tx bun.Tx) error {
								_, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
								return err
							})
						}
						if !assert.NoError(t, err, "write %d", value) {
							return
						}
						last[on.Key()] = true
						seen := tally{ID: id + 1}
						if !assert.NoError(t, on.NewSelect(&seen).WherePK().Scan(session), "read %d", value) || !assert.Equal(t, value, seen.Value, "its own write") {
							return
						}
						assert.LessOrEqual(t, len(m.Tenants()), most)
					}
				})
			}
			running.Wait()
		})
	}
}
