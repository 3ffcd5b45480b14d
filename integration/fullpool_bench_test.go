package integration_test

import (
	"database/sql"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/pgbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/manager"
)

// BenchmarkFullPool has 32 callers read on 4 connections of PostgreSQL, in a bind's pool, whose callers wait as max_wait says, and in one that
// database/sql bounds: by a prepared statement and by text. All four take turns, so that one run compares them.
func BenchmarkFullPool(b *testing.B) {
	c, err := integration.NewPostgres(b.Context(), 0)
	require.NoError(b, err)
	b.Cleanup(func() { _ = c.Close() })
	var drivers binds.Drivers
	drivers.Register(pgbind.Driver{}, "postgres")
	pool := binds.Pool{MaxOpen: 4, MaxIdle: 4}
	m, err := manager.New(b.Context(), &manager.Config{Binds: []manager.BindConfig{{Key: "shop", Writer: binds.NewURI(c.Primary.URI()), Pool: pool}}},
		manager.WithDrivers(&drivers))
	require.NoError(b, err)
	b.Cleanup(func() { _ = m.Close() })
	bind, err := m.Bind(binds.Key("shop"))
	require.NoError(b, err)
	own, err := drivers.Open(b.Context(), "shop/writer", c.Primary.URI(), binds.WithPool(pool))
	require.NoError(b, err)
	b.Cleanup(func() { _ = own.Close() })

	type way struct {
		name string
		read func() error
	}
	var ways []way
	for name, db := range map[string]*sql.DB{"bind": bind.WriterEngine().DB(), "database_sql": own.DB()} {
		stmt, err := db.PrepareContext(b.Context(), "SELECT 1")
		require.NoError(b, err)
		b.Cleanup(func() { _ = stmt.Close() })
		ways = append(ways,
			way{name + "/prepared", func() error { var n int; return stmt.QueryRow().Scan(&n) }},
			way{name + "/text", func() error { var n int; return db.QueryRow("SELECT 1").Scan(&n) }})
	}
	const callers, reads = 32, 10
	for range 2 { // each way twice
		for _, w := range ways {
			b.Run(w.name, func(b *testing.B) {
				for b.Loop() {
					var all sync.WaitGroup
					for range callers {
						all.Go(func() {
							for range reads {
								if err := w.read(); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					all.Wait()
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*callers*reads), "µs/read")
			})
		}
	}
}
