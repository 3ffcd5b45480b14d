package integration_test

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"
)

func TestPostgres_ordinaryUserOwnsItsDatabaseAndNoMore(t *testing.T) {
	c := postgresCluster.get(t)
	app := openPostgres(t, c.Primary.URI())
	var isSuper, mayReplicate, mayMonitor, isOwner bool
	require.NoError(t, app.QueryRowContext(t.Context(), `SELECT rolsuper, rolreplication,
			pg_has_role('pg_monitor', 'member'),
			(SELECT datdba = r.oid FROM pg_database WHERE datname = current_database())
		FROM pg_roles AS r WHERE rolname = current_user`).Scan(&isSuper, &mayReplicate, &mayMonitor, &isOwner))
	assert.False(t, isSuper)
	assert.False(t, mayReplicate)
	assert.False(t, mayMonitor)
	assert.True(t, isOwner)
}

func TestPostgres_standbysStream(t *testing.T) {
	c := postgresCluster.get(t)
	names, err := c.Primary.QueryString(t.Context(),
		"SELECT string_agg(application_name, ',' ORDER BY application_name) FROM pg_stat_replication WHERE state = 'streaming'")
	require.NoError(t, err)
	assert.Equal(t, "replica-1,replica-2", names)
	for _, s := range append(c.Replicas, c.Primary) {
		inRecovery, err := s.QueryString(t.Context(), "SELECT pg_is_in_recovery()")
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint(s != c.Primary), inRecovery, s.Name())
	}
}

func TestPostgres_queryString(t *testing.T) {
	s := postgresCluster.get(t).Primary
	text, err := s.QueryString(t.Context(), "SELECT NULL, 1")
	assert.NoError(t, err)
	assert.Empty(t, text)
	_, err = s.QueryString(t.Context(), "SELECT 1 WHERE false")
	assert.ErrorIs(t, err, sql.ErrNoRows)
	assert.ErrorContains(t, err, `integration: query "primary"`)
	assert.ErrorContains(t, s.Exec(t.Context(), "SELECT 1; SELECT 1/0"), "22012")
}

func TestPostgres_settings(t *testing.T) {
	c := postgresWithOptions.get(t)
	for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		for name, want := range map[string]string{"work_mem": "7MB", "fsync": "on", "cluster_name": `it's \ here`, "app.name": "x"} {
			got, err := s.QueryString(t.Context(), "SHOW "+name)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
	}
}

func TestPostgres_restartForgetsPauseKeepsDelay(t *testing.T) {
	c := postgresCluster.get(t)
	s := c.Replicas[0]
	require.NoError(t, s.DelayReplay(t.Context(), 1500e6))
	require.NoError(t, s.PauseReplay(t.Context()))
	require.NoError(t, s.Restart(t.Context()))
	paused := "pg_get_wal_replay_pause_state()"
	if !s.Version().AtLeast("PostgreSQL", 14) { // it tells less
		paused = "CASE WHEN pg_is_wal_replay_paused() THEN 'paused' ELSE 'not paused' END"
	}
	state, err := s.QueryString(t.Context(), "SELECT "+paused+" || ' ' || current_setting('recovery_min_apply_delay')")
	require.NoError(t, err)
	assert.Equal(t, "not paused 1500ms", state)
	require.NoError(t, s.DelayReplay(t.Context(), 0))
	require.NoError(t, c.WaitReplayed(t.Context()))
}

func TestPostgres_tls(t *testing.T) {
	c := postgresWithOptions.get(t)
	assert.NoError(t, openPostgres(t, c.Primary.URI()).PingContext(t.Context()), "TLS is no must")
	for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		for _, host := range []string{"127.0.0.1", "localhost"} {
			db := postgresTLS(t, s, clientTLS(t, c.TLS().CA, c.TLS(), host))
			var dn string
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&dn))
			assert.Equal(t, "/CN=app", dn)
		}
		assert.ErrorAs(t, postgresTLS(t, s, clientTLS(t, c.TLS().CA, c.TLS(), "db1")).PingContext(t.Context()), new(x509.HostnameError))
		assert.ErrorAs(t, postgresTLS(t, s, clientTLS(t, c.TLS().OtherCA, c.TLS(), "localhost")).PingContext(t.Context()), new(x509.UnknownAuthorityError))
	}
}

func postgresTLS(t *testing.T, s *integration.Server, conf *tls.Config) *sql.DB {
	t.Helper()
	u, err := url.Parse(s.URI())
	require.NoError(t, err)
	password, _ := u.User.Password()
	return closedWith(t, sql.OpenDB(pgdriver.NewConnector(pgdriver.WithAddr(u.Host), pgdriver.WithTLSConfig(conf),
		pgdriver.WithUser(u.User.Username()), pgdriver.WithPassword(password), pgdriver.WithDatabase("app"))))
}

// clientTLS trusts one authority, shows the client's certificate and expects a host.
func clientTLS(t *testing.T, ca string, files integration.TLSFiles, host string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(ca)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(text))
	cert, err := tls.LoadX509KeyPair(files.ClientCert, files.ClientKey)
	require.NoError(t, err)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, ServerName: host}
}

// A rebuilt standby has none of its primary's slots, and starts without them.
func TestRebuild_besideAReplicationSlot(t *testing.T) {
	teston.Only(t, teston.Postgres)
	c := integration.StartPostgres(t, 1)
	require.NoError(t, c.Primary.Exec(t.Context(), "SELECT pg_create_physical_replication_slot('mine', true)"))
	require.NoError(t, c.Replicas[0].Rebuild(t.Context(), c.Primary))
	require.NoError(t, c.WaitReplayed(t.Context()))
	slots, err := c.Replicas[0].QueryString(t.Context(), "SELECT count(*) FROM pg_replication_slots")
	require.NoError(t, err)
	require.Equal(t, "0", slots)
}
