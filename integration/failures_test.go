package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

const (
	waitFor = 10 * time.Second
	tick    = 20 * time.Millisecond
)

// replicated are the kinds with a primary and replicas that can be killed and promoted.
var replicated = []string{teston.Postgres, teston.MariaDB, teston.MySQL}

// servers returns how to start those of them that the tests run on, and skips the test if these are none.
func servers(t *testing.T) map[string]func(*testing.T, ...integration.Option) *integration.Cluster {
	t.Helper()
	teston.Only(t, replicated...)
	return clusters(replicated...)
}

// clusters returns how to start those of the databases that the tests run on.
func clusters(names ...string) map[string]func(*testing.T, ...integration.Option) *integration.Cluster {
	starts := make(map[string]func(*testing.T, ...integration.Option) *integration.Cluster)
	for _, name := range names {
		if teston.Has(name) {
			starts[name] = func(t *testing.T, opts ...integration.Option) *integration.Cluster {
				return teston.Start(t, name, 2, opts...)
			}
		}
	}
	return starts
}

// TestServersThatAreDown kills a cluster server by server, and opens managers on what is left.
func TestServersThatAreDown(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			writer, readers, c := clusterURIs(start(t))
			ctx := t.Context()
			var log testlog.Buffer
			logger := manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))
			text := config(map[string]string{"shop": writer}, readers, `policy = "round_robin"`)
			m := openManager(t, text, logger)
			require.NoError(t, m.Check(ctx).Err())
			read := func() error { return m.NewRaw(shop{}, "SELECT 1").Scan(ctx, new(int)) }

			require.NoError(t, c.Replicas[0].Kill(ctx))
			for range 8 {
				require.NoError(t, read(), "reads go on without a reader")
			}
			var connect *binds.ConnectError
			err := m.Check(ctx).Err()
			require.ErrorAs(t, err, &connect)
			assert.Equal(t, "shop/reader-1", connect.Engine)
			assert.NotContains(t, err.Error(), "shop/reader-2")

			log.Reset()
			second := openManager(t, text, logger)
			assert.Contains(t, log.String(), `msg="reader cannot be reached" engine=shop/reader-1`, "a reader that is down is a warning")
			require.NoError(t, second.Close())

			require.NoError(t, c.Replicas[0].Start(ctx))
			require.NoError(t, m.Check(ctx).Err(), "it is back")

			require.NoError(t, c.Primary.Kill(ctx))
			for range 8 {
				require.NoError(t, read(), "reads go on without the primary")
			}
			_, err = m.NewRaw(shop{}, "CREATE TABLE t (id INT)").Exec(ctx)
			require.Error(t, err, "writes do not")
			assert.Contains(t, m.Check(ctx).Err().Error(), `binds: connect "shop/writer": `)

			file := filepath.Join(t.TempDir(), "config.toml")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err = manager.Open(ctx, file)
			require.ErrorAs(t, err, &connect, "a writer that is down fails the opening")
			assert.Equal(t, "shop/writer", connect.Engine)
			lazy := openManager(t, text+"lazy = true\n")
			require.NoError(t, lazy.NewRaw(shop{}, "SELECT 1").Scan(ctx, new(int)), "a lazy bind reads")

			require.NoError(t, c.Primary.Start(ctx))
			_, err = m.NewRaw(shop{}, "CREATE TABLE t (id INT)").Exec(ctx)
			require.NoError(t, err, "the same manager writes again")
			assertNoPassword(t, log.String(), err)
		})
	}
}

// assertNoPassword looks for the password of the servers' accounts.
func assertNoPassword(t *testing.T, texts ...any) {
	t.Helper()
	for _, text := range texts {
		assert.NotContains(t, fmt.Sprint(text), "p@ss")
	}
}

// TestNoFallback reads with no reader left.
func TestNoFallback(t *testing.T) {
	teston.Only(t, teston.Postgres)
	c := integration.StartPostgres(t, 1)
	writer, readers, _ := clusterURIs(c)
	m := openManager(t, config(map[string]string{"shop": writer}, readers, `fallback = "none"`))
	require.Eventually(t, func() bool {
		return m.NewRaw(shop{}, "SELECT 1").Scan(t.Context(), new(int)) == nil
	}, waitFor, tick, "a reader that is fresh serves")
	require.NoError(t, c.Replicas[0].Stop(t.Context()))
	require.ErrorIs(t, m.NewRaw(shop{}, "SELECT 1").Scan(t.Context(), new(int)), router.ErrNoReader)
	require.NoError(t, m.NewRaw(shop{}, "SELECT 1").Scan(router.OnWriter(t.Context()), new(int)))
}

// TestCloseLeavesNothing counts the connections on the server before and after.
func TestCloseLeavesNothing(t *testing.T) {
	teston.Only(t, teston.Postgres)
	c := integration.StartPostgres(t, 0)
	count := func() string {
		n, err := c.Primary.QueryString(t.Context(), "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'app'")
		require.NoError(t, err)
		return n
	}
	m := openManager(t, config(map[string]string{"shop": c.Primary.URI(), "audit": c.Primary.URI()}, nil, ""))
	for _, bind := range m.Binds() {
		require.NoError(t, bind.Reader().NewRaw("SELECT 1").Scan(t.Context(), new(int)))
		require.NoError(t, bind.Native().NewRaw("SELECT 1").Scan(t.Context(), new(int)))
	}
	assert.Equal(t, "6", count(), "writer, native and reading connection of two binds")
	require.NoError(t, m.Close())
	require.NoError(t, m.Close(), "twice")
	require.Eventually(t, func() bool { return count() == "0" }, waitFor, tick)
	require.ErrorIs(t, m.NewRaw(shop{}, "SELECT 1").Scan(context.Background(), new(int)), manager.ErrClosed)
	_, err := m.Bind(shop{})
	require.ErrorIs(t, err, manager.ErrClosed)
	require.ErrorIs(t, m.Check(t.Context()).Err(), manager.ErrClosed)
}
