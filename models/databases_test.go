package models_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/driver/pgdriver"
	"github.com/uptrace/bun/schema"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// A database is one of those that every test runs on. It opens when the first test asks for it and
// closes with the last. Tests share it: each has tables of its own names.
type database struct {
	name string

	once sync.Once
	opened
	err error

	ran, failed atomic.Int64 // tests
}

// opened is a database that runs.
type opened struct {
	db      *bun.DB
	uri     string // for a manager's configuration
	version string
	server  integration.Version // zero for SQLite
	close   func() error
}

var databases = []*database{
	{name: teston.SQLite}, {name: teston.Postgres}, {name: teston.MariaDB}, {name: teston.MySQL}, {name: teston.Galera}, {name: teston.Group},
}

// eachDB runs a test on every database that BINDERY_TEST_ON asks for, in subtests named for them.
func eachDB(t *testing.T, test func(t *testing.T, db *bun.DB)) {
	t.Helper()
	for _, d := range databases {
		if !teston.Has(d.name) {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			db := d.get(t)
			d.ran.Add(1)
			t.Cleanup(func() {
				if t.Failed() {
					d.failed.Add(1)
				}
			})
			test(t, db)
		})
	}
}

// eachIDB runs a test on all that Bun runs queries on: a DB, a connection and a transaction, which
// is rolled back.
func eachIDB(t *testing.T, db *bun.DB, test func(t *testing.T, idb bun.IDB)) {
	t.Helper()
	t.Run("db", func(t *testing.T) { test(t, db) })
	t.Run("conn", func(t *testing.T) {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		test(t, conn)
	})
	t.Run("tx", func(t *testing.T) {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback()) }()
		test(t, tx)
	})
}

// createTables makes empty tables for the test, which its end drops.
func createTables(t *testing.T, db *bun.DB, models ...any) {
	t.Helper()
	for _, model := range models {
		_, err := db.NewDropTable().Model(model).IfExists().Exec(t.Context())
		require.NoError(t, err)
		_, err = db.NewCreateTable().Model(model).Exec(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := db.NewDropTable().Model(model).IfExists().Exec(context.WithoutCancel(t.Context()))
			require.NoError(t, err)
		})
	}
}

// databaseOf returns the database that eachDB gave to a test.
func databaseOf(db *bun.DB) *database {
	for _, d := range databases {
		if d.db == db {
			return d
		}
	}
	panic("models: no such database")
}

func (d *database) get(tb testing.TB) *bun.DB {
	tb.Helper()
	d.once.Do(func() { d.opened, d.err = open(context.Background(), d.name) })
	require.NoError(tb, d.err)
	return d.db
}

// summary says what became of the tests on the database.
func (d *database) summary() string {
	ran, failed := d.ran.Load(), d.failed.Load()
	return fmt.Sprintf("models on %s %s: %d tests, %d passed, %d failed", d.name, d.version, ran, ran-failed, failed)
}

func closeDatabases() error {
	var errs []error
	for _, d := range databases {
		if d.close != nil {
			errs = append(errs, d.close())
		}
	}
	return errors.Join(errs...)
}

func open(ctx context.Context, name string) (opened, error) {
	if name == teston.SQLite {
		return openSQLite(ctx)
	}
	return openServer(ctx, name)
}

// openSQLite opens a file in WAL mode, as an application would. Transactions begin as plain Bun's
// do, deferred.
func openSQLite(ctx context.Context) (opened, error) {
	dir, err := os.MkdirTemp("", "models")
	if err != nil {
		return opened{}, err
	}
	file := filepath.ToSlash(filepath.Join(dir, "test.db"))
	sqlDB, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(20000)&_pragma=synchronous(off)&_pragma=foreign_keys(1)")
	if err != nil {
		return opened{}, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	return started(ctx, bun.NewDB(sqlDB, sqlitedialect.New()), "sqlite://"+file, "SELECT sqlite_version()", remove)
}

// openServer connects to the primary, of a group to its first member, with the driver and the dialect
// that an application without bindery would take.
func openServer(ctx context.Context, name string) (opened, error) {
	c, err := teston.New(ctx, name, 0)
	if err != nil {
		return opened{}, err
	}
	connector, dialect, err := bare(c, name)
	if err != nil {
		return opened{}, errors.Join(err, c.Close())
	}
	o, err := started(ctx, bun.NewDB(sql.OpenDB(connector), dialect), c.Primary.URI(), "SELECT VERSION()", c.Close)
	o.server = c.Primary.Version()
	return o, err
}

func bare(c *integration.Cluster, name string) (driver.Connector, schema.Dialect, error) {
	user, password, path, err := account(c)
	if err != nil {
		return nil, nil, err
	}
	if name == teston.Postgres {
		return pgdriver.NewConnector(pgdriver.WithInsecure(true), pgdriver.WithAddr(c.Primary.Addr()),
			pgdriver.WithUser(user), pgdriver.WithPassword(password), pgdriver.WithDatabase(path)), pgdialect.New(), nil
	}
	conf := mysql.NewConfig()
	conf.Net, conf.Addr = "tcp", c.Primary.Addr()
	conf.User, conf.Passwd, conf.DBName = user, password, path
	conf.ParseTime = true
	conf.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(conf)
	return connector, mysqldialect.New(), err
}

// account returns the ordinary user's name, password and database.
func account(c *integration.Cluster) (user, password, database string, err error) {
	u, err := url.Parse(c.Primary.URI())
	if err != nil {
		return "", "", "", errors.New("malformed URI") // the cause holds the password
	}
	password, _ = u.User.Password()
	return u.User.Username(), password, u.Path[1:], nil
}

// started asks a database for its version. When that fails, what was started is closed.
func started(ctx context.Context, db *bun.DB, uri, version string, stop func() error) (opened, error) {
	db.SetMaxOpenConns(40)
	db.SetMaxIdleConns(40)
	o := opened{db: db, uri: uri, close: func() error { return errors.Join(db.Close(), stop()) }}
	if err := db.QueryRowContext(ctx, version).Scan(&o.version); err != nil {
		return opened{}, errors.Join(err, o.close())
	}
	return o, nil
}

type databaseProbe struct {
	bun.BaseModel `bun:"table:database_probes"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

// TestDatabases sees that every database works in all the ways that the suite uses.
func TestDatabases(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*databaseProbe)(nil))
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			row := &databaseProbe{Name: "probe"}
			_, err := idb.NewInsert().Model(row).Exec(t.Context())
			require.NoError(t, err)
			require.NotZero(t, row.ID)
		})
	})
}
