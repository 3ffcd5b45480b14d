package sqlitebind_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/sqlitebind"
)

func open(t *testing.T, uri string, opts ...binds.OpenOption) *binds.Engine {
	t.Helper()
	e, err := binds.Open(t.Context(), "app/writer", uri, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

func sibling(t *testing.T, e *binds.Engine) *binds.Engine {
	t.Helper()
	r := e.Sibling("app/reader", binds.As(binds.Reader))
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

func run(t *testing.T, e *binds.Engine, statements ...string) {
	t.Helper()
	for _, q := range statements {
		_, err := e.DB().ExecContext(t.Context(), q)
		require.NoError(t, err, q)
	}
}

func value(t *testing.T, e *binds.Engine, query string) string {
	t.Helper()
	var v string
	require.NoError(t, e.DB().QueryRowContext(t.Context(), query).Scan(&v), query)
	return v
}

func TestConnectionSettings(t *testing.T) {
	dir := t.TempDir()
	w := open(t, "sqlite://"+dir+"/app.db")
	for _, e := range []*binds.Engine{w, sibling(t, w)} {
		assert.Equal(t, "wal", value(t, e, "PRAGMA journal_mode"), e)
		assert.Equal(t, "1", value(t, e, "PRAGMA synchronous"), e)
		assert.Equal(t, "1", value(t, e, "PRAGMA foreign_keys"), e)
	}
	other := open(t, "sqlite://"+dir+"/other.db?journal_mode=delete&synchronous=full&foreign_keys=off&cache_size=-123&"+
		"temp_store=memory&wal_autocheckpoint=77&mmap_size=65536")
	for query, want := range map[string]string{
		"journal_mode": "delete", "synchronous": "2", "foreign_keys": "0", "cache_size": "-123",
		"temp_store": "2", "wal_autocheckpoint": "77", "mmap_size": "65536",
	} {
		assert.Equal(t, want, value(t, other, "PRAGMA "+query), query)
	}
}

func TestFileNames(t *testing.T) {
	for reason, row := range map[string]struct{ uri, file string }{
		"a blank":         {"a b.db", "a b.db"},
		"a percent sign":  {"100%25.db", "100%.db"},
		"a question mark": {"why%3F.db", "why?.db"},
		"a hash":          {"c%23.db", "c#.db"},
		"an ampersand":    {"a&mode=memory.db", "a&mode=memory.db"},
		"a quote":         {"it's.db", "it's.db"},
		"another script":  {"データ.db", "データ.db"},
		"memory's name":   {"%3Amemory%3A", ":memory:"},
	} {
		dir := t.TempDir()
		w := open(t, "sqlite://"+dir+"/"+row.uri)
		run(t, w, "CREATE TABLE t (id INTEGER)")
		assert.Equal(t, "0", value(t, sibling(t, w), "SELECT count(*) FROM t"), reason)
		assert.FileExists(t, filepath.Join(dir, row.file), reason)
	}
}

func TestReaderComesFirst(t *testing.T) {
	w := open(t, "sqlite://"+t.TempDir()+"/app.db")
	r := sibling(t, w)
	assert.Equal(t, "0", value(t, r, "SELECT count(*) FROM sqlite_master"))
	assert.Equal(t, "wal", value(t, r, "PRAGMA journal_mode"))
	run(t, w, "CREATE TABLE t (id INTEGER)")
	assert.Equal(t, "0", value(t, r, "SELECT count(*) FROM t"))
}

func TestManyReadersComeFirst(t *testing.T) {
	r := open(t, "sqlite://"+t.TempDir()+"/deep/er/app.db?create_dir=1", binds.As(binds.Reader))
	done := make(chan error)
	for range 16 {
		go func() { done <- r.DB().PingContext(t.Context()) }()
	}
	for range 16 {
		assert.NoError(t, <-done)
	}
}

// TestJournalOfABusyFile opens a file whose journal another connection keeps from becoming a write-ahead
// log, as processes do that make the same file at once. SQLite would not wait by itself.
func TestJournalOfABusyFile(t *testing.T) {
	for name, begin := range map[string]string{"reserved": "BEGIN IMMEDIATE", "exclusive": "BEGIN EXCLUSIVE"} {
		t.Run(name, func(t *testing.T) {
			file := "sqlite://" + filepath.ToSlash(t.TempDir()) + "/app.db"
			conn, err := open(t, file+"?journal_mode=delete").DB().Conn(t.Context())
			require.NoError(t, err)
			_, err = conn.ExecContext(t.Context(), "CREATE TABLE t (id INTEGER)")
			require.NoError(t, err)
			_, err = conn.ExecContext(t.Context(), begin)
			require.NoError(t, err)
			var busy *sqlitebind.BusyError
			require.ErrorAs(t, open(t, file+"?busy_timeout=20ms").Ping(t.Context()), &busy)
			assert.Equal(t, 20*time.Millisecond, busy.Waited)
			_, err = conn.ExecContext(t.Context(), "ROLLBACK")
			require.NoError(t, errors.Join(err, conn.Close()))
			require.NoError(t, open(t, file).Ping(t.Context()))
		})
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/text", []byte(strings.Repeat("no database ", 100)), 0o600))
	for reason, row := range map[string]struct{ uri, want string }{
		"a directory":              {dir + "/no/app.db", `no directory "` + dir + `/no": create it, or add create_dir=1 to the URI`},
		"a file to be read":        {dir + "/app.db?mode=ro", `no file "` + dir + `/app.db": create it, or say mode=rwc`},
		"a file to be there":       {dir + "/app.db?mode=rw", `no file "` + dir + `/app.db"`},
		"a file's name":            {filepath.Dir(dir) + "/" + filepath.Base(dir), "is a directory"},
		"a file that is none":      {dir + "/text", "another kind of file"},
		"a directory that is none": {dir + "/text/app.db", "not a directory"},
	} {
		for _, role := range []binds.Role{binds.Writer, binds.Reader} {
			e := open(t, "sqlite://"+row.uri, binds.As(role))
			err := e.Ping(t.Context())
			require.ErrorContains(t, err, row.want, reason)
			assert.Equal(t, binds.NotSent, e.Classify(err), reason)
		}
	}
	var missing *sqlitebind.MissingError
	require.ErrorAs(t, open(t, "sqlite://"+dir+"/no/app.db").Ping(t.Context()), &missing)
	assert.True(t, missing.Directory)
	assert.NoDirExists(t, dir+"/no")
	assert.NoFileExists(t, dir+"/app.db")
}

func TestCreateDir(t *testing.T) {
	dir := t.TempDir()
	e := open(t, "sqlite://"+dir+"/a/b/app.db?create_dir=1")
	assert.NoDirExists(t, dir+"/a", "opening touches no file")
	require.NoError(t, e.Ping(t.Context()))
	assert.FileExists(t, dir+"/a/b/app.db")
}

// A file opened mode=ro serves both roles and is written by neither.
func TestReadOnlyFile(t *testing.T) {
	path := t.TempDir() + "/app.db"
	w := open(t, "sqlite://"+path)
	run(t, w, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (7)")
	require.NoError(t, w.Close())
	for _, params := range []string{"?mode=ro", "?mode=ro&immutable=1"} {
		e := open(t, "sqlite://"+path+params)
		for _, e := range []*binds.Engine{e, sibling(t, e)} {
			assert.Equal(t, "7", value(t, e, "SELECT id FROM t"), params)
			_, err := e.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (8)")
			assert.Equal(t, binds.ReadOnly, e.Classify(err), "%v", err)
			tx, err := e.DB().BeginTx(t.Context(), nil)
			require.NoError(t, err, "a transaction may read")
			require.NoError(t, tx.Commit())
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, entry := range entries {
		assert.False(t, strings.HasSuffix(entry.Name(), "-journal"), entry.Name())
	}
}

func TestDatabaseStaysAfterChdir(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	t.Chdir(one)
	w := open(t, "sqlite:app.db")
	t.Chdir(two)
	run(t, w, "CREATE TABLE t (id INTEGER)")
	assert.FileExists(t, one+"/app.db")
	assert.NoFileExists(t, two+"/app.db")
	assert.Equal(t, "0", value(t, sibling(t, w), "SELECT count(*) FROM t"))
}
