package integration_test

import (
	"context"
	"crypto/x509"
	"database/sql"
	"fmt"
	"testing"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMariaDB_ordinaryUserOwnsItsDatabaseAndNoMore(t *testing.T) {
	c := mariadbCluster.get(t)
	for _, s := range append(c.Replicas, c.Primary) {
		rows, err := openMySQL(t, s.URI()).QueryContext(t.Context(), "SHOW GRANTS")
		require.NoError(t, err)
		var grants []string
		for rows.Next() {
			var grant string
			require.NoError(t, rows.Scan(&grant))
			grants = append(grants, grant)
		}
		require.NoError(t, rows.Err())
		require.Len(t, grants, 2)
		assert.Contains(t, grants[0], "GRANT USAGE ON *.* TO `app`@`%`")
		assert.Equal(t, "GRANT ALL PRIVILEGES ON `app`.* TO `app`@`%`", grants[1])
	}
}

func TestMariaDB_hasNoAccountWithoutPassword(t *testing.T) {
	s := mariadbCluster.get(t).Replicas[0]
	users, err := s.QueryString(t.Context(), "SELECT GROUP_CONCAT(User ORDER BY User) FROM mysql.user")
	require.NoError(t, err)
	assert.Equal(t, "admin,app,mariadb.sys,replicator", users) // mariadb.sys is locked
	for _, user := range []string{"root", ""} {
		conf := mysqlConfig(t, s.SocketURI())
		conf.User, conf.Passwd = user, ""
		connector, err := mysql.NewConnector(conf)
		require.NoError(t, err)
		assert.ErrorContains(t, closedWith(t, sql.OpenDB(connector)).PingContext(t.Context()), "1045", user)
	}
}

// Accounts made on each server would collide in the binary logs.
func TestMariaDB_startsWithoutHistory(t *testing.T) {
	teston.Only(t, teston.MariaDB)
	c := integration.StartMariaDB(t, 1)
	for i, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		state, err := s.QueryString(t.Context(), "SELECT CONCAT_WS(' ', @@global.gtid_binlog_pos, @@global.gtid_slave_pos, @@server_id, @@read_only + 0, @@gtid_strict_mode + 0)")
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("  %d %d 1", i+1, i), state)
	}
	require.NoError(t, c.Primary.Exec(t.Context(), "CREATE TABLE t (id int)"))
	position, err := c.Primary.QueryString(t.Context(), "SELECT @@global.gtid_binlog_pos")
	require.NoError(t, err)
	assert.Equal(t, "0-1-1", position)
}

func TestMariaDB_settings(t *testing.T) {
	c := mariadbWithOptions.get(t)
	for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		got, err := s.QueryString(t.Context(), "SELECT CONCAT_WS(' ', @@max_connections, @@init_connect)")
		require.NoError(t, err)
		assert.Equal(t, "77 SET @x = 'y z'", got)
	}
}

func TestMariaDB_restartForgetsPause(t *testing.T) {
	c := mariadbCluster.get(t)
	require.NoError(t, c.Replicas[0].PauseReplay(t.Context()))
	require.NoError(t, c.Replicas[0].Restart(t.Context()))
	require.NoError(t, c.Primary.Exec(t.Context(), "CREATE OR REPLACE TABLE forgets_pause (id int)"))
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, c.Primary.Exec(t.Context(), "DROP TABLE forgets_pause"))
}

func TestMariaDB_tls(t *testing.T) {
	c := mariadbWithOptions.get(t)
	assert.NoError(t, openMySQL(t, c.Primary.URI()).PingContext(t.Context()), "TLS is no must")
	require.NoError(t, c.Primary.Exec(t.Context(), "ALTER USER app@'%' REQUIRE X509"))
	t.Cleanup(func() {
		require.NoError(t, c.Primary.Exec(context.Background(), "ALTER USER app@'%' REQUIRE NONE"))
		require.NoError(t, c.WaitReplayed(context.Background()))
	})
	require.NoError(t, c.WaitReplayed(t.Context()))
	assert.ErrorContains(t, openMySQL(t, c.Primary.URI()).PingContext(t.Context()), "1045")
	for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
		for _, host := range []string{"127.0.0.1", "localhost"} {
			assert.NoError(t, mariadbTLS(t, c, s, c.TLS().CA, host).PingContext(t.Context()))
		}
		assert.ErrorAs(t, mariadbTLS(t, c, s, c.TLS().CA, "db1").PingContext(t.Context()), new(x509.HostnameError))
		assert.ErrorAs(t, mariadbTLS(t, c, s, c.TLS().OtherCA, "localhost").PingContext(t.Context()), new(x509.UnknownAuthorityError))
	}
}

func mariadbTLS(t *testing.T, c *integration.Cluster, s *integration.Server, ca, host string) *sql.DB {
	t.Helper()
	conf := mysqlConfig(t, s.URI())
	conf.TLS = clientTLS(t, ca, c.TLS(), host)
	connector, err := mysql.NewConnector(conf)
	require.NoError(t, err)
	return closedWith(t, sql.OpenDB(connector))
}
