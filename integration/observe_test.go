package integration_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/observe"
	"github.com/bindery-go/bindery/router"
)

// An observedKind is a kind of server, and what OpenTelemetry calls it.
type observedKind struct {
	system    string
	sleepAt   string // an expression that takes long on the server with a port, and no time on others
	sleeping  string // query: how many sessions are at it
	waiting   string // query: how many wait for a named lock
	duplicate string // the server's code
}

var observedKinds = map[string]observedKind{
	teston.Postgres: {
		system:    "postgresql",
		sleepAt:   "CASE WHEN inet_server_port() = %d THEN length(pg_sleep(60)::text) ELSE 0 END",
		sleeping:  "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
		waiting:   "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
		duplicate: "23505",
	},
	teston.MariaDB: observedMySQL("mariadb"),
	teston.MySQL:   observedMySQL("mysql"),
}

func observedMySQL(system string) observedKind {
	return observedKind{
		system:    system,
		sleepAt:   "IF(@@port = %d, SLEEP(60), 0)",
		sleeping:  "SELECT count(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
		waiting:   "SELECT count(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'",
		duplicate: "1062",
	}
}

// An observedBench is a manager on a primary and a replica, that tells what it does.
type observedBench struct {
	observedKind
	*manager.DBManager
	cluster *integration.Cluster
	address *forwarder // of the primary
	spans   *tracetest.InMemoryExporter
	reader  *sdkmetric.ManualReader
}

// TestObserve has real servers: who ran what, and what became of it, in the field's words.
func TestObserve(t *testing.T) {
	teston.Only(t, teston.Postgres, teston.MariaDB, teston.MySQL)
	for name, k := range observedKinds {
		if !teston.Has(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b := newObservedBench(t, name, k)
			t.Run("reads and writes", b.testStatements)
			t.Run("errors hide values", b.testErrors)
			t.Run("lock wait", b.testLockWait)
			t.Run("outcome unknown", b.testOutcomeUnknown)
			t.Run("killed reader", b.testKilledReader) // the last: it stays away
		})
	}
}

func newObservedBench(t *testing.T, name string, k observedKind) *observedBench {
	b := &observedBench{observedKind: k, cluster: teston.Start(t, name, 1), spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	b.address = newForwarder(t, b.cluster.Primary.Addr())
	b.DBManager = openManager(t, config(map[string]string{"shop": b.address.uri(b.cluster.Primary)}, []string{b.cluster.Replicas[0].URI()}, ""))
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader))
	off, err := observe.On(b.DBManager, observe.WithTracerProvider(tracers), observe.WithMeterProvider(meters))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, off()) })
	_, err = b.NewCreateTable((*item)(nil)).Exec(t.Context())
	require.NoError(t, err)
	b.sync(t)
	return b
}

// sync waits until the reader shows what was written, and forgets the spans.
func (b *observedBench) sync(t *testing.T) {
	bind, err := b.Bind(shop{})
	require.NoError(t, err)
	for !bind.Router().Health(t.Context())[0].Serving {
		require.NoError(t, t.Context().Err())
	}
	b.spans.Reset()
}

// until waits until a server answers a count that is no zero.
func until(t *testing.T, s *integration.Server, count string) {
	t.Helper()
	for {
		n, err := s.QueryString(t.Context(), count)
		require.NoError(t, err)
		if n != "0" {
			return
		}
	}
}

// only returns the attributes of the spans with a name, of which there is one.
func (b *observedBench) only(t *testing.T, name string) (map[string]string, tracetest.SpanStub) {
	t.Helper()
	var found []tracetest.SpanStub
	for _, s := range b.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, name)
	attrs := make(map[string]string)
	for _, kv := range found[0].Attributes {
		attrs[string(kv.Key)] = kv.Value.String()
	}
	return attrs, found[0]
}

// has asserts some of a span's attributes.
func has(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	some := maps.Clone(got)
	maps.DeleteFunc(some, func(k, _ string) bool { return want[k] == "" })
	assert.Equal(t, want, some)
}

// values returns a metric's values by the attribute that is asked for.
func (b *observedBench) values(t *testing.T, name, by string) map[string]int64 {
	t.Helper()
	var got metricdata.ResourceMetrics
	require.NoError(t, b.reader.Collect(t.Context(), &got))
	values := make(map[string]int64)
	for _, m := range got.ScopeMetrics[0].Metrics {
		if m.Name != name {
			continue
		}
		var points []metricdata.DataPoint[int64]
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			points = d.DataPoints
		case metricdata.Gauge[int64]:
			points = d.DataPoints
		}
		for _, p := range points {
			v, _ := p.Attributes.Value(attribute.Key(by))
			values[v.AsString()] += p.Value
		}
	}
	return values
}

