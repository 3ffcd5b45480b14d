package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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

// TestReloadUnderLoad changes the file again and again, the readers too, while sixteen goroutines write rows and read them back: through what they
// hold from the beginning, in sessions that live on, in transactions, with locks. Nothing fails, and no read is older than what its session
// has written or seen.
func TestReloadUnderLoad(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			writer, readers, cluster := k.uris(t)
			file := filepath.Join(t.TempDir(), "config.toml")
			says := func(round int) {
				list := readers
				if len(readers) > 0 {
					list = readers[:(round+2)%3] // two, none, one
				}
				text := config(map[string]string{"shop": writer}, list, fmt.Sprintf("read_your_writes = \"session\"\npool = { max_open = %d }", 12+round%5))
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			}
			says(0)
			var log testlog.Buffer
			m, err := manager.Open(t.Context(), file, manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			require.NoError(t, m.CreateTables(t.Context(), (*tally)(nil)))
			held, err := m.Bind(shop{})
			require.NoError(t, err)
			db := held.DB() // as a repository keeps it

			const workers, rounds = 16, 9
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var running sync.WaitGroup
			var reads atomic.Int64
			for id := range int64(workers) {
				_, err := m.NewInsert(&tally{ID: id + 1}).Exec(t.Context())
				require.NoError(t, err)
				running.Go(func() {
					session := router.NewSession(t.Context())
					for value := int64(1); ctx.Err() == nil; value++ {
						row := tally{ID: id + 1, Value: value}
						var err error
						switch value % 4 {
						case 0:
							_, err = m.NewUpdate(&row).WherePK().Exec(session)
						case 1:
							_, err = db.NewUpdate().Model(&row).WherePK().Exec(session)
						case 2:
							err = db.RunInTx(session, nil, func(ctx context.Context, tx bun.Tx) error {
								_, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
								return err
							})
						case 3:
							err = m.InTx(session, shop{}, func(ctx context.Context) error {
								_, err := m.NewUpdate(&row).WherePK().Exec(ctx)
								return err
							})
						}
						if !assert.NoError(t, err, "write %d", value) {
							return
						}
						seen := tally{ID: id + 1}
						if err := db.NewSelect().Model(&seen).WherePK().Scan(session); !assert.NoError(t, err, "read %d", value) {
							return
						}
						if !assert.Equal(t, value, seen.Value, "its own write") {
							return
						}
						reads.Add(1)
						if value%50 == 0 {
							token, err := router.SessionFrom(session).Token(t.Context())
							assert.NoError(t, err)
							session, err = router.ResumeSession(t.Context(), token)
							assert.NoError(t, err)
						}
					}
				})
			}
			for round := range rounds {
				before := reads.Load()
				require.Eventually(t, func() bool { return reads.Load() > before+2*workers || t.Failed() }, waitFor, tick)
				says(round + 1)
				require.NoError(t, m.Reload(t.Context()))
			}
			stop()
			running.Wait()
			closed := func() int { return strings.Count(log.String(), "bind closed: all that had begun on it has ended") }
			require.Eventually(t, func() bool { return closed() == rounds }, waitFor, tick, "every bind of before is drained:\n%s", &log)
			assert.NotContains(t, log.String(), "broken off")
			t.Logf("%d writes and as many reads beside %d changes, none failed, none stale", reads.Load(), rounds)
			if cluster != nil {
				assert.Len(t, held.ReaderEngines(), (rounds+2)%3)
			}
		})
	}
}

// TestReloadToAnotherServer has the writer's and the readers' lines change places with those of a promoted server, as an operator does after a
// failover: sessions find what they wrote, and writes go on.
func TestReloadToAnotherServer(t *testing.T) {
	for _, k := range replicatedKinds() {
		t.Run(k.name, func(t *testing.T) {
			ctx := t.Context()
			_, _, c := k.uris(t)
			file := filepath.Join(t.TempDir(), "config.toml")
			says := func(writer string, readers ...string) {
				require.NoError(t, os.WriteFile(file, []byte(config(map[string]string{"shop": writer}, readers, "")), 0o600))
			}
			old, next, other := c.Primary, c.Replicas[0], c.Replicas[1]
			if k.name == teston.Postgres { // else a standby's new timeline shows after its next restartpoint
				require.NoError(t, old.Exec(ctx, "GRANT pg_read_all_stats TO app"))
			}
			says(old.URI(), next.URI(), other.URI())
			m, err := manager.Open(ctx, file)
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
			session := router.NewSession(ctx)
			_, err = m.NewInsert(&tally{ID: 1, Value: 1}).Exec(session)
			require.NoError(t, err)
			require.NoError(t, c.WaitReplayed(ctx))
			require.NoError(t, old.Kill(ctx))
			require.NoError(t, next.Promote(ctx))
			require.NoError(t, other.Follow(ctx, next))
			says(next.URI(), other.URI())
			require.NoError(t, m.Reload(ctx))
			row := tally{ID: 1}
			require.NoError(t, m.NewSelect(&row).WherePK().Scan(session))
			assert.EqualValues(t, 1, row.Value)
			_, err = m.NewUpdate(&tally{ID: 1, Value: 2}).WherePK().Exec(session)
			require.NoError(t, err)
			require.NoError(t, m.NewSelect(&row).WherePK().Scan(session))
			assert.EqualValues(t, 2, row.Value)
			require.Eventually(t, func() bool {
				ctx, route := router.Explain(ctx)
				return m.NewSelect(&row).WherePK().Scan(ctx) == nil && strings.HasPrefix(route.String(), "shop/reader-1 ")
			}, waitFor, 10*time.Millisecond, "the reader of now serves")
		})
	}
}

// replicatedKinds are those with a primary and replicas that follow it.
func replicatedKinds() []kind {
	var list []kind
	for _, k := range serverKinds() {
		for _, name := range replicated {
			if k.name == name {
				list = append(list, k)
			}
		}
	}
	return list
}
