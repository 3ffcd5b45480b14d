package integration_test

import (
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// tally is a row that one process counts up and the other reads.
type tally struct {
	bun.BaseModel `bun:"table:tallies"`
	shop

	ID    int64 `bun:",pk"`
	Value int64
}

// TestWriterComesBackAsReplica is what Patroni does: the primary dies, a reader's server is promoted, and the old primary
// comes back under the writer's address as a replica that trails.
func TestWriterComesBackAsReplica(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			writer, readers, c := clusterURIs(start(t))
			ctx := t.Context()
			var log testlog.Buffer
			m := openManager(t, config(map[string]string{"shop": writer}, readers, `max_lag = "2s"`),
				manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
			_, err := m.NewInsert(&tally{ID: 1, Value: 1}).Exec(ctx)
			require.NoError(t, err)
			require.NoError(t, c.WaitReplayed(ctx))
			session := router.NewSession(ctx)
			require.NoError(t, m.NewSelect(new(tally)).Where("id = 1").Scan(session))

			old, one, two := c.Primary, c.Replicas[0], c.Replicas[1]
			require.NoError(t, old.Kill(ctx))
			require.NoError(t, one.Promote(ctx))
			require.NoError(t, two.Follow(ctx, one))
			other := openManager(t, config(map[string]string{"shop": one.URI()}, nil, ""))
			require.NoError(t, old.Rebuild(ctx, one))
			require.NoError(t, old.DelayReplay(ctx, 6*time.Second))

			wrote, seen, last := make(map[int64]time.Time), int64(0), int64(1)
			var served []string
			for began := time.Now(); time.Since(began) < 5*time.Second; last++ {
				_, err := other.NewUpdate(&tally{ID: 1, Value: last + 1}).WherePK().Exec(ctx)
				require.NoError(t, err)
				wrote[last+1] = time.Now()
				row := tally{ID: 1}
				require.NoError(t, m.NewSelect(&row).WherePK().Scan(session), log.String())
				assert.GreaterOrEqual(t, row.Value, seen, "the session does not go back")
				seen = row.Value
				plain, route := router.Explain(ctx)
				row = tally{ID: 1}
				require.NoError(t, m.NewSelect(&row).WherePK().Scan(plain))
				if at, ok := wrote[row.Value+1]; ok && time.Since(began) > time.Second {
					assert.Less(t, time.Since(at), 4*time.Second, "max_lag is 2 s: %s", route)
				}
				if time.Since(began) > 2*time.Second { // by then it trails by more than it may
					served = append(served, route.String())
				}
			}
			all := strings.Join(served, "\n")
			t.Logf("%d reads: %d by reader-1, %d by reader-2", len(served), strings.Count(all, "shop/reader-1"), strings.Count(all, "shop/reader-2"))
			assert.False(t, strings.Contains(all, "shop/writer"), "it trails by 6 s")
			assert.True(t, strings.Contains(all, "shop/reader-1"), "the new primary serves: %s\n%s", latencies(t, m), log.String())

			began := time.Now()
			_, err = m.NewUpdate(&tally{ID: 1, Value: 9999}).WherePK().Exec(ctx)
			var gone *router.UnavailableError
			require.ErrorAs(t, err, &gone)
			assert.True(t, gone.ReadOnly, "%v", err)
			assert.Greater(t, time.Since(began), 2*time.Second, "it waited for a primary")

			// A failover back: the write waits for it, and is carried out.
			require.NoError(t, old.DelayReplay(ctx, 0))
			require.NoError(t, c.WaitReplayed(ctx))
			failed := make(chan error, 1)
			go func() {
				_, err := m.NewUpdate(&tally{ID: 1, Value: last + 1}).WherePK().Exec(ctx)
				failed <- err
			}()
			require.NoError(t, one.Kill(ctx))
			require.NoError(t, old.Promote(ctx))
			require.NoError(t, <-failed)
			row := tally{ID: 1}
			require.NoError(t, m.NewSelect(&row).WherePK().Scan(ctx))
			assert.Equal(t, last+1, row.Value, "the process reads what it has written")
			assert.Eventually(t, func() bool { return strings.Contains(log.String(), "writer is the primary again") }, waitFor, tick)
			assertNoPassword(t, log.String(), err)
		})
	}
}

// latencies returns what reads on the readers of shop are thought to take, by which they are chosen.
func latencies(t *testing.T, m *manager.DBManager) string {
	t.Helper()
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	var list []string
	for _, r := range b.Router().Readers() {
		list = append(list, r.Name()+" "+r.Latency().String())
	}
	return strings.Join(list, ", ")
}

// TestReaderOfOtherData lists readers on the right servers, whose sessions see other data.
func TestReaderOfOtherData(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			writer, readers, c := clusterURIs(start(t))
			ctx := t.Context()
			other := func(uri string) string {
				u, err := url.Parse(uri)
				require.NoError(t, err)
				u.Path = "/elsewhere"
				return u.String()
			}
			require.NoError(t, c.Primary.Exec(ctx, "CREATE DATABASE elsewhere"))
			setting := "sql_mode=ANSI_QUOTES"
			if name == teston.Postgres {
				setting = "search_path=pg_catalog"
			} else {
				require.NoError(t, c.Primary.Exec(ctx, "GRANT ALL ON elsewhere.* TO app@'%'"))
			}
			require.NoError(t, c.WaitReplayed(ctx))
			with := "?"
			if strings.Contains(readers[1], "?") {
				with = "&"
			}
			var log testlog.Buffer
			m := openManager(t, config(map[string]string{"shop": writer}, []string{other(readers[0]), readers[1] + with + setting}, `max_lag = "off"`),
				manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			b, err := m.Bind(shop{})
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				h := b.Router().Health(ctx)
				return h[0].Down != nil && h[1].Down != nil
			}, waitFor, tick)
			for range 20 {
				explained, route := router.Explain(router.OnReader(ctx))
				require.NoError(t, m.NewRaw(shop{}, "SELECT 1").Scan(explained, new(int)))
				assert.Equal(t, "shop/writer (read, readers_down)", route.String())
			}
			err = m.Check(ctx).Err()
			require.ErrorContains(t, err, `the database is "elsewhere", there "`)
			require.ErrorContains(t, err, map[bool]string{true: "search_path is ", false: "sql_mode"}[name == teston.Postgres])
			assert.Contains(t, log.String(), "the reader shows other data than the writer")
			assertNoPassword(t, log.String(), err)
		})
	}
}
