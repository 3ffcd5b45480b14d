package observe_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

func TestMetrics(t *testing.T) {
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	ctx := t.Context()
	for range 3 {
		_, err := w.NewInsert(&user{Name: "ada"}).Exec(ctx)
		require.NoError(t, err)
	}
	w.await(t)
	var users []user
	for range 2 {
		require.NoError(t, w.NewSelect(&users).Scan(router.OnReader(ctx)))
	}
	require.NoError(t, w.NewSelect(&users).Scan(router.OnWriter(ctx)))

	const (
		writer = "bindery.bind=accounts,bindery.engine=accounts/writer"
		reader = "bindery.bind=accounts,bindery.engine=accounts/reader-1"
	)
	assert.Equal(t, map[string]float64{
		writer + ",db.operation.name=INSERT,db.system.name=other_sql": 3,
		writer + ",db.operation.name=SELECT,db.system.name=other_sql": 1,
		reader + ",db.operation.name=SELECT,db.system.name=other_sql": 2,
	}, w.series(t, "db.client.operation.duration"))
	assert.Equal(t, map[string]float64{
		writer + ",bindery.reason=write_query": 3,
		writer + ",bindery.reason=hint_writer": 1,
		reader + ",bindery.reason=hint_reader": 2,
	}, w.series(t, "bindery.routing.decisions"))
	assert.Equal(t, map[string]float64{writer + ",bindery.role=writer": 1, reader + ",bindery.role=reader": 1}, w.series(t, "bindery.engine.up"))
	assert.Equal(t, map[string]float64{reader + ",bindery.role=reader": 1}, w.series(t, "bindery.reader.serving"))
	lag := w.series(t, "bindery.reader.lag")
	require.Len(t, lag, 1)
	assert.Less(t, lag[reader+",bindery.role=reader"], 10.0)
	for _, name := range []string{"bindery.retries", "bindery.fallbacks", "bindery.refusals", "bindery.outcomes_unknown"} {
		assert.Equal(t, map[string]float64{"bindery.bind=accounts": 0}, w.series(t, name), name)
	}
}

func TestDurationHasTheRecommendedBounds(t *testing.T) {
	w := newWorld(t, 0)
	w.on(t, w.DBManager)
	var users []user
	require.NoError(t, w.NewSelect(&users).Scan(t.Context()))
	var got metricdata.ResourceMetrics
	require.NoError(t, w.reader.Collect(t.Context(), &got))
	found := false
	for _, m := range got.ScopeMetrics[0].Metrics {
		if m.Name != "db.client.operation.duration" {
			continue
		}
		found = true
		assert.Equal(t, "s", m.Unit)
		point := m.Data.(metricdata.Histogram[float64]).DataPoints[0]
		assert.Equal(t, []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}, point.Bounds)
		assert.Positive(t, point.Sum)
		assert.Less(t, point.Sum, 10.0, "seconds")
	}
	assert.True(t, found)
}

func TestPools(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	r.on(t, m)
	_, err := m.NewCreateTable((*user)(nil)).Exec(t.Context())
	require.NoError(t, err)
	const writer, reader = "bindery.bind=accounts,bindery.role=writer,db.client.connection.pool.name=accounts/writer", "bindery.bind=accounts,bindery.role=reader,db.client.connection.pool.name=accounts/reader-1"
	state := func(pool, state string) string {
		return pool + ",db.client.connection.state=" + state
	}
	require.NoError(t, m.InTx(t.Context(), accounts{}, func(context.Context) error {
		assert.Equal(t, map[string]float64{
			state(writer, "used"): 1, state(writer, "idle"): 0, state(reader, "used"): 0, state(reader, "idle"): 0,
		}, r.series(t, "db.client.connection.count"))
		return nil
	}))
	assert.Equal(t, 1.0, r.series(t, "db.client.connection.count")[state(writer, "idle")])
	b, err := m.Bind(accounts{})
	require.NoError(t, err)
	assert.Equal(t, map[string]float64{writer: 1, reader: float64(b.ReaderEngines()[0].Pool().MaxOpen)}, r.series(t, "db.client.connection.max"))
	for _, name := range []string{"db.client.connection.idle.max", "db.client.connection.pending_requests", "db.client.connection.timeouts", "bindery.pool.waits", "bindery.pool.wait_time"} {
		assert.Len(t, r.series(t, name), 2, name)
	}
	assert.Empty(t, r.series(t, "bindery.engine.up"), "nobody looks at a file")
	assert.Equal(t, map[string]float64{"bindery.bind=accounts,bindery.engine=accounts/reader-1,bindery.role=reader": 1}, r.series(t, "bindery.reader.serving"))
}

