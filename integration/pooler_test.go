package integration_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// eachPooler runs a test with every PgBouncer that is found, pooling sessions and pooling transactions.
func eachPooler(t *testing.T, test func(t *testing.T, o integration.PgBouncerOptions)) {
	teston.Only(t, teston.Postgres)
	if !teston.Has(teston.Postgres) {
		return
	}
	for i, program := range integration.RequirePgBouncers(t) {
		for _, mode := range []integration.PoolMode{integration.PoolSessions, integration.PoolTransactions} {
			t.Run(fmt.Sprint(i+1, " ", mode), func(t *testing.T) {
				test(t, integration.PgBouncerOptions{Program: program, Mode: mode})
			})
		}
	}
}

// alternate returns an address whose connections lead to the given ones in turn.
func alternate(t *testing.T, addresses ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ; i++ {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addresses[i%len(addresses)])
			if err != nil {
				_ = client.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
				running.Go(func() {
					_, _ = io.Copy(way[0], way[1]) // ends when either does
					_ = way[0].Close()
					_ = way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// TestPooler_noStaleRead reads each write back through a pooler behind which one standby shows the present and one does not.
func TestPooler_noStaleRead(t *testing.T) {
	if os.Getenv("BINDERY_SOAK_MINUTES") == "" {
		t.Skip("it takes minutes: set BINDERY_SOAK_MINUTES")
	}
	const workers, rounds = 10, 500 // reads of each
	eachPooler(t, func(t *testing.T, o integration.PgBouncerOptions) {
		ctx := t.Context()
		c := teston.Start(t, teston.Postgres, 2)
		o.Addr = alternate(t, c.Replicas[0].Addr(), c.Replicas[1].Addr())
		o.Settings = []string{"default_pool_size = 6", "server_lifetime = 1"}
		p := integration.StartPgBouncer(t, c.Replicas[0], o)
		m := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, []string{p.URI()}, "max_lag = \"1h\"\nmonitor_interval = \"5ms\""))
		require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
		for id := range workers {
			_, err := m.NewInsert(&tally{ID: int64(id + 1)}).Exec(ctx)
			require.NoError(t, err)
		}
		require.NoError(t, c.WaitReplayed(ctx))
		require.NoError(t, c.Replicas[1].PauseReplay(ctx))
		var stale, reads atomic.Int64
		var wg sync.WaitGroup
		for id := range workers {
			wg.Go(func() {
				row := tally{ID: int64(id + 1)}
				for n := range int64(rounds / 10) {
					if _, err := m.NewUpdate(&tally{ID: row.ID, Value: n}).WherePK().Exec(ctx); !assert.NoError(t, err) {
						return
					}
					for range 10 {
						if err := m.NewSelect(&row).WherePK().Scan(ctx); !assert.NoError(t, err) {
							return
						}
						reads.Add(1)
						if row.Value < n {
							stale.Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
		assert.Zero(t, stale.Load())
		assert.EqualValues(t, workers*rounds, reads.Load())
		require.NoError(t, c.Replicas[1].ResumeReplay(ctx))
	})
}

// TestPooler_sessionsAreProved has a reader behind a pooler of sessions serve what was just written, as one without a pooler
// does; behind a pooler of transactions it serves what needs no freshness, and Open and Check say why.
func TestPooler_sessionsAreProved(t *testing.T) {
	if os.Getenv("BINDERY_SOAK_MINUTES") == "" {
		t.Skip("it takes minutes: set BINDERY_SOAK_MINUTES")
	}
	eachPooler(t, func(t *testing.T, o integration.PgBouncerOptions) {
		ctx := t.Context()
		c := teston.Start(t, teston.Postgres, 1)
		p := integration.StartPgBouncer(t, c.Replicas[0], o)
		var log syncBuffer
		m := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, []string{p.URI()}, ""),
			manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
		_, err := m.NewInsert(&tally{ID: 1, Value: 7}).Exec(ctx)
		require.NoError(t, err)
		read := func(ctx context.Context) string {
			ctx, route := router.Explain(ctx)
			row := tally{ID: 1}
			require.NoError(t, m.NewSelect(&row).WherePK().Scan(ctx))
			assert.EqualValues(t, 7, row.Value)
			return route.String()
		}
		require.NoError(t, c.WaitReplayed(ctx))
		report := m.Check(ctx)
		require.NoError(t, report.Err())
		reader := report.Binds[0].Engines[1]
		assert.Contains(t, log.String(), `engine=shop/reader-1 pooler="`+reader.Pooler)
		assert.Contains(t, report.String(), "reached through "+reader.Pooler)
		if o.Mode == integration.PoolSessions {
			require.Eventually(t, func() bool { return read(ctx) == "shop/reader-1 (read, plain_read)" }, waitFor, tick)
			for range 500 {
				require.Equal(t, "shop/reader-1 (read, plain_read)", read(ctx))
			}
			assert.Equal(t, manager.Proved, reader.Freshness)
			return
		}
		// One that does not say what it pools is found out when two connections are seen in one session: by reads side by side.
		require.Eventually(t, func() bool {
			var reading sync.WaitGroup
			for range 4 {
				reading.Go(func() { assert.NoError(t, m.NewSelect(&tally{ID: 1}).WherePK().Scan(ctx)) })
			}
			reading.Wait()
			return m.Check(ctx).Binds[0].Engines[1].Freshness == manager.Unproved
		}, waitFor, tick)
		assert.ErrorContains(t, m.Check(ctx).Binds[0].Engines[1].Doubt, "(transaction pooling) stands between")
		for range 50 {
			require.Contains(t, read(ctx), "shop/writer")
		}
		require.NoError(t, c.WaitReplayed(ctx))
		require.Contains(t, read(router.OnReader(ctx)), "shop/reader-1")
	})
}

// TestPooler_writerIsNotReadOnly has the roles of one bind share a pooler's few sessions.
func TestPooler_writerIsNotReadOnly(t *testing.T) {
	eachPooler(t, func(t *testing.T, o integration.PgBouncerOptions) {
		ctx := t.Context()
		c := teston.Start(t, teston.Postgres, 0)
		o.Settings = []string{"default_pool_size = 20"}
		p := integration.StartPgBouncer(t, c.Primary, o)
		m := openManager(t, config(map[string]string{"shop": p.URI()}, []string{p.URI()}, "pool = { max_open = 4 }"))
		require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
		var wg sync.WaitGroup
		for id := range 4 {
			wg.Go(func() {
				row := &tally{ID: int64(id + 1)}
				_, err := m.NewInsert(row).Exec(ctx)
				assert.NoError(t, err)
				for range 500 {
					_, err := m.NewUpdate(row).WherePK().Exec(ctx)
					if !assert.NoError(t, err) {
						return
					}
					if err := m.NewSelect(row).WherePK().Scan(router.OnReader(ctx)); !assert.NoError(t, err) {
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestPooler_oneHolder has two managers, as two processes would, take turns by a named lock; then one makes its tables
// while the other has gone with its lock held.
func TestPooler_oneHolder(t *testing.T) {
	eachPooler(t, func(t *testing.T, o integration.PgBouncerOptions) {
		ctx := t.Context()
		c := teston.Start(t, teston.Postgres, 0)
		p := integration.StartPgBouncer(t, c.Primary, o)
		open := func() *manager.DBManager {
			return openManager(t, config(map[string]string{"shop": p.URI()}, nil, "pool = { max_open = 2 }"))
		}
		managers := []*manager.DBManager{open(), open()}
		var inside, entered atomic.Int64
		var wg sync.WaitGroup
		for i := range 6 {
			m := managers[i%2]
			wg.Go(func() {
				for range 15 {
					assert.NoError(t, m.WithLock(ctx, shop{}, "turns", func(context.Context) error {
						assert.EqualValues(t, 1, inside.Add(1), "one holds it")
						entered.Add(1)
						inside.Add(-1)
						return nil
					}))
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 6*15, entered.Load())
		_, err := managers[0].Lock(ctx, shop{}, "held", manager.TryOnly())
		require.NoError(t, err)
		_, err = managers[1].Lock(ctx, shop{}, "held", manager.TryOnly())
		require.ErrorIs(t, err, manager.ErrLockTimeout)
		require.NoError(t, managers[0].CreateTables(ctx, (*tally)(nil)))
		require.NoError(t, managers[0].Close())
		require.NoError(t, managers[1].CreateTables(ctx, (*tally)(nil)))
		l, err := managers[1].Lock(ctx, shop{}, "held", manager.Wait(waitFor))
		require.NoError(t, err)
		require.NoError(t, l.Unlock())
	})
}

// A syncBuffer is a log that is written to while it is read.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
