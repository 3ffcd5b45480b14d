package routing

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/paired"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

// BenchmarkAdded is what bindery adds to bare Bun, in paired rounds: by the manager's builders, and by
// those of the bind's DB, which know the bind already.
//
//	go test -run '^$' -bench Added ./routing
func BenchmarkAdded(b *testing.B) {
	for _, op := range []operation{pointSelect, insert} {
		b.Run(op.name, func(b *testing.B) {
			cluster := noop.New(replicas).Peers()
			bare, err := peers.Named("Bun").Open(b.Context(), cluster, peers.Options{})
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, bare.Close()) })
			routed, err := peers.Named("bindery").Open(b.Context(), cluster, peers.Options{})
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, routed.Close()) })
			bind, err := routed.(peers.Managed).Manager().Bind(peers.Accounts{})
			require.NoError(b, err)
			form := func(name string, db peers.DB) paired.Form {
				return paired.Form{Name: name, Run: func(ctx context.Context, n int) error {
					for range n {
						if err := op.do(ctx, db); err != nil {
							return err
						}
					}
					return nil
				}}
			}
			var res *paired.Result
			for b.Loop() {
				res, err = paired.Measure(context.Background(), paired.Config{Rounds: 300, Turn: 3 * time.Millisecond},
					[]paired.Form{form("bare", bare), form("manager", routed), form("bind", peers.OnBun(bind.DB()))})
				require.NoError(b, err)
			}
			for _, name := range []string{"manager", "bind"} {
				added := res.Added(name, "bare")
				b.ReportMetric(added.Nanoseconds.Low, name+"-q1-ns")
				b.ReportMetric(added.Nanoseconds.Middle, name+"-ns")
				b.ReportMetric(added.Nanoseconds.High, name+"-q3-ns")
				b.ReportMetric(added.Allocs.Middle, name+"-allocs")
				b.ReportMetric(added.Bytes.Middle, name+"-B")
			}
			b.ReportMetric(res.Cost("bare").Nanoseconds, "bare-ns")
		})
	}
}
