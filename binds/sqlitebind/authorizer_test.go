package sqlitebind_test

import (
	"database/sql/driver"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/sqlitebind"
)

// TestAllow refuses what reaches other files, or damages this one, unless the URI allows it; on connections of modernc's own
// kind, too.
func TestAllow(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	other := filepath.Join(dir, "other.db")
	attach := []string{"ATTACH '" + other + "' AS o", "attach database '" + other + "' as o", "ATTACH ':memory:' AS o", "ATTACH 'oth' || 'er.db' AS o",
		"VACUUM INTO '" + filepath.Join(dir, "copy.db") + "'"}
	schema := []string{"PRAGMA writable_schema = ON", "PRAGMA main.Writable_Schema(1)", "PRAGMA writable_schema = RESET"}
	for uri, may := range map[string]struct{ attach, schema bool }{
		"sqlite://" + dir + "/none.db":                                     {false, false},
		"sqlite://" + dir + "/attach.db?allow=attach":                      {true, false},
		"sqlite://" + dir + "/schema.db?allow=writable_schema":             {false, true},
		"sqlite://" + dir + "/both.db?allow=writable_schema,attach":        {true, true},
		"sqlite://" + dir + "/journal.db?allow=attach&journal_mode=delete": {true, false},
		"sqlite::memory:":              {false, false},
		"sqlite::memory:?allow=attach": {true, false},
	} {
		w := open(t, uri, binds.WithPool(binds.Pool{MaxOpen: 1}))
		run(t, w, "CREATE TABLE t (n)", "INSERT INTO t VALUES (1)", "VACUUM", "REINDEX", "ANALYZE", "ALTER TABLE t ADD COLUMN m", "ALTER TABLE t RENAME COLUMN m TO k", "ALTER TABLE t DROP COLUMN k")
		assert.Equal(t, "0", value(t, w, "PRAGMA writable_schema"), "it may be asked")
		native, err := w.Native()
		require.NoError(t, err)
		for _, group := range []struct {
			allowed bool
			texts   []string
		}{{may.attach, attach}, {may.schema, schema}} {
			for _, q := range group.texts {
				_ = os.Remove(other)
				_ = os.Remove(filepath.Join(dir, "copy.db"))
				_, err := w.DB().ExecContext(t.Context(), q)
				_ = os.Remove(filepath.Join(dir, "copy.db"))
				_, errNative := native.ExecContext(t.Context(), "SELECT 1; "+q)
				if group.allowed {
					assert.NoError(t, err, "%s: %s", uri, q)
					continue
				}
				var denied *sqlitebind.NotAllowedError
				require.ErrorAs(t, err, &denied, "%s: %s", uri, q)
				assert.ErrorContains(t, err, "need allow=attach")
				assert.Equal(t, binds.Refused, w.Classify(err))
				assert.ErrorContains(t, errNative, "authoriz", "%s: %s", uri, q)
				assert.NoFileExists(t, other)
				assert.NoFileExists(t, filepath.Join(dir, "copy.db"))
			}
		}
		_, err = w.DB().PrepareContext(t.Context(), "ATTACH '"+other+"' AS p")
		assert.Equal(t, may.attach, err == nil, uri)
	}
}

// TestTrustedSchema keeps the program's own functions from what a file says, unless the URI trusts it.
func TestTrustedSchema(t *testing.T) {
	calls := 0
	d := sqlitebind.New(sqlitebind.WithFunction("told", &sqlite.FunctionImpl{NArgs: 1, Deterministic: true,
		Scalar: func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) { calls++; return int64(1), nil }}))
	var drivers binds.Drivers
	drivers.Register(d, "sqlite")
	uri := "sqlite://" + filepath.Join(t.TempDir(), "app.db")
	for _, row := range []struct {
		params  string
		trusted bool
	}{{"?trusted_schema=on", true}, {"", false}} {
		e, err := drivers.Open(t.Context(), "app/writer", uri+row.params)
		require.NoError(t, err)
		r := e.Sibling("app/reader", binds.As(binds.Reader))
		run(t, e, "CREATE TABLE IF NOT EXISTS t (n)", "CREATE VIEW IF NOT EXISTS v AS SELECT told(1) AS n",
			"CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON t BEGIN SELECT told(new.n); END")
		for _, e := range []*binds.Engine{e, r} {
			var n int
			err := e.DB().QueryRowContext(t.Context(), "SELECT n FROM v").Scan(&n)
			assert.Equal(t, row.trusted, err == nil, "%v", err)
			require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT told(2)").Scan(&n), "the program itself may call it")
		}
		_, err = e.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
		assert.Equal(t, row.trusted, err == nil, "%v", err)
		require.NoError(t, r.Close())
		require.NoError(t, e.Close())
	}
	assert.Positive(t, calls)
}

// TestAllow_damage refuses what could damage the file, or reaches past the connection, and the file is whole after it.
func TestAllow_damage(t *testing.T) {
	dir := t.TempDir()
	damage := []string{"PRAGMA schema_version = 9", "PRAGMA main.Journal_Mode = OFF", "UPDATE sqlite_dbpage SET data = data WHERE pgno = 1"}
	trust := []string{"PRAGMA trusted_schema = on", "PRAGMA trusted_schema(1)"}
	never := []string{"PRAGMA temp_store_directory = '" + dir + "'", "PRAGMA data_store_directory = '" + dir + "'"}
	for params, may := range map[string]struct{ damage, trust bool }{
		"":                                  {false, false},
		"?journal_mode=off":                 {false, false},
		"?allow=writable_schema":            {true, false},
		"?trusted_schema=on":                {false, true},
		"?journal_mode=delete&allow=attach": {false, false},
	} {
		w := open(t, "sqlite://"+filepath.Join(t.TempDir(), "app.db")+params, binds.WithPool(binds.Pool{MaxOpen: 1}))
		run(t, w, "CREATE TABLE t (n)", "INSERT INTO t VALUES (1)", "PRAGMA trusted_schema = off", "PRAGMA journal_mode", "PRAGMA schema_version")
		if params == "?journal_mode=off" {
			assert.Equal(t, "off", value(t, w, "PRAGMA journal_mode"), "the URI's own")
		}
		for _, group := range []struct {
			allowed bool
			texts   []string
		}{{may.damage, damage}, {may.trust, trust}, {false, never}} {
			for _, q := range group.texts {
				_, err := w.DB().ExecContext(t.Context(), q)
				assert.Equal(t, group.allowed, err == nil, "%s: %s: %v", params, q, err)
			}
		}
		assert.Equal(t, "ok", value(t, w, "PRAGMA integrity_check"))
	}
}
