package manager

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// A process that has forgotten a tenant does not know what it has written there: it takes all for written, though the readers would serve, whatever
// their lag, who needs nothing.
func TestForgottenTenantShowsOwnWrites(t *testing.T) {
	c := routertest.New(t, 1)
	cfg := &Config{Binds: []BindConfig{{Key: "main", Writer: binds.NewURI(c.WriterURI()), Lazy: true}}}
	m, err := New(t.Context(), cfg, WithDrivers(c.Drivers()), WithLogger(slog.New(slog.DiscardHandler)), WithTenants(
		func(context.Context, binds.Key) (BindConfig, error) {
			return BindConfig{
				Writer: binds.NewURI(c.WriterURI()), Readers: []ReaderConfig{{URI: binds.NewURI(c.ReaderURIs()[0])}},
				Freshness: router.Freshness{MaxLag: -1},
			}, nil
		}, Idle(time.Millisecond)))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	const key = binds.Key("customer")
	run := func(query string) {
		_, err := m.NewRaw(key, query).Exec(t.Context())
		require.NoError(t, err)
	}
	run("CREATE TABLE counts (n INTEGER)")
	run("INSERT INTO counts VALUES (0)")
	c.Replicas()[0].SetLag(time.Hour)
	for n := 1; n <= 5; n++ {
		_, err := m.NewRaw(key, "UPDATE counts SET n = ?", n).Exec(t.Context())
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			runtime.GC()
			m.tenants.mu.Lock()
			defer m.tenants.mu.Unlock()
			return len(m.tenants.known) == 0
		}, 10*time.Second, time.Millisecond, "it is forgotten")
		var got int
		ctx, route := router.Explain(t.Context())
		require.NoError(t, m.NewRaw(key, "SELECT n FROM counts").Scan(ctx, &got))
		assert.Equal(t, n, got, route.String())
	}
}