// bindsOf returns the binds that a metric of each bind tells of.
func (r *telemetry) bindsOf(t testing.TB) (keys []string) {
	for key := range r.series(t, "bindery.retries") {
		keys = append(keys, strings.TrimPrefix(key, "bindery.bind="))
	}
	return keys
}

type audit struct{}

func (audit) BindKey() binds.Key { return "audit" }

func TestBindsComeAndGo(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	off := r.on(t, m)
	ctx := t.Context()
	assert.ElementsMatch(t, []string{"accounts"}, r.bindsOf(t))
	_, err := m.Add(ctx, sqliteBind(t, "audit"))
	require.NoError(t, err)
	_, err = m.NewRaw(audit{}, "SELECT 1").Exec(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{"SELECT audit"}, r.lines("bindery.bind"))
	assert.ElementsMatch(t, []string{"accounts", "audit"}, r.bindsOf(t))
	assert.Len(t, r.series(t, "db.client.connection.max"), 4)
	assert.Equal(t, map[string]float64{"bindery.bind=audit,bindery.engine=audit/reader-1,bindery.reason=plain_read": 1}, r.series(t, "bindery.routing.decisions"))

	require.NoError(t, m.Remove(ctx, audit{}))
	assert.ElementsMatch(t, []string{"accounts"}, r.bindsOf(t))
	assert.Len(t, r.series(t, "db.client.connection.max"), 2)
	assert.Empty(t, r.series(t, "bindery.routing.decisions"))

	_, err = m.Add(ctx, sqliteBind(t, "audit"))
	require.NoError(t, err)
	_, err = m.NewRaw(audit{}, "SELECT 1").Exec(ctx)
	require.NoError(t, err)
	assert.Equal(t, map[string]float64{"bindery.bind=audit,bindery.engine=audit/reader-1,bindery.reason=plain_read": 1}, r.series(t, "bindery.routing.decisions"), "it is another one")

	require.NoError(t, off())
	r.spans.Reset()
	_, err = m.NewRaw(audit{}, "SELECT 1").Exec(ctx)
	require.NoError(t, err)
	assert.Empty(t, r.lines())
	assert.Empty(t, r.bindsOf(t))
	_, err = m.Add(ctx, sqliteBind(t, "more"))
	require.NoError(t, err)
	_, err = m.NewRaw(binds.Key("more"), "SELECT 1").Exec(ctx)
	require.NoError(t, err)
	assert.Empty(t, r.lines())
}

func TestReloadKeepsCounting(t *testing.T) {
	r, file := newTelemetry(t), filepath.Join(t.TempDir(), "config.toml")
	write := func(more string) {
		writeFile(t, file, "[binds.accounts]\nwriter = 'sqlite://"+filepath.ToSlash(filepath.Dir(file))+"/a.db'\n"+more)
	}
	write("")
	m, err := manager.Open(t.Context(), file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	r.on(t, m)
	read := func() {
		_, err := m.NewRaw(accounts{}, "SELECT 1").Exec(t.Context())
		require.NoError(t, err)
	}
	const reader = "bindery.bind=accounts,bindery.engine=accounts/reader-1,bindery.reason=plain_read"
	read()
	assert.Equal(t, map[string]float64{reader: 1}, r.series(t, "bindery.routing.decisions"))
	write("pool = { max_open = 3 }\n")
	require.NoError(t, m.Reload(t.Context()))
	read()
	assert.Equal(t, map[string]float64{reader: 2}, r.series(t, "bindery.routing.decisions"))
	assert.Equal(t, 3.0, r.series(t, "db.client.connection.max")["bindery.bind=accounts,bindery.role=reader,db.client.connection.pool.name=accounts/reader-1"])
	assert.Len(t, r.lines(), 2)
}
