package observe_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/bindery-go/bindery/observe"
)

// sampled is a parent whose trace is recorded, unsampled one whose is not.
func under(flags trace.TraceFlags) context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags,
	}))
}

// settings are what may be switched on.
var settings = []struct {
	name    string
	ctx     context.Context
	options func() []observe.Option
	most    float64 // allocations that a statement may cost
}{
	{"metrics", context.Background(), func() []observe.Option {
		return []observe.Option{observe.WithMeterProvider(meters()), observe.WithTracerProvider(tracenoop.NewTracerProvider())}
	}, 1},
	{"metrics, trace not sampled", under(0), func() []observe.Option {
		return []observe.Option{observe.WithMeterProvider(meters()), observe.WithTracerProvider(sdktrace.NewTracerProvider())}
	}, 1},
	{"no provider", context.Background(), func() []observe.Option { return nil }, 1},
	{"metrics, trace sampled", under(trace.FlagsSampled), func() []observe.Option {
		return []observe.Option{observe.WithMeterProvider(meters()), observe.WithTracerProvider(sdktrace.NewTracerProvider())}
	}, -1}, // the SDK's
}

func meters() *sdkmetric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

var statements = []struct {
	name string
	run  func(testing.TB, context.Context, bun.IConn)
}{{"read", readOnce}, {"write", writeOnce}}

// BenchmarkStatement measures statements with and without an observer in turns, and reports the difference.
func BenchmarkStatement(b *testing.B) {
	for _, s := range settings {
		for i, st := range statements {
			b.Run(s.name+"/"+st.name, func(b *testing.B) {
				const turn = 200
				_, offRead, offWrite := nullManager(b)
				m, onRead, onWrite := nullManager(b)
				stop, err := observe.On(m, s.options()...)
				require.NoError(b, err)
				defer func() { require.NoError(b, stop()) }()
				off, on := []bun.IConn{offRead, offWrite}[i], []bun.IConn{onRead, onWrite}[i]
				time1 := func(c bun.IConn) time.Duration {
					began := time.Now()
					for range turn {
						st.run(b, s.ctx, c)
					}
					return time.Since(began) / turn
				}
				var offs, ons []time.Duration
				for b.Loop() {
					offs, ons = append(offs, time1(off)), append(ons, time1(on))
				}
				undisturbed := func(d []time.Duration) float64 { // by others on the machine: as fast as one turn in ten
					slices.Sort(d)
					return float64(d[len(d)/10].Nanoseconds())
				}
				b.ReportMetric(undisturbed(offs), "ns-off")
				b.ReportMetric(undisturbed(ons), "ns-on")
				b.ReportMetric(undisturbed(ons)-undisturbed(offs), "ns-cost")
			})
		}
	}
}

// TestAllocations has what the package's documentation promises: one allocation a statement.
func TestAllocations(t *testing.T) {
	for _, s := range settings {
		for i, st := range statements {
			t.Run(s.name+"/"+st.name, func(t *testing.T) {
				m, read, write := nullManager(t)
				c := []bun.IConn{read, write}[i]
				before := testing.AllocsPerRun(1000, func() { st.run(t, s.ctx, c) })
				off, err := observe.On(m, s.options()...)
				require.NoError(t, err)
				on := testing.AllocsPerRun(1000, func() { st.run(t, s.ctx, c) }) - before
				t.Logf("%v allocations more", on)
				if s.most >= 0 {
					assert.LessOrEqual(t, on, s.most)
				}
				require.NoError(t, off())
				assert.Equal(t, before, testing.AllocsPerRun(1000, func() { st.run(t, s.ctx, c) }), "off again")
			})
		}
	}
}
