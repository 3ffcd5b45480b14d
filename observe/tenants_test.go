package observe_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// A tenant has spans and durations as other binds do, also after it was closed and opened again, and none once nobody observes.
func TestTenantsAreTold(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{{Key: "main", Writer: binds.NewURI("sqlite://" + dir + "/main.db")}}},
		manager.WithTenants(func(_ context.Context, key binds.Key) (manager.BindConfig, error) {
			return manager.BindConfig{Writer: binds.NewURI("sqlite://" + dir + "/" + string(key) + ".db")}, nil
		}, manager.Idle(time.Millisecond)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	held, err := m.Bind(binds.Key("held")) // opened before anybody observes
	require.NoError(t, err)
	closed := func() bool { return len(m.Tenants()) == 0 }
	ask := func(ctx context.Context) {
		require.NoError(t, held.DB().NewRaw("SELECT 1").Scan(ctx, new(int)))
		require.Eventually(t, closed, 10*time.Second, time.Millisecond)
	}
	ask(t.Context())

	r := newTelemetry(t)
	off := r.on(t, m)
	for range 3 { // it is closed in between
		ctx, end := r.request(t)
		ask(ctx)
		end()
		assert.Equal(t, []string{"request", "  SELECT held held/reader-1"}, r.lines("bindery.bind", "bindery.engine"))
	}
	assert.Equal(t, map[string]float64{"held": 3}, r.byBind(t, "db.client.operation.duration"))
	assert.Equal(t, map[string]float64{"main": 1}, r.byBind(t, "bindery.reader.serving"), "what is collected is of the configuration's binds")
	require.NoError(t, off())
	ctx, end := r.request(t)
	ask(ctx)
	end()
	assert.Equal(t, []string{"request"}, r.lines())
}

// byBind returns the sums of a metric's series by their binds.
func (r *telemetry) byBind(t *testing.T, name string) map[string]float64 {
	t.Helper()
	sums := make(map[string]float64)
	for attrs, value := range r.series(t, name) {
		for _, kv := range strings.Split(attrs, ",") {
			if key, ok := strings.CutPrefix(kv, "bindery.bind="); ok {
				sums[key] += value
			}
		}
	}
	return sums
}
