package observe_test

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/observe"
	"github.com/bindery-go/bindery/router/routertest"
)

type accounts struct{}

func (accounts) BindKey() binds.Key { return "accounts" }

type user struct {
	bun.BaseModel `bun:"table:users"`
	accounts

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

// A telemetry has what was recorded.
type telemetry struct {
	spans  *tracetest.InMemoryExporter
	tracer *sdktrace.TracerProvider
	meters *sdkmetric.MeterProvider
	reader *sdkmetric.ManualReader
}

func newTelemetry(t testing.TB) *telemetry {
	r := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	r.tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	r.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	t.Cleanup(func() {
		require.NoError(t, r.tracer.Shutdown(context.Background()))
		require.NoError(t, r.meters.Shutdown(context.Background()))
	})
	return r
}

func (r *telemetry) options() []observe.Option {
	return []observe.Option{observe.WithTracerProvider(r.tracer), observe.WithMeterProvider(r.meters)}
}

// on has m observed until the test ends.
func (r *telemetry) on(t testing.TB, m *manager.DBManager, opts ...observe.Option) (off func() error) {
	off, err := observe.On(m, append(r.options(), opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, off()) })
	return off
}

// request begins a span as a server does for a request, and forgets those of before.
func (r *telemetry) request(t testing.TB) (ctx context.Context, end func()) {
	r.spans.Reset()
	ctx, span := r.tracer.Tracer("test").Start(t.Context(), "request")
	return ctx, func() { span.End() }
}

// lines shows the spans as a tree: one a line, by their order, with the attributes that are asked for.
func (r *telemetry) lines(keys ...attribute.Key) []string {
	all := r.spans.GetSpans()
	slices.SortStableFunc(all, func(a, b tracetest.SpanStub) int {
		return cmp.Or(a.StartTime.Compare(b.StartTime), b.EndTime.Compare(a.EndTime))
	})
	depth := func(s tracetest.SpanStub) int {
		n := 0
		for s.Parent.IsValid() {
			i := slices.IndexFunc(all, func(o tracetest.SpanStub) bool { return o.SpanContext.SpanID() == s.Parent.SpanID() })
			if i < 0 {
				return n
			}
			n, s = n+1, all[i]
		}
		return n
	}
	var lines []string
	for _, s := range all {
		line := strings.Repeat("  ", depth(s)) + s.Name
		for _, k := range keys {
			if v, ok := attributeOf(s.Attributes, k); ok {
				line += " " + v
			}
		}
		for _, e := range s.Events {
			line += " +" + e.Name
		}
		lines = append(lines, line)
	}
	return lines
}

func attributeOf(attrs []attribute.KeyValue, key attribute.Key) (string, bool) {
	for _, kv := range attrs {
		if kv.Key == key {
			return kv.Value.String(), true
		}
	}
	return "", false
}

// all shows the attributes of the span with a name, one a line.
func (r *telemetry) all(t testing.TB, name string) []string {
	for _, s := range r.spans.GetSpans() {
		if s.Name != name {
			continue
		}
		var lines []string
		for _, kv := range s.Attributes {
			lines = append(lines, fmt.Sprintf("%s=%s", kv.Key, kv.Value.String()))
		}
		slices.Sort(lines)
		return lines
	}
	require.Fail(t, "no span", "%q in %v", name, r.lines())
	return nil
}

// series returns the values of a metric by their attributes: "bindery.bind=accounts,…"; of a histogram its counts.
func (r *telemetry) series(t testing.TB, name string) map[string]float64 {
	var got metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(context.Background(), &got))
	values := make(map[string]float64)
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == name {
				addPoints(t, values, m.Data)
			}
		}
	}
	return values
}

func addPoints(t testing.TB, to map[string]float64, data metricdata.Aggregation) {
	key := func(set attribute.Set) string { return set.Encoded(attribute.DefaultEncoder()) }
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			to[key(p.Attributes)] = float64(p.Value)
		}
	case metricdata.Sum[float64]:
		for _, p := range d.DataPoints {
			to[key(p.Attributes)] = p.Value
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			to[key(p.Attributes)] = float64(p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range d.DataPoints {
			to[key(p.Attributes)] = p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			to[key(p.Attributes)] = float64(p.Count)
		}
	default:
		require.Fail(t, "unknown", "%T", data)
	}
}

// A world is a primary with replicas in memory, observed.
type world struct {
	*telemetry
	*manager.DBManager
	cluster *routertest.Cluster
}

func newWorld(t testing.TB, replicas int, opts ...manager.Option) *world {
	w := &world{telemetry: newTelemetry(t), cluster: routertest.New(t, replicas)}
	cfg := manager.BindConfig{Key: "accounts", Writer: binds.NewURI(w.cluster.WriterURI())}
	for _, uri := range w.cluster.ReaderURIs() {
		cfg.Readers = append(cfg.Readers, manager.ReaderConfig{URI: binds.NewURI(uri)})
	}
	var err error
	w.DBManager, err = manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{cfg}}, append(opts, manager.WithDrivers(w.cluster.Drivers()))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	_, err = w.NewCreateTable((*user)(nil)).Exec(t.Context())
	require.NoError(t, err)
	w.await(t)
	return w
}

// await waits until the readers show what was written.
func (w *world) await(t testing.TB) {
	b, err := w.Bind(accounts{})
	require.NoError(t, err)
	for {
		serve := true
		for _, h := range b.Router().Health(t.Context()) {
			serve = serve && h.Serving && h.Lag < 1e9
		}
		if serve {
			return
		}
		require.NoError(t, t.Context().Err())
	}
}

// sqliteManager opens binds on SQLite files.
func sqliteManager(t testing.TB, keys ...string) *manager.DBManager {
	cfg := &manager.Config{}
	for _, key := range keys {
		cfg.Binds = append(cfg.Binds, sqliteBind(t, key))
	}
	m, err := manager.New(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func sqliteBind(t testing.TB, key string) manager.BindConfig {
	return manager.BindConfig{Key: binds.Key(key), Writer: binds.NewURI("sqlite://" + filepath.ToSlash(t.TempDir()) + "/" + key + ".db")}
}

func spanID(ctx context.Context) trace.SpanID { return trace.SpanContextFromContext(ctx).SpanID() }
