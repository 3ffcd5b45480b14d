package integration_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
)

// engineOf returns what a report says of an engine.
func engineOf(t *testing.T, r *manager.Report, name string) *manager.EngineReport {
	t.Helper()
	for i := range r.Binds {
		for j := range r.Binds[i].Engines {
			if e := &r.Binds[i].Engines[j]; e.Engine == name {
				return e
			}
		}
	}
	require.Fail(t, "no engine "+name)
	return nil
}

// showReport logs a report as it prints and marshals, and looks for passwords.
func showReport(t *testing.T, title string, r *manager.Report) {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	t.Logf("%s:\n%s\n%s", title, r, text)
	assertNoPassword(t, r.String(), string(text), r.Err())
}

// TestCheckOnClusters looks at a healthy cluster, at one with a replica down, one that lags and a frozen
// one, and at what a wrong configuration makes of it.
func TestCheckOnClusters(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			writer, readers, c := clusterURIs(start(t))
			m := openManager(t, config(map[string]string{"shop": writer}, readers, `max_lag = "1h"`))

			var healthy *manager.Report
			require.Eventually(t, func() bool {
				healthy = m.Check(ctx)
				return healthy.Err() == nil && engineOf(t, healthy, "shop/reader-1").Serving && engineOf(t, healthy, "shop/reader-2").Serving
			}, waitFor, tick)
			for _, e := range healthy.Binds[0].Engines {
				assert.NotEmpty(t, e.Version, e.Engine)
				assert.Equal(t, manager.Proved, e.Freshness, e.Engine)
			}
			assert.Equal(t, manager.Primary, engineOf(t, healthy, "shop/writer").State)
			reader := engineOf(t, healthy, "shop/reader-1")
			assert.Equal(t, manager.Replica, reader.State)
			assert.True(t, reader.LagKnown)
			showReport(t, name+", healthy, no grants", healthy)

			missing := m.Check(ctx, (*item)(nil), (*part)(nil), (*note)(nil))
			var table *manager.MissingTableError
			require.ErrorAs(t, missing.Err(), &table)
			assert.Len(t, missing.Binds[0].Missing, 2)
			var unknown *binds.UnknownBindError
			require.ErrorAs(t, missing.Err(), &unknown, "note lives in a bind that this manager does not have")
			showReport(t, name+", tables missing", missing)

			require.NoError(t, c.Replicas[0].Kill(ctx))
			require.NoError(t, c.Replicas[1].PauseReplay(ctx))
			_, err := m.NewRaw(shop{}, "CREATE TABLE lagging (id INT)").Exec(ctx)
			require.NoError(t, err)
			var down *manager.Report
			require.Eventually(t, func() bool {
				down = m.Check(ctx)
				return engineOf(t, down, "shop/reader-2").Lag > 200*time.Millisecond
			}, waitFor, tick)
			var connect *binds.ConnectError
			require.ErrorAs(t, down.Err(), &connect)
			assert.Equal(t, "shop/reader-1", connect.Engine)
			assert.NoError(t, engineOf(t, down, "shop/reader-2").Err)
			showReport(t, name+", one replica down, one lagging", down)
			whole, err := json.Marshal(down)
			require.NoError(t, err)
			public, err := json.Marshal(down.Public())
			require.NoError(t, err)
			address := c.Replicas[0].Addr()
			assert.Contains(t, string(whole), address, "of the server that does not answer")
			for _, hidden := range []string{address, "127.0.0.1", down.Binds[0].Engines[0].Version, down.Binds[0].Driver} {
				require.NotEmpty(t, hidden)
				assert.NotContains(t, string(public), hidden)
			}
			assert.Contains(t, string(public), `{"engine":"shop/reader-1","role":"reader","status":"down"`)
			require.NoError(t, c.Replicas[0].Start(ctx))
			require.NoError(t, c.Replicas[1].ResumeReplay(ctx))
			require.NoError(t, m.Check(ctx).Err())

			require.NoError(t, c.Replicas[0].Freeze())
			began := time.Now()
			frozen := m.Check(ctx)
			took := time.Since(began)
			require.NoError(t, c.Replicas[0].Thaw())
			require.Error(t, engineOf(t, frozen, "shop/reader-1").Err)
			assert.NoError(t, engineOf(t, frozen, "shop/reader-2").Err)
			assert.NoError(t, engineOf(t, frozen, "shop/writer").Err)
			showReport(t, name+", one replica frozen, after "+took.Round(time.Millisecond).String(), frozen)

			wrong := openManager(t, config(map[string]string{"shop": readers[0]}, []string{writer, readers[1]}, ""))
			roles := wrong.Check(ctx)
			for _, engine := range []string{"shop/writer", "shop/reader-1"} {
				var role *manager.RoleError
				require.ErrorAs(t, engineOf(t, roles, engine).RoleErr, &role)
				assert.Equal(t, engine, role.Engine)
			}
			require.Error(t, roles.Err())
			showReport(t, name+", writer and reader exchanged", roles)

			same := openManager(t, config(map[string]string{"shop": writer}, []string{writer, readers[1]}, ""))
			own := same.Check(ctx)
			assert.ErrorContains(t, own.Err(), "its server is the writer's own")
			assert.NoError(t, engineOf(t, own, "shop/reader-2").RoleErr)
			showReport(t, name+", a reader that points at the primary", own)

			require.NoError(t, c.Replicas[1].Promote(ctx))
			require.Eventually(t, func() bool { return m.Check(ctx).Err() != nil }, waitFor, tick)
			promoted := m.Check(ctx)
			assert.ErrorContains(t, engineOf(t, promoted, "shop/reader-2").RoleErr, "it was promoted")
			assert.Equal(t, manager.Unproved, engineOf(t, promoted, "shop/reader-2").Freshness)
			showReport(t, name+", a replica promoted behind our back", promoted)
		})
	}
}

