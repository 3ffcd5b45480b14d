package router_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// A reader that trails by a steady lag below max_lag serves the reads that may be so old, however often the writer
// is asked for the sake of others: by those who read what they have just written, or who come with tokens that say
// nothing.
func TestSteadyLagServes(t *testing.T) {
	others := map[string]func(t *testing.T, p *process, i int){
		"sessions that only write": func(t *testing.T, p *process, i int) {
			p.mustWrite(t, router.NewSession(t.Context()), int64(i))
		},
		"sessions that read their writes": func(t *testing.T, p *process, i int) {
			ctx := router.NewSession(t.Context())
			p.mustWrite(t, ctx, int64(i))
			value, route := p.mustRead(t, ctx)
			assert.EqualValues(t, i, value)
			assert.Equal(t, fromWriter, route)
		},
		"tokens that say nothing": func(t *testing.T, p *process, i int) {
			p.mustWrite(t, router.NewSession(t.Context()), int64(i))
			ctx, err := router.ResumeSession(t.Context(), "s3cret")
			require.Error(t, err)
			_, route := p.mustRead(t, ctx)
			assert.Equal(t, fromWriter, route)
		},
	}
	for who, other := range others {
		for _, row := range []struct {
			lag, lasts time.Duration
			rate       int
		}{{time.Second, 8 * time.Second, 100}, {4 * time.Second, 15 * time.Second, 20}} {
			lag, rate := row.lag, row.rate
			inBubble(t, 1, func(cfg *router.Config) { cfg.Freshness.ReadYourWrites = router.SessionWrites }, func(t *testing.T, p *process) {
				p.cluster.Replicas()[0].SetLag(lag)
				served, all := 0, int(row.lasts.Seconds())*rate
				for i := range all {
					other(t, p, i)
					time.Sleep(time.Second / time.Duration(rate))
					if _, route := p.mustRead(t, t.Context()); route == fromReader1 {
						served++
					}
				}
				t.Logf("%s, lag %v, %d a second: %d of %d reads on the reader", who, lag, rate, served, all)
				assert.Equal(t, all, served, "%s, lag %v, %d a second", who, lag, rate)
			})
		}
	}
}
