package integration_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// TestAnAddressOfSeveral has the writer's address lead to each server of a cluster in turn, one connection each, a replica first:
// with readers, and where it is the only address. The process keeps to one server that can be written to, reads what it
// has written, and log and Check say what is wrong.
func TestAnAddressOfSeveral(t *testing.T) {
	kinds := append(replicated[:len(replicated):len(replicated)], teston.Galera)
	teston.Only(t, kinds...)
	for _, kind := range kinds {
		if !teston.Has(kind) {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			c := teston.Start(t, kind, 2)
			_, readers, _ := clusterURIs(c)
			f := newForwarder(t, "")
			f.takeTurns(c.Replicas[0].Addr(), c.Replicas[1].Addr(), c.Primary.Addr())
			for i, row := range []struct {
				name    string
				readers []string
			}{{"alone", nil}, {"with readers", readers}} {
				t.Run(row.name, func(t *testing.T) {
					log := new(testlog.Buffer)
					m := openManager(t, config(map[string]string{"shop": f.uri(c.Primary)}, row.readers, "pool = { max_idle = 1 }"),
						manager.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
					if i == 0 {
						_, err := m.NewCreateTable((*cell)(nil)).Exec(t.Context())
						require.NoError(t, err)
					}
					const sessions, rounds = 6, 20
					var running sync.WaitGroup
					for s := range sessions {
						running.Go(func() {
							ctx, id := router.NewSession(t.Context()), i*sessions+s
							_, err := m.NewInsert(&cell{ID: id}).Exec(ctx)
							if !assert.NoError(t, err) {
								return
							}
							for v := int64(1); v <= rounds; v++ {
								_, err := m.NewUpdate(&cell{ID: id, V: v}).Column("v").WherePK().Exec(ctx)
								if !assert.NoError(t, err) {
									return
								}
								for _, ctx := range []context.Context{ctx, router.OnWriter(ctx), t.Context()} {
									got := &cell{ID: id}
									ctx, route := router.Explain(ctx)
									if !assert.NoError(t, m.NewSelect(got).WherePK().Scan(ctx)) ||
										!assert.Equal(t, v, got.V, "%v", route) {
										return
									}
								}
							}
						})
					}
					running.Wait()
					assert.Contains(t, log.String(), "writer's address leads to several servers")
					assert.Contains(t, engineOf(t, m.Check(t.Context()), "shop/writer").Advice, "its address leads to several servers")
				})
			}
		})
	}
}
