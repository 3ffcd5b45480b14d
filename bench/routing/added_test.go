package routing

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/paired"
)

// BenchmarkAdded is what bindery adds to bare Bun, in paired rounds as on the page, in short: by the
// manager's builders, and by those of the bind's DB, which know the bind already.
//
//	go test -run '^$' -bench Added ./routing
func BenchmarkAdded(b *testing.B) {
	c, err := openAll(b.Context(), noop.New(replicas))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.close()) })
	for _, op := range operations {
		b.Run(op.name, func(b *testing.B) {
			ctx := context.Background()
			require.NoError(b, c.settle(ctx))
			families, err := c.families(op, 1)
			require.NoError(b, err)
			conf := paired.Config{Rounds: 200, Turn: 3 * time.Millisecond}
			var res *paired.Result
			for b.Loop() {
				res, err = paired.Measure(ctx, conf, families[0][:min(3, len(families[0]))])
				require.NoError(b, err)
			}
			for name, as := range map[string]string{bindery: "manager", byBind: "bind"} {
				if !res.Has(name) {
					continue
				}
				added := res.Added(name, bareOf(bindery))
				b.ReportMetric(added.Nanoseconds.Low, as+"-q1-ns")
				b.ReportMetric(added.Nanoseconds.Middle, as+"-ns")
				b.ReportMetric(added.Nanoseconds.High, as+"-q3-ns")
				b.ReportMetric(added.Allocs, as+"-allocs")
				b.ReportMetric(added.Bytes, as+"-B")
			}
			b.ReportMetric(res.Cost(bareOf(bindery)).Nanoseconds, "bare-ns")
		})
	}
}
