package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// readsItsWritesThrough has a manager that knows one address, a pooler's, read back what it wrote, in every way there is, while the
// replica that the pooler sends reads to stands still. It returns what Check says.
func readsItsWritesThrough(t *testing.T, c *integration.Cluster, uri, placeholder string) *manager.Report {
	t.Helper()
	ctx := t.Context()
	var log syncBuffer
	m := openManager(t, config(map[string]string{"shop": uri}, nil, ""), manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
	const workers, rounds = 6, 12
	for id := range workers {
		_, err := m.NewInsert(&tally{ID: int64(id + 1), Value: -1}).Exec(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, c.WaitReplayed(ctx))
	require.NoError(t, c.Replicas[0].PauseReplay(ctx))
	assert.Empty(t, readBack(t, m, placeholder, workers, rounds), "of %d reads each", workers*rounds)
	report := m.Check(ctx)
	assert.NoError(t, report.Err())
	assert.Contains(t, log.String(), "engine is reached through a pooler")
	require.NoError(t, c.Replicas[0].ResumeReplay(ctx))
	return report
}

// readBack has workers write to a row each, and read that in each way there is. It returns how often each way found another value.
func readBack(t *testing.T, m *manager.DBManager, placeholder string, workers, rounds int) map[string]int {
	ctx := t.Context()
	bind, err := m.Bind(shop{})
	require.NoError(t, err)
	var mu sync.Mutex
	stale := map[string]int{}
	var running sync.WaitGroup
	for id := range workers {
		running.Go(func() {
			for n := range int64(rounds) {
				session := router.NewSession(ctx)
				_, err := m.NewUpdate(&tally{ID: int64(id + 1), Value: n}).WherePK().Exec(session)
				if !assert.NoError(t, err) {
					return
				}
				for way, read := range map[string]func(ctx context.Context, row *tally) error{
					"session": func(ctx context.Context, row *tally) error { return m.NewSelect(row).WherePK().Scan(ctx) },
					"transaction": func(ctx context.Context, row *tally) error {
						return m.InTx(ctx, shop{}, func(ctx context.Context) error { return m.NewSelect(row).WherePK().Scan(ctx) })
					},
					"raw": func(ctx context.Context, row *tally) error {
						return bind.DB().NewRaw("SELECT value FROM tallies WHERE id = ?", row.ID).Scan(ctx, &row.Value)
					},
					"prepared": func(ctx context.Context, row *tally) error {
						s, err := bind.DB().PrepareContext(ctx, "SELECT value FROM tallies WHERE id = "+placeholder)
						if err != nil {
							return err
						}
						defer func() { _ = s.Close() }() // the read's error counts
						return s.QueryRowContext(ctx, row.ID).Scan(&row.Value)
					},
					"pinned": func(ctx context.Context, row *tally) error {
						return onConn(ctx, bind.Writer().DB, func(conn *sql.Conn) error {
							return conn.QueryRowContext(ctx, fmt.Sprintf("SELECT value FROM tallies WHERE id = %d", row.ID)).Scan(&row.Value)
						})
					},
				} {
					row := &tally{ID: int64(id + 1)}
					assert.NoError(t, read(session, row), way)
					if row.Value != n {
						mu.Lock()
						stale[way]++
						mu.Unlock()
					}
				}
			}
		})
	}
	running.Wait()
	return stale
}

func onConn(ctx context.Context, db *sql.DB, do func(conn *sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool
	return do(conn)
}