func (b *observedBench) testStatements(t *testing.T) {
	ctx := t.Context()
	_, err := b.NewInsert(&item{Name: "c4n4ry"}).Exec(ctx)
	require.NoError(t, err)
	var items []item
	b.sync(t)
	for len(b.spans.GetSpans()) == 0 || !strings.Contains(fmt.Sprint(b.spans.GetSpans()), "plain_read") { // once the reader shows the write
		b.spans.Reset()
		require.NoError(t, b.NewSelect(&items).Where("name = ?", "c4n4ry").Scan(ctx))
	}
	read, _ := b.only(t, "SELECT items")
	has(t, read, map[string]string{
		"bindery.bind": "shop", "bindery.engine": "shop/reader-1", "bindery.role": "reader", "bindery.reason": "plain_read",
		"db.system.name": b.system, "db.operation.name": "SELECT", "db.collection.name": "items",
		"server.address": "127.0.0.1", "server.port": strconv.Itoa(b.cluster.Replicas[0].Port()),
	})
	require.Len(t, items, 1)

	b.spans.Reset()
	require.NoError(t, b.InTx(ctx, shop{}, func(ctx context.Context) error {
		_, err := b.NewInsert(&item{Name: "c4n4ry"}).Exec(ctx)
		return err
	}))
	_, tx := b.only(t, "transaction")
	for _, name := range []string{"BEGIN", "INSERT items", "COMMIT"} {
		attrs, s := b.only(t, name)
		assert.Equal(t, tx.SpanContext.SpanID(), s.Parent.SpanID(), name)
		_, port, _ := strings.Cut(b.address.listener.Addr().String(), ":")
		has(t, attrs, map[string]string{"bindery.engine": "shop/writer", "bindery.role": "writer", "bindery.reason": "transaction", "db.system.name": b.system, "server.port": port})
	}
	assert.NotContains(t, fmt.Sprint(b.spans.GetSpans()), "c4n4ry")
}

func (b *observedBench) testErrors(t *testing.T) {
	_, err := b.NewRaw(shop{}, "CREATE TABLE tags (name VARCHAR(50) PRIMARY KEY)").Exec(t.Context())
	require.NoError(t, err)
	insert := func() error {
		b.spans.Reset()
		_, err := b.NewRaw(shop{}, "INSERT INTO tags (name) VALUES (?)", "c4n4ry").Exec(t.Context())
		return err
	}
	require.NoError(t, insert())
	require.Error(t, insert())
	attrs, _ := b.only(t, "INSERT tags")
	has(t, attrs, map[string]string{"error.type": b.duplicate, "db.response.status_code": b.duplicate, "db.query.text": "INSERT INTO tags (name) VALUES (?)"})
	assert.NotContains(t, fmt.Sprint(b.spans.GetSpans()), "c4n4ry")
}

func (b *observedBench) testLockWait(t *testing.T) {
	held, err := b.Lock(t.Context(), shop{}, "job-4711")
	require.NoError(t, err)
	b.spans.Reset()
	got := make(chan error)
	go func() {
		l, err := b.Lock(t.Context(), shop{}, "job-4711")
		if err == nil {
			err = l.Unlock()
		}
		got <- err
	}()
	until(t, b.cluster.Primary, b.waiting)
	require.NoError(t, held.Unlock())
	require.NoError(t, <-got)
	attrs, span := b.only(t, "lock wait")
	has(t, attrs, map[string]string{"bindery.bind": "shop", "bindery.engine": "shop/writer", "bindery.role": "writer", "db.system.name": b.system, "server.address": "127.0.0.1"})
	assert.Positive(t, span.EndTime.Sub(span.StartTime))
	assert.NotContains(t, fmt.Sprint(b.spans.GetSpans()), "4711")
}

func (b *observedBench) testOutcomeUnknown(t *testing.T) {
	b.spans.Reset()
	done := make(chan error)
	sleep := fmt.Sprintf(b.sleepAt, b.cluster.Primary.Port())
	go func() {
		_, err := b.NewRaw(shop{}, "INSERT INTO items (name, server) SELECT 'x', "+sleep).Exec(t.Context())
		done <- err
	}()
	until(t, b.cluster.Primary, b.sleeping)
	b.address.cut()
	require.ErrorIs(t, <-done, router.ErrOutcomeUnknown)
	attrs, _ := b.only(t, "INSERT items")
	has(t, attrs, map[string]string{"bindery.engine": "shop/writer", "error.type": "outcome_unknown"})
	assert.Equal(t, map[string]int64{"shop": 1}, b.values(t, "bindery.outcomes_unknown", "bindery.bind"))
}

func (b *observedBench) testKilledReader(t *testing.T) {
	replica := b.cluster.Replicas[0]
	b.sync(t)
	before := b.values(t, "bindery.ejections", "bindery.engine")["shop/reader-1"]
	done := make(chan error)
	go func() {
		var n int
		done <- b.NewRaw(shop{}, "SELECT "+fmt.Sprintf(b.sleepAt, replica.Port())+" FROM items LIMIT 1").Scan(router.OnReader(t.Context()), &n)
	}()
	until(t, replica, b.sleeping)
	require.NoError(t, replica.Kill(t.Context()))
	require.NoError(t, <-done, "it goes elsewhere")
	attrs, span := b.only(t, "SELECT items")
	has(t, attrs, map[string]string{"bindery.engine": "shop/writer", "bindery.role": "writer", "bindery.reason": "readers_down"})
	require.NotEmpty(t, span.Events)
	assert.Equal(t, "retry", span.Events[0].Name)
	assert.Equal(t, before+1, b.values(t, "bindery.ejections", "bindery.engine")["shop/reader-1"])
	assert.Equal(t, map[string]int64{"shop/writer": 1, "shop/reader-1": 0}, b.values(t, "bindery.engine.up", "bindery.engine"))
	assert.Equal(t, map[string]int64{"shop/reader-1": 0}, b.values(t, "bindery.reader.serving", "bindery.engine"))
}
