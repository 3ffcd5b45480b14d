package proxy

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"strings"
	"testing"
	"time"

	driverMySQL "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/integration"
)

func TestRealServers(t *testing.T) {
	for name, test := range map[string]struct {
		dialect dialect.Name
		start   func(testing.TB, int, ...integration.Option) *integration.Cluster
		connect func(t *testing.T, login *url.URL) driver.Connector
	}{
		"postgres": {dialect.PG, integration.StartPostgres, func(t *testing.T, login *url.URL) driver.Connector {
			return pgdriver.NewConnector(pgdriver.WithDSN(login.String()))
		}},
		"mariadb": {dialect.MySQL, integration.StartMariaDB, func(t *testing.T, login *url.URL) driver.Connector {
			conf := driverMySQL.NewConfig()
			conf.Net, conf.Addr, conf.DBName = "tcp", login.Host, strings.TrimPrefix(login.Path, "/")
			conf.User = login.User.Username()
			conf.Passwd, _ = login.User.Password()
			conf.Logger = &driverMySQL.NopLogger{}
			c, err := driverMySQL.NewConnector(conf)
			require.NoError(t, err)
			return c
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server := test.start(t, 0).Primary
			p, err := New(server.Addr(), test.dialect)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, p.Close()) })
			login, err := url.Parse(server.URI())
			require.NoError(t, err)
			login.Host = p.Addr()
			db := sql.OpenDB(test.connect(t, login))
			db.SetMaxOpenConns(1)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			throughProxy(t, p, db)
		})
	}
}

func throughProxy(t *testing.T, p *Proxy, db *sql.DB) {
	ctx := t.Context()
	ask := func(ctx context.Context, query string, args ...any) (text string, err error) {
		err = db.QueryRowContext(ctx, query, args...).Scan(&text)
		return text, err
	}
	require.NoError(t, db.PingContext(ctx))

	p.Watch("length")
	before := p.Statements()
	big := strings.Repeat("Q\x03", 1<<18)
	got, err := ask(ctx, "SELECT length('"+strings.ReplaceAll(big, "\x03", "x")+"')")
	require.NoError(t, err)
	assert.Equal(t, "524288", got)
	got, err = ask(ctx, "SELECT repeat('x', 300000)")
	require.NoError(t, err)
	assert.Len(t, got, 300000)
	assert.EqualValues(t, 2, p.Statements()-before)
	assert.EqualValues(t, 1, p.Watched())

	prepared, err := db.PrepareContext(ctx, "SELECT 1")
	require.NoError(t, err)
	before = p.Statements()
	for range 3 {
		var one int
		require.NoError(t, prepared.QueryRowContext(ctx).Scan(&one))
	}
	assert.EqualValues(t, 3, p.Statements()-before, "executions")
	require.NoError(t, prepared.Close())

	p.Delay(30 * time.Millisecond)
	start := time.Now()
	_, err = ask(ctx, "SELECT 1")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)
	p.Delay(0)

	p.Limit(50)
	start = time.Now()
	for range 5 {
		_, err = ask(ctx, "SELECT 1")
		require.NoError(t, err)
	}
	assert.GreaterOrEqual(t, time.Since(start), 80*time.Millisecond)
	p.Limit(0)

	p.Freeze()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = ask(short, "SELECT 1")
	require.Error(t, err, "nothing is answered")
	p.Thaw()
	_, err = ask(ctx, "SELECT 1")
	require.NoError(t, err)

	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	p.Cut()
	_, err = conn.ExecContext(ctx, "SELECT 1")
	require.Error(t, err, "the connection is broken")
	_ = conn.Close() // it may say so
	_, err = ask(ctx, "SELECT 1")
	require.NoError(t, err, "a new connection")
}
