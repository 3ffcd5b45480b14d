package sqlkind_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/internal/teston"
)

const sqliteProbe = `
SELECT (SELECT count(*) FROM pragma_database_list) || '/' || (SELECT count(*) FROM sqlite_temp_master) || '/' ||
  (SELECT query_only FROM pragma_query_only) || '/' || (SELECT foreign_keys FROM pragma_foreign_keys) || '/' ||
  (SELECT user_version FROM pragma_user_version) || '/' || (SELECT cache_size FROM pragma_cache_size) || '/' || total_changes()`

func TestSQLiteIsTheJudge(t *testing.T) {
	teston.Only(t, teston.SQLite)
	file := "file:" + filepath.Join(t.TempDir(), "judge.db")
	writer, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, writer.Close()) })
	for _, statement := range []string{
		"PRAGMA journal_mode = wal",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT, [update] INT)",
		"INSERT INTO t VALUES (1, 1, 'x', 1), (2, 2, 'y', 2)",
		"CREATE INDEX i ON t (a)",
		"CREATE VIRTUAL TABLE f USING fts5(body)",
		"INSERT INTO f VALUES ('a b c')",
		"ANALYZE",
	} {
		_, err := writer.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	reader, err := sql.Open("sqlite", file+"?_pragma=query_only(1)")
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Close() }) // its connections are closed one by one
	j := &judge{
		dialect: dialect.SQLite, db: reader, probe: sqliteProbe,
		refused: func(err error) bool {
			var e *sqlite.Error
			return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_READONLY
		},
	}
	j.hear(t, sqliteCases())
}

