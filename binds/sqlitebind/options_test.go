package sqlitebind_test

import (
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/sqlitebind"
)

func constant(v string) *sqlite.FunctionImpl {
	return &sqlite.FunctionImpl{
		Deterministic: true,
		Scalar:        func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) { return v, nil },
	}
}

func openWith(t *testing.T, uri string, opts ...sqlitebind.Option) *binds.Engine {
	t.Helper()
	var drivers binds.Drivers
	drivers.Register(sqlitebind.New(opts...), "sqlite")
	e, err := drivers.Open(t.Context(), "app/writer", uri)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

func TestFunctionsBelongToTheirDriver(t *testing.T) {
	uri := "sqlite://" + t.TempDir() + "/app.db"
	a := openWith(t, uri, sqlitebind.WithFunction("who", constant("a")))
	b := openWith(t, uri, sqlitebind.WithFunction("who", constant("b")))
	assert.Equal(t, "a", value(t, a, "SELECT who()"))
	assert.Equal(t, "b", value(t, b, "SELECT who()"))
	assert.Equal(t, "a", value(t, sibling(t, a), "SELECT who()"), "readers have it too")
	_, err := open(t, uri).DB().ExecContext(t.Context(), "SELECT who()")
	assert.ErrorContains(t, err, "no such function", "the default driver has not")
	native, err := a.Native()
	require.NoError(t, err)
	require.NoError(t, native.QueryRowContext(t.Context(), "SELECT who()").Err())
}

func TestCollation(t *testing.T) {
	reverse := func(a, b string) int { return strings.Compare(b, a) }
	e := openWith(t, "sqlite::memory:", sqlitebind.WithCollation("reverse", reverse))
	assert.Equal(t, "b", value(t, e, "SELECT v FROM (SELECT 'a' AS v UNION SELECT 'b') ORDER BY v COLLATE reverse"))
}

func TestPragma(t *testing.T) {
	e := openWith(t, "sqlite://"+t.TempDir()+"/app.db", sqlitebind.WithPragma("recursive_triggers", "on"),
		sqlitebind.WithPragma("cache_size", "-77"))
	for _, e := range []*binds.Engine{e, sibling(t, e)} {
		assert.Equal(t, "1", value(t, e, "PRAGMA recursive_triggers"))
		assert.Equal(t, "-77", value(t, e, "PRAGMA cache_size"))
	}
	bad := openWith(t, "sqlite::memory:", sqlitebind.WithPragma("recursive_trigger", "on"))
	assert.ErrorContains(t, bad.Ping(t.Context()), `unknown pragma "recursive_trigger" (did you mean "recursive_triggers"?)`)
	evil := openWith(t, "sqlite::memory:", sqlitebind.WithPragma("cache_size", "1; CREATE TABLE t (id)"))
	assert.Equal(t, "0", value(t, evil, "SELECT count(*) FROM sqlite_master"))
}

func TestWrongOptionsPanic(t *testing.T) {
	for reason, opt := range map[string]sqlitebind.Option{
		"a function without code":         sqlitebind.WithFunction("f", nil),
		"a function without a call":       sqlitebind.WithFunction("f", &sqlite.FunctionImpl{}),
		"a collation without code":        sqlitebind.WithCollation("c", nil),
		"a pragma that is SQL":            sqlitebind.WithPragma("cache_size = 1; --", "1"),
		"the belt":                        sqlitebind.WithPragma("Query_Only", "0"),
		"what is a parameter of the URI":  sqlitebind.WithPragma("journal_mode", "off"),
		"what lets one corrupt the table": sqlitebind.WithPragma("writable_schema", "on"),
	} {
		assert.Panics(t, func() { sqlitebind.New(opt) }, reason)
	}
	assert.Panics(t, func() {
		sqlitebind.New(sqlitebind.WithFunction("f", constant("1")), sqlitebind.WithFunction("f", constant("2")))
	}, "the same function twice")
}

// Times bound as arguments and times that Bun writes are one text, so that they compare.
func TestTimesCompare(t *testing.T) {
	e := openWith(t, "sqlite::memory:")
	run(t, e, "CREATE TABLE t (at TIMESTAMP)")
	at := time.Date(2024, 2, 29, 23, 0, 0, 123456000, time.FixedZone("far", 9*3600))
	_, err := e.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (?)", at)
	require.NoError(t, err)
	n, err := bun.NewDB(e.DB(), e.Driver().Dialect()).NewSelect().Table("t").Where("at = ?", at).Count(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	var got time.Time
	require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT at FROM t").Scan(&got))
	assert.True(t, got.Equal(at))
	assert.Equal(t, time.UTC, got.Location())
}
