package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	switch os.Getenv(helperVariable) {
	case "":
	case siteHelper:
		os.Exit(serveSite())
	case tablesHelper:
		os.Exit(createTables())
	case migrateHelper:
		os.Exit(migrateUp())
	default:
		os.Exit(startAndHang())
	}
	code := m.Run()
	err := errors.Join(postgresCluster.close(), mariadbCluster.close(), mysqlCluster.close(),
		postgresWithOptions.close(), mariadbWithOptions.close(), mysqlWithOptions.close())
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// A sharedCluster starts when the first test asks for it and ends with the last. Tests leave it as they
// found it: all servers running, replaying and in their first roles.
type sharedCluster struct {
	name string // as teston has it
	opts []integration.Option

	once    sync.Once
	cluster *integration.Cluster
	err     error
}

var (
	postgresCluster = sharedCluster{name: teston.Postgres}
	mariadbCluster  = sharedCluster{name: teston.MariaDB}
	mysqlCluster    = sharedCluster{name: teston.MySQL}

	// The same with every option.
	postgresWithOptions = sharedCluster{name: teston.Postgres, opts: []integration.Option{
		integration.WithTLS(), integration.WithPassword(oddPassword),
		integration.WithSetting("work_mem", "7MB"), integration.WithSetting("fsync", "on"),
		integration.WithSetting("cluster_name", `it's \ here`), integration.WithSetting("app.name", "x"),
	}}
	mariadbWithOptions = sharedCluster{name: teston.MariaDB, opts: []integration.Option{
		integration.WithTLS(), integration.WithPassword(oddPassword),
		integration.WithSetting("max_connections", "77"), integration.WithSetting("init-connect", "SET @x = 'y z'"),
	}}
	mysqlWithOptions = sharedCluster{name: teston.MySQL, opts: mariadbWithOptions.opts}
)

const oddPassword = `h0stile'p@ss"\d b%41`

// get skips the test where the tests run on something else.
func (s *sharedCluster) get(t *testing.T) *integration.Cluster {
	t.Helper()
	teston.Only(t, s.name)
	s.once.Do(func() { s.cluster, s.err = teston.New(context.Background(), s.name, 2, s.opts...) })
	require.NoError(t, s.err)
	return s.cluster
}

func (s *sharedCluster) close() error { return s.cluster.Close() }

// A system is a kind of server under test.
type system struct {
	shared *sharedCluster
	odd    *sharedCluster // with every option
	open   func(t *testing.T, uri string) *sql.DB
	// what the server says when it refuses
	readOnly, badPassword, noRight string
	waitsForReplica                string // query: how many commits wait for a replica
}

var systems = map[string]system{
	"PostgreSQL": {
		shared: &postgresCluster, odd: &postgresWithOptions, open: openPostgres,
		readOnly: "25006", badPassword: "28P01", noRight: "42501",
		waitsForReplica: "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
	},
	"MariaDB": ofMySQLFamily(&mariadbCluster, &mariadbWithOptions),
	"MySQL":   ofMySQLFamily(&mysqlCluster, &mysqlWithOptions),
}

func ofMySQLFamily(shared, odd *sharedCluster) system {
	return system{
		shared: shared, odd: odd, open: openMySQL,
		readOnly: "1290", badPassword: "1045", noRight: "1227",
		waitsForReplica: "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for semi-sync ACK%'",
	}
}

// start starts a cluster for one test.
func (sys system) start(t *testing.T, replicas int, opts ...integration.Option) *integration.Cluster {
	t.Helper()
	return teston.Start(t, sys.shared.name, replicas, opts...)
}

// onEach runs test for the kinds of servers that are to be tested, and skips it if these are none.
func onEach(t *testing.T, test func(t *testing.T, sys system)) {
	t.Helper()
	teston.Only(t, replicated...)
	for name, sys := range systems {
		if teston.Has(sys.shared.name) {
			t.Run(name, func(t *testing.T) { test(t, sys) })
		}
	}
}

func openPostgres(t *testing.T, uri string) *sql.DB {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	options := []pgdriver.Option{pgdriver.WithInsecure(true), pgdriver.WithUser(u.User.Username()), pgdriver.WithDatabase(u.Path[1:])}
	if password, ok := u.User.Password(); ok {
		options = append(options, pgdriver.WithPassword(password))
	}
	if dir := u.Query().Get("host"); dir != "" {
		options = append(options, pgdriver.WithNetwork("unix"), pgdriver.WithAddr(dir+"/.s.PGSQL."+u.Query().Get("port")))
	} else {
		options = append(options, pgdriver.WithAddr(u.Host))
	}
	return closedWith(t, sql.OpenDB(pgdriver.NewConnector(options...)))
}

func openMySQL(t *testing.T, uri string) *sql.DB {
	t.Helper()
	conf := mysqlConfig(t, uri)
	connector, err := mysql.NewConnector(conf)
	require.NoError(t, err)
	return closedWith(t, sql.OpenDB(connector))
}

func mysqlConfig(t *testing.T, uri string) *mysql.Config {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	conf := mysql.NewConfig()
	conf.Net, conf.Addr = "tcp", u.Host
	if path := u.Query().Get("socket"); path != "" {
		conf.Net, conf.Addr = "unix", path
	}
	conf.User, conf.DBName = u.User.Username(), u.Path[1:]
	conf.Passwd, _ = u.User.Password()
	conf.Logger = &mysql.NopLogger{}
	return conf
}

func closedWith(t *testing.T, db *sql.DB) *sql.DB {
	t.Cleanup(func() { _ = db.Close() }) // its server may be gone
	return db
}

// table makes an empty table of its own for the test, on all servers, and returns its name.
func table(t *testing.T, sys system, c *integration.Cluster) string {
	t.Helper()
	name := create(t, sys, c.Primary)
	t.Cleanup(func() {
		require.NoError(t, c.Primary.Exec(context.Background(), "DROP TABLE "+name))
	})
	require.NoError(t, c.WaitReplayed(t.Context()))
	return name
}

// create makes an empty table that the ordinary user owns, and returns its name.
func create(t *testing.T, sys system, primary *integration.Server) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()))
	_, err := sys.open(t, primary.URI()).ExecContext(t.Context(), "CREATE TABLE "+name+" (id int PRIMARY KEY)")
	require.NoError(t, err)
	return name
}

// insert adds a row as the ordinary user.
func insert(t *testing.T, sys system, s *integration.Server, table string, id int) {
	t.Helper()
	db := sys.open(t, s.URI())
	defer func() { _ = db.Close() }() // a test may insert often
	_, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s VALUES (%d)", table, id))
	require.NoError(t, err, s.Name())
}

// ids returns the rows of a table as a server shows them, as "1,2".
func ids(t *testing.T, sys system, s *integration.Server, table string) string {
	t.Helper()
	rows, err := sys.open(t, s.URI()).QueryContext(t.Context(), "SELECT id FROM "+table+" ORDER BY id")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var found []string
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		found = append(found, id)
	}
	require.NoError(t, rows.Err())
	return strings.Join(found, ",")
}

// soon gives up before the test does.
func soon(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