func sqliteCases() cases {
	return cases{
		harmless: append(spread([]string{
			"SELECT %s",
			"SELECT %s FROM t WHERE id = 1",
			"SELECT * FROM (SELECT %s AS a) AS s",
			"WITH w AS (SELECT %s AS a) SELECT * FROM w",
			"SELECT %s UNION ALL SELECT 1 ORDER BY 1",
			"EXPLAIN SELECT %s",
			"EXPLAIN QUERY PLAN SELECT %s FROM t",
			"/* x */ SELECT %s -- ; DELETE FROM t",
		}, []string{
			"1", "'; DELETE FROM t'", `'\'`, "'a''b'", "replace('a', 'a', 'b')", "random()", "datetime('now')", "x'61'", "1 IN (1, 2)", "coalesce(NULL, 1)",
			"(SELECT count(*) FROM t)", "EXISTS (SELECT 1 FROM t)", "json_extract('{\"a\": 1}', '$.a')", "'{\"a\": 1}' ->> '$.a'", "printf('%%d', 1)", "1.5e3", "CASE WHEN 1 THEN 2 END", "sqlite_version()",
		}),
			"VALUES (1), (2)", "SELECT [update], a AS \"delete\" FROM t", "SELECT `update` FROM t", "SELECT * FROM t INDEXED BY i WHERE a = 1", "SELECT 1; SELECT 2",
			"SELECT count(*) FILTER (WHERE a > 1) OVER (ORDER BY id) FROM t", "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
			"WITH w AS NOT MATERIALIZED (SELECT 1) SELECT * FROM w", "SELECT highlight(f, 0, '<', '>'), bm25(f) FROM f WHERE f MATCH 'b'", "SELECT * FROM pragma_table_info('t')",
			"EXPLAIN INSERT INTO t VALUES (9, 9, 'z', 9)", "EXPLAIN QUERY PLAN UPDATE t SET a = 1", "EXPLAIN DELETE FROM t", "EXPLAIN REPLACE INTO t VALUES (1, 1, 'x', 1)",
			"EXPLAIN QUERY PLAN WITH w AS (SELECT 1) DELETE FROM t", "SELECT * FROM sqlite_schema", "SELECT a changes FROM t",
			"PRAGMA table_info(t)", "PRAGMA main.table_xinfo('t')", "PRAGMA index_list(t)", "PRAGMA index_info = i", "PRAGMA foreign_key_list(t)", "PRAGMA foreign_key_check", "PRAGMA integrity_check",
			"PRAGMA quick_check(1)", "PRAGMA table_list", "PRAGMA database_list", "PRAGMA collation_list", "PRAGMA function_list", "PRAGMA module_list", "PRAGMA pragma_list", "PRAGMA compile_options",
			"PRAGMA user_version", "PRAGMA main.schema_version", "PRAGMA page_count", "PRAGMA page_size", "PRAGMA freelist_count", "PRAGMA journal_mode", "PRAGMA journal_size_limit", "PRAGMA query_only",
			"PRAGMA foreign_keys", "PRAGMA cache_size", "PRAGMA cache_spill", "PRAGMA synchronous", "PRAGMA encoding", "PRAGMA auto_vacuum", "PRAGMA busy_timeout", "PRAGMA locking_mode", "PRAGMA temp_store",
			"PRAGMA mmap_size", "PRAGMA max_page_count", "PRAGMA secure_delete", "PRAGMA application_id", "PRAGMA analysis_limit", "PRAGMA threads", "PRAGMA wal_autocheckpoint", "PRAGMA trusted_schema",
			"PRAGMA recursive_triggers", "PRAGMA reverse_unordered_selects", "PRAGMA read_uncommitted", "PRAGMA defer_foreign_keys", "PRAGMA ignore_check_constraints", "PRAGMA legacy_alter_table",
			"PRAGMA cell_size_check", "PRAGMA checkpoint_fullfsync", "PRAGMA fullfsync", "PRAGMA automatic_index", "PRAGMA soft_heap_limit", "PRAGMA hard_heap_limit", "PRAGMA writable_schema",
		),
		needy: slices.Concat(spread([]string{"%s", "/* SELECT */ %s", "-- x\n%s", "SELECT 1; %s", "PRAGMA user_version; %s"}, []string{
			"INSERT INTO t VALUES (9, 9, 'z', 9)", "INSERT INTO t VALUES (9, 9, 'z', 9) RETURNING *", "REPLACE INTO t VALUES (1, 1, 'x', 1)", "UPDATE t SET a = 1", "DELETE FROM t",
			"WITH w AS (SELECT 1) INSERT INTO t (a) SELECT * FROM w", "WITH w AS (SELECT 1) REPLACE INTO t (a) SELECT * FROM w", "WITH w AS (SELECT 1) /* x */ UPDATE t SET a = 2", "WITH w AS (SELECT 1), v AS (SELECT 2) DELETE FROM t",
			"CREATE TABLE x (id)", "CREATE TEMP TABLE x (id)", "CREATE INDEX j ON t (b)", "DROP TABLE t", "ALTER TABLE t ADD x", "REINDEX", "ANALYZE",
			"PRAGMA user_version = 5", "PRAGMA user_version(5)", "PRAGMA query_only = 0", "PRAGMA foreign_keys = ON", "PRAGMA cache_size = 77", "PRAGMA main.cache_size(77)", "ATTACH ':memory:' AS other",
			"PRAGMA optimize(-1)", "SELECT * FROM pragma_optimize(-1)", `SELECT * FROM "pragma_optimize"(-1)`, "SELECT * FROM 'pragma_optimize' (-1)",
		})),
		cautious: map[string]string{
			"SELECT last_insert_rowid()":               "what the connection did before",
			"SELECT changes(), total_changes()":        "what the connection did before",
			"SELECT load_extension('none')":            "code from a file",
			"EXPLAIN PRAGMA user_version = 5":          "some PRAGMAs act when they are compiled",
			"EXPLAIN CREATE TABLE x (id)":              "a verb that is seldom explained",
			"PRAGMA data_version":                      "a connection's own count",
			"PRAGMA shrink_memory":                     "an effect on the connection",
			"PRAGMA wal_checkpoint":                    "a checkpoint",
			"PRAGMA busy_timeout = 1":                  "a setting",
			"PRAGMA case_sensitive_like = 1":           "a setting",
			"BEGIN":                                    "a transaction is a connection's",
			"SAVEPOINT a":                              "a transaction is a connection's",
			"SELECT * FROM t LIMIT 1 -- \n FOR UPDATE": "no locks here, but a portable statement that wants one",
		},
	}
}
