package binds_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// TestForeignURIs has a row for each form in which other libraries take a database's address. Nothing of
// what is, or could be, a password may be shown.
func TestForeignURIs(t *testing.T) {
	const generalPG, generalMySQL = "write postgres://user:…@host/database", "write mysql://user:…@host/database"
	for reason, row := range map[string]struct{ uri, want string }{
		"sqlite3":                        {"sqlite3:app.db", `another library's name, "sqlite3": write sqlite:app.db`},
		"sqlite3, absolute":              {"sqlite3:///var/lib/app.db?_fk=1&_auth_pass=s3cret", "write sqlite:///var/lib/app.db"},
		"sqlite3, relative":              {"sqlite3://data/app.db", "write sqlite:data/app.db"},
		"file":                           {"file:app.db?cache=shared", `another library's name, "file": write sqlite:app.db`},
		"file, absolute":                 {"file:///var/lib/app.db", "write sqlite:///var/lib/app.db"},
		"file, in memory":                {"file::memory:?cache=shared", "write sqlite::memory:"},
		"file, a named memory":           {"file:x?mode=memory&cache=shared", "write sqlite::memory:"},
		"file, on Windows":               {`file:C:\data\app.db`, "write sqlite:///C:/data/app.db"},
		"file, odd letters":              {"file:s3cret@x.db", "write sqlite:file"},
		"memory":                         {":memory:", "this is no URI: write sqlite::memory:"},
		"a path":                         {"app.db", "this is no URI but a path: write sqlite:relative/path"},
		"a path, with a dot":             {"./data/app", "write sqlite:relative/path"},
		"a path, absolute":               {"/data/app.sqlite3", "write sqlite:///absolute/path"},
		"a path, on Windows":             {`C:\data\s3cret.db`, "write sqlite:///absolute/path"},
		"JDBC":                           {"jdbc:postgresql://db1:5432/shop", "this is JDBC's form: write postgres://user:…@db1:5432/shop"},
		"JDBC, with a password":          {"jdbc:mysql://db1/shop?user=app&password=s3cret", "write mysql://user:…@db1/shop"},
		"JDBC, an at sign in it":         {"jdbc:mysql://db1/shop?password=a@s3cret", generalMySQL},
		"JDBC, MariaDB":                  {"JDBC:mariadb://[2001:db8::1]:3307/shop", "write mariadb://user:…@[2001:db8::1]:3307/shop"},
		"JDBC, SQLite":                   {"jdbc:sqlite:/data/app.db", "write sqlite:///data/app.db"},
		"JDBC, no host":                  {"jdbc:postgresql:shop", generalPG},
		"JDBC, another database":         {"jdbc:oracle:thin:@s3cret:1521:x", "this is JDBC's form: write postgres://user:…@host/database, mysql://user:…@host/database or sqlite:file"},
		"go-sql-driver":                  {"app:s3cret@tcp(db1:3306)/shop?parseTime=true", "github.com/go-sql-driver/mysql: write mysql://user:…@db1:3306/shop"},
		"go-sql-driver, a hard password": {"app:s3/cr@et:?(@tcp(db1)/", "write mysql://user:…@db1/"},
		"go-sql-driver, no password":     {"app@tcp(db1)/shop", "write mysql://user:…@db1/shop"},
		"go-sql-driver, no user":         {"tcp(db1)/shop", "write mysql://user:…@db1/shop"},
		"go-sql-driver, a socket":        {"app:s3cret@unix(/run/mysqld/mysqld.sock)/shop", "write mysql://user:…@/shop?socket=/run/mysqld/mysqld.sock"},
		"go-sql-driver, unreadable":      {"app:s3cret@tcp(db1/shop", generalMySQL},
		"libpq":                          {"host=db1 port=5433 dbname=shop user=app password=s3cret sslmode=require", "this is libpq's form: write postgres://user:…@db1:5433/shop"},
		"libpq, quoted":                  {"user = app  password = 's3 cr\\'et host=x' dbname='shop' host = db1", "write postgres://user:…@db1/shop"},
		"libpq, a blank in the password": {"host=db1 password=my s3cret dbname=shop", generalPG},
		"libpq, a socket":                {"host=/run/postgresql dbname=shop", "write postgres://user:…@host/shop"},
		"libpq, a service":               {"service=shop", generalPG},
		"SQLAlchemy":                     {"postgresql+psycopg2://app:s3cret@db1/shop", `SQLAlchemy's form, "postgresql+psycopg2": write postgres://user:…@db1/shop`},
		"SQLAlchemy, asyncpg":            {"postgresql+asyncpg://app:s3cret@db1:5432/shop?ssl=require", "write postgres://user:…@db1:5432/shop"},
		"SQLAlchemy, MySQL":              {"mysql+pymysql://app:s3/cr:et@db1/shop", "write mysql://user:…@db1/shop"},
		"SQLAlchemy, two at signs":       {"mysql+pymysql://app:a@s3cret@db1/shop", generalMySQL},
		"SQLAlchemy, a question mark":    {"mysql+pymysql://app:12?s3cret@db1/shop", generalMySQL},
		"SQLAlchemy, no at sign":         {"mysql+pymysql://app:s3cret", generalMySQL},
		"SQLAlchemy, MariaDB":            {"mariadb+mariadbconnector://app:s3cret@db1/shop", "write mariadb://user:…@db1/shop"},
		"SQLAlchemy, SQLite":             {"sqlite+aiosqlite:///app.db", "write sqlite:app.db"},
		"SQLAlchemy, SQLite, absolute":   {"sqlite+pysqlite:////data/app.db", "write sqlite:///data/app.db"},
		"golang-migrate":                 {"pgx5://app:s3cret@db1/shop", `another library's name, "pgx5": write postgres://user:…@db1/shop`},
		"Rails":                          {"mysql2://app:s3cret@db1/shop", "write mysql://user:…@db1/shop"},
		"Django":                         {"postgis://app:s3cret@db1/shop", "write postgres://user:…@db1/shop"},
		"a line of a shell":              {"DATABASE_URL=postgres://app:s3cret@db1/shop", "something stands before postgres://: give the URI alone"},
		"psql":                           {"psql 'postgresql://app:s3cret@db1/shop'", "something stands before postgresql://"},
		"quotes":                         {`"mysql://app:s3cret@db1/shop"`, "something stands before mysql://"},
		"several hosts":                  {"pgx://app:s3cret@db1:5432,db2:5432/shop", generalPG},
		"an alias before a password":     {"pgx:s3cret", "malformed URI"},
		"an ADO.NET string":              {"Server=db1;Database=shop;Uid=app;Pwd=s3cret", "malformed URI"},
	} {
		t.Run(reason, func(t *testing.T) {
			err := new(binds.Drivers).Check(context.Background(), row.uri)
			require.ErrorContains(t, err, row.want)
			for _, secret := range []string{"s3", "cr", "et@", "my "} {
				assert.NotContains(t, strings.ReplaceAll(err.Error(), "write", ""), secret)
			}
		})
	}
}

// TestForeignURIsOfADriver leaves the names of other libraries to a driver that has registered them.
func TestForeignURIsOfADriver(t *testing.T) {
	ds := new(binds.Drivers)
	ds.Register(&fakeDriver{openErr: errors.New("read by the driver")}, "pgx", "file", "mysql+tunnel")
	for _, uri := range []string{"pgx://db1", "file:x", "mysql+tunnel://h"} {
		require.ErrorContains(t, ds.Check(context.Background(), uri), "read by the driver")
	}
}
