package integration_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router"
)

// TestSteadyLag has readers trail by a steady lag below max_lag while the writer is asked for the sake of others, who read what
// they have just written, or come with tokens that say nothing. Reads that may be so old are served by readers at any
// rate.
func TestSteadyLag(t *testing.T) {
	teston.Only(t, replicated...)
	if os.Getenv("BINDERY_SOAK_MINUTES") == "" {
		t.Skip("it takes minutes: make soak runs it; router's TestSteadyLagServes shows the same in fake time")
	}
	others := []struct {
		name string
		do   func(t *testing.T, s *stage, v int64)
	}{
		{"sessions that read their writes", func(t *testing.T, s *stage, v int64) {
			ctx := router.NewSession(t.Context())
			require.NoError(t, setCell(ctx, s.m, v))
			got, engine, err := readCell(ctx, s.m)
			require.NoError(t, err)
			require.Equal(t, v, got, engine)
		}},
		{"sessions that only write", func(t *testing.T, s *stage, v int64) {
			require.NoError(t, setCell(router.NewSession(t.Context()), s.m, v))
		}},
		{"tokens that say nothing", func(t *testing.T, s *stage, v int64) {
			require.NoError(t, setCell(router.NewSession(t.Context()), s.m, v))
			ctx, err := router.ResumeSession(t.Context(), "s3cret")
			require.Error(t, err)
			_, _, err = readCell(ctx, s.m)
			require.NoError(t, err)
		}},
	}
	lags, rates := []time.Duration{100 * time.Millisecond, time.Second, 4 * time.Second}, []int{5, 20, 100}
	onServers(t, `read_your_writes = "session"`, func(t *testing.T, s *stage) {
		var table strings.Builder
		for _, lag := range lags {
			for _, reader := range s.cluster.Replicas {
				require.NoError(t, reader.DelayReplay(t.Context(), lag))
			}
			for _, rate := range rates {
				for _, other := range others {
					served, all := 0, 0
					tick := time.NewTicker(time.Second / time.Duration(rate))
					begin := time.Now().Add(2*lag + 2*time.Second) // by then the lag is steady
					for end := begin.Add(3 * time.Second); time.Now().Before(end); <-tick.C {
						other.do(t, s, time.Now().UnixNano())
						_, engine, err := readCell(t.Context(), s.m)
						require.NoError(t, err)
						if time.Now().Before(begin) {
							continue
						}
						if all++; strings.Contains(engine, "/reader-") {
							served++
						}
					}
					tick.Stop()
					fmt.Fprintf(&table, "| %v | %d a second | %s | %d of %d |\n", lag, rate, other.name, served, all)
					assert.Greater(t, float64(served), 0.95*float64(all), "lag %v, %d a second, %s", lag, rate, other.name)
				}
			}
		}
		t.Logf("reads on readers\n%s", table.String())
		for _, reader := range s.cluster.Replicas {
			require.NoError(t, reader.DelayReplay(context.WithoutCancel(t.Context()), 0))
		}
	})
}