// TestCheckTellsGrants looks at servers that keep their positions from the login, or have none.
func TestCheckTellsGrants(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		teston.Only(t, teston.Postgres)
		ctx := t.Context()
		writer, readers, c := clusterURIs(integration.StartPostgres(t, 1))
		m := openManager(t, config(map[string]string{"shop": writer}, readers, ""))
		before := m.Check(ctx)
		require.NoError(t, before.Err(), "it works without")
		assert.Contains(t, engineOf(t, before, "shop/reader-1").Advice, "GRANT pg_read_all_stats (or pg_monitor)")
		assert.Contains(t, before.String(), "GRANT pg_read_all_stats")
		require.NoError(t, c.Primary.Exec(ctx, "GRANT pg_monitor TO app"))
		require.NoError(t, c.WaitReplayed(ctx))
		assert.Empty(t, engineOf(t, m.Check(ctx), "shop/reader-1").Advice)

		require.NoError(t, c.Primary.Exec(ctx, "REVOKE EXECUTE ON FUNCTION pg_current_wal_flush_lsn() FROM PUBLIC"))
		refused := m.Check(ctx)
		require.NoError(t, refused.Err())
		assert.Equal(t, manager.Unproved, engineOf(t, refused, "shop/writer").Freshness)
		assert.ErrorContains(t, engineOf(t, refused, "shop/writer").Doubt, "pg_current_wal_flush_lsn")
		showReport(t, "postgres, positions refused to the login", refused)

		require.NoError(t, c.Primary.Exec(ctx, "ALTER ROLE app SET default_transaction_read_only = on"))
		readOnly := openManager(t, config(map[string]string{"shop": writer}, nil, "")).Check(ctx)
		assert.ErrorContains(t, readOnly.Err(), "default_transaction_read_only is on")
		showReport(t, "postgres, a login that may only read as writer", readOnly)
	})
	t.Run("mariadb", func(t *testing.T) {
		teston.Only(t, teston.MariaDB)
		ctx := t.Context()
		writer, readers, c := clusterURIs(integration.StartMariaDB(t, 1))
		m := openManager(t, config(map[string]string{"shop": writer}, readers, ""))
		require.NoError(t, m.Check(ctx).Err())
		require.NoError(t, c.Primary.Exec(ctx, "SET GLOBAL gtid_strict_mode = 0"))
		require.Eventually(t, func() bool { return engineOf(t, m.Check(ctx), "shop/reader-1").Freshness == manager.Unproved }, waitFor, tick)
		loose := m.Check(ctx)
		assert.ErrorContains(t, engineOf(t, loose, "shop/writer").Doubt, "gtid_strict_mode")
		require.NoError(t, loose.Err())
		showReport(t, "mariadb, gtid_strict_mode off", loose)

		require.NoError(t, c.Replicas[0].Exec(ctx, "SET GLOBAL read_only = 0"))
		writable := m.Check(ctx)
		assert.ErrorContains(t, writable.Err(), `manager: check "shop/reader-1": it cannot be a reader: its server accepts writes`)
		require.NoError(t, c.Primary.Exec(ctx, "SET GLOBAL read_only = 1"))
		demoted := m.Check(ctx)
		assert.ErrorContains(t, demoted.Err(), `manager: check "shop/writer": it cannot be a writer: `)
		showReport(t, "mariadb, read_only the wrong way round", demoted)
	})
}

// TestCheckOfManyDeadServers is over in the time that one of them costs.
func TestCheckOfManyDeadServers(t *testing.T) {
	teston.Only(t, teston.Postgres)
	c := integration.StartPostgres(t, 0)
	var text strings.Builder
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		text.WriteString("[binds." + key + "]\nlazy = true\nwriter = '" + c.Primary.URI() + "'\nreaders = ['" + c.Primary.URI() + "']\n")
	}
	m := openManager(t, text.String())
	require.NoError(t, c.Primary.Freeze())
	began := time.Now()
	r := m.Check(t.Context())
	took := time.Since(began)
	require.NoError(t, c.Primary.Thaw())
	for _, b := range r.Binds {
		for _, e := range b.Engines {
			assert.Error(t, e.Err, e.Engine)
		}
	}
	assert.Less(t, took, 16*3*time.Second/2, "not one after the other")
	t.Logf("16 engines on a frozen server: %v", took.Round(time.Millisecond))
}
