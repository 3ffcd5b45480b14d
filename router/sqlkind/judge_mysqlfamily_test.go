package sqlkind_test

import (
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// mysqlReader is a replica of a primary on which the statements have run. Its ordinary user may write files.
func mysqlReader(t *testing.T, product string, statements []string) *integration.Server {
	t.Helper()
	cluster := teston.Start(t, product, 1)
	ctx := t.Context()
	for _, statement := range statements {
		require.NoError(t, cluster.Primary.Exec(ctx, statement), statement)
	}
	require.NoError(t, cluster.WaitReplayed(ctx))
	reader := cluster.Replicas[0]
	user, err := url.Parse(reader.URI())
	require.NoError(t, err)
	host, err := reader.QueryString(ctx, "SELECT host FROM mysql.user WHERE user = '"+user.User.Username()+"'")
	require.NoError(t, err)
	grant(t, product, reader, user.User.Username(), host)
	return reader
}

// grant lets the ordinary user write files on this server alone. Under super_read_only nobody may, not even there.
func grant(t *testing.T, product string, reader *integration.Server, user, host string) {
	t.Helper()
	conn, err := openMySQL(t, reader.AdminURI()).Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }() // its work is done
	statements := []string{"SET sql_log_bin = 0", "GRANT FILE ON *.* TO '" + user + "'@'" + host + "'"}
	if product == teston.MySQL {
		statements = append(append([]string{"SET GLOBAL super_read_only = 0"}, statements...), "SET GLOBAL super_read_only = 1")
	}
	for _, statement := range statements {
		run(t, t.Context(), conn, statement)
	}
}

func openMySQL(t *testing.T, uri string) *sql.DB {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	cfg.MultiStatements = true
	connector, err := mysql.NewConnector(cfg)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() }) // its connections are closed one by one
	return db
}

func refusedByMySQL(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1290 || e.Number == 1792)
}

// lockingReads runs reads in transactions and looks by locks whether they hold rows, which only a writer should.
func lockingReads(t *testing.T, reader *integration.Server, locks func() string, queries map[string]bool) {
	t.Helper()
	ctx := t.Context()
	for query, locked := range queries {
		conn, err := openMySQL(t, reader.URI()).Conn(ctx)
		require.NoError(t, err)
		run(t, ctx, conn, "START TRANSACTION")
		require.NoError(t, drain(ctx, conn, query))
		assert.Equal(t, locked, locks() == "1", query)
		assert.Equal(t, locked, sqlkind.Of(dialect.MySQL, query) == write, query)
		run(t, ctx, conn, "ROLLBACK")
		require.NoError(t, conn.Close())
	}
}
