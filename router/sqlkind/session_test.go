package sqlkind_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// left are statements that leave something in their session, by what that is, and leftNot such that look like them.
var left, leftNot = map[dialect.Name]map[string][]string{
	dialect.PG: {
		"a setting": {
			"SET search_path = ''", "set search_path to ''", "SET SESSION search_path = ''", "-- a dump's\nSET client_encoding = 'UTF8'", "/* x */ SET x.y = 1",
			"SET TIME ZONE 'UTC'", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", `SET "TimeZone" = 'UTC'`, "RESET ALL", "DISCARD ALL",
			"UPDATE pg_settings SET setting = '' WHERE name = 'search_path'", `UPDATE "pg_settings" SET setting = ''`, "UPDATE pg_catalog.pg_settings SET setting = ''",
			"UPDATE ONLY pg_settings SET setting = ''", "update /* x */ pg_settings set setting = ''",
		},
		"a setting by a function": {
			"SELECT set_config('search_path', '', false)", "SELECT pg_catalog.set_config('search_path', '', false)", "SELECT SET_CONFIG ('a.b', 'c', FALSE)",
			`SELECT "set_config"('a.b', 'c', false)`, "SELECT set_config\n('a.b', 'c', false)", "SELECT set_config/* x */('a.b', 'c', false)", "SELECT set_config -- x\n('a.b', 'c', false)",
			"SELECT set_config('a.b', $1, $2)", "SELECT set_config('a.b', '7', is_local => false)", "SELECT set_config('a.b', '7', 1 = 1 and true)", "SELECT set_config('a.b', '7', not true)",
			"SELECT set_config('a.b', '7', x = true) FROM t", "SELECT set_config('a.b', set_config('a.c', '', true), false)", "SELECT set_config('a.b', set_config('a.c', '', false), true)",
			"SELECT set_config('a.b', 'true', false)", "WITH s AS (SELECT set_config('a.b', '7', false)) SELECT * FROM s", "INSERT INTO t SELECT set_config('a.b', '7', false)",
			"UPDATE t SET n = 1 WHERE set_config('a.b', '7', false) = '7'", "DELETE FROM t WHERE set_config('a.b', '7', false) = ''", "EXPLAIN ANALYZE SELECT set_config('a.b', '7', false)",
			"VALUES (set_config('a.b', '7', false))", "(SELECT set_config('a.b', '7', false))", "COPY (SELECT set_config('a.b', '7', false)) TO STDOUT", "SELECT set_limit(0.1)", "SELECT setseed(0.5)",
			"CREATE TABLE t AS SELECT set_config('a.b', '7', false)",
		},
		"a role":                    {"SET ROLE admin", "SET SESSION AUTHORIZATION admin", "SET LOCAL search_path = a; SET ROLE admin"},
		"a lock":                    {"SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(1, 2)", "SELECT pg_advisory_lock_shared(1)", "SELECT id FROM jobs WHERE pg_try_advisory_lock_shared(id)"},
		"a temporary table":         {"CREATE TEMP TABLE t (id int)", "create temporary table t (id int)", "CREATE LOCAL TEMP TABLE t AS SELECT 1", "CREATE TABLE pg_temp.t (id int)", `CREATE TABLE "pg_temp"."t" (id int)`, "CREATE TEMP TABLE t (id int) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS t ()", "SELECT 1 AS a INTO TEMP t", "select 1 as a into temporary table t", "SELECT id Into Temp t FROM u WHERE id > 100000000", "WITH a AS (SELECT 1) SELECT * INTO TEMP t FROM a", "SELECT 1 INTO LOCAL TEMP t"},
		"something else temporary":  {"CREATE TEMP VIEW v AS SELECT 1", "CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "CREATE TEMP SEQUENCE s", "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"},
		"a prepared statement":      {"PREPARE p AS SELECT 1", "DEALLOCATE ALL"},
		"a cursor":                  {"DECLARE c CURSOR WITH HOLD FOR SELECT 1"},
		"a channel":                 {"LISTEN jobs", "UNLISTEN *"},
		"a library":                 {"LOAD 'auto_explain'"},
		"who knows what":            {"DO $$ BEGIN PERFORM 1; END $$", "FROBNICATE", "'", "SELECT 'x; SET a.b = 1", "EXECUTE p"},
		"something after the first": {"INSERT INTO t VALUES (1); SET a.b = 1", "SELECT 1; SET a.b = 1", "INSERT INTO t VALUES ('it''s; fine'); /* ; */ SET a.b = 1", "BEGIN; CREATE TEMP TABLE t ()"},
	},
	dialect.MySQL: {
		"a setting":            {"SET FOREIGN_KEY_CHECKS=0", "SET NAMES latin1", "SET SESSION sql_mode = ''", "SET @@sql_mode = ''", "SET GLOBAL x = 1", "SET TRANSACTION READ ONLY", "SET autocommit = 0", "/*!40014 SET FOREIGN_KEY_CHECKS=0 */", "/*M!100000 SET x=1 */", "# a dump's\nSET x = 1", "SET STATEMENT max_statement_time = 1", "SET STATEMENT a = 1 FOR SELECT GET_LOCK('a', 1)", "SET STATEMENT a = 1 FOR SET b = 1", "SET STATEMENT a = 1 FOR FROBNICATE"},
		"a user's variable":    {"SET @x = 1", "SELECT @x := 1", "SELECT 1 INTO @x", "SELECT id, @x := @x + 1 FROM t", "UPDATE t, (SELECT @r := 0) r SET n = (@r := @r + 1)", "INSERT INTO t SELECT @x:=1", "CALL p(@x)", "LOAD DATA INFILE 'x' INTO TABLE t (@a) SET b = @a", "SELECT max(id) FROM t INTO @`x`"},
		"a role, a database":   {"SET ROLE admin", "USE other", "use `other`"},
		"a lock":               {"SELECT GET_LOCK('a', 1)", "DO GET_LOCK('a', 1)", "SELECT get_lock ('a', 1)", "LOCK TABLES t WRITE", "FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES", "INSERT INTO t SELECT GET_LOCK('a', 1)"},
		"a temporary table":    {"CREATE TEMPORARY TABLE t (id INT)", "create temporary table t select 1", "CREATE OR REPLACE TEMPORARY TABLE t (id INT)"},
		"a prepared statement": {"PREPARE p FROM 'SELECT 1'", "EXECUTE p", "HANDLER t OPEN"},
		"a transaction":        {"BEGIN", "START TRANSACTION", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "XA START 'a'"},
		"after the first":      {"INSERT INTO t VALUES (1); SET @x = 1", "SELECT 1; USE other"},
	},
	dialect.SQLite: {
		"a setting":         {"PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys = 0", "pragma foreign_keys(0)", `PRAGMA main."query_only"(off)`, "/* x */ pragma/**/QUERY_ONLY=No", "PRAGMA defer_foreign_keys = ON", "PRAGMA case_sensitive_like = 1", "PRAGMA table_info(t); PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys; PRAGMA foreign_keys = OFF"},
		"a temporary table": {"CREATE TEMP TABLE t (id)", "CREATE TEMPORARY TABLE t (id)", "CREATE TABLE temp.t (id)", "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END", `CREATE VIRTUAL TABLE "temp".t USING fts5(x)`},
		"a database":        {"ATTACH DATABASE 'x' AS y", "ATTACH 'x' AS y", "DETACH y"},
		"a library":         {"SELECT load_extension('x')"},
		"after the first":   {"INSERT INTO t VALUES (1); PRAGMA foreign_keys = OFF", "BEGIN; PRAGMA foreign_keys = OFF"},
	},
}, map[dialect.Name]map[string][]string{
	dialect.PG: {
		"a read":                   {"SELECT 1", `SELECT "u"."id" FROM "users" AS "u" WHERE ("u"."id" = 1)`, "SELECT * FROM set_config", "SELECT 'set_config(1)'", "SELECT id FROM t WHERE a = 'x; SET a.b = 1'", "WITH a AS (SELECT 1) SELECT * FROM a", "SHOW search_path", "TABLE t", "VALUES (1)", "SELECT (1)", "SELECT current_setting('a.b')", "SELECT 'INTO TEMP t'", "SELECT pointer, 'into' FROM t", "SELECT * FROM pg_settings", "EXPLAIN SELECT 1", "", " ", ";", "-- x"},
		"a write":                  {`INSERT INTO "t" ("a") VALUES ('SET a.b = 1; x')`, "UPDATE t SET a = 'set_config(''a'', ''b'', false)'", "DELETE FROM t WHERE (id = 1)", "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", "INSERT INTO temp VALUES (1); SELECT 1", "SELECT 1 INTO t", "INSERT INTO t VALUES (1);", "UPDATE pg_class_notes SET n = 1", "COPY t FROM STDIN", "TRUNCATE t", "CALL p()", "LOCK TABLE t", "NOTIFY jobs"},
		"what ends by itself":      {"SET LOCAL search_path = ''", "SET CONSTRAINTS ALL DEFERRED", "SET TRANSACTION READ ONLY", "SET LOCAL ROLE admin", "SELECT set_config('app.tenant', '7', true)", "SELECT set_config('app.tenant', '7', TRUE)", "SELECT set_config('app.tenant', '7', 't')", "SELECT set_config('app.tenant', '7', true::bool), set_config('a.b', '', true)", "SELECT set_config('app.tenant', '7', is_local => true)", "SELECT pg_advisory_xact_lock(1)", "SELECT pg_try_advisory_xact_lock(1)", "CREATE TEMP TABLE t (id int) ON COMMIT DROP", "DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", "FETCH 1 FROM c", "SELECT pg_advisory_unlock(1)"},
		"a change of the schema":   {"CREATE TABLE temperature (temp int)", "CREATE TABLE t AS SELECT temp FROM u", "CREATE UNIQUE INDEX i ON t (temp)", "CREATE TABLE IF NOT EXISTS t (id int DEFAULT 0)", "ALTER TABLE t ADD temp int", "DROP TABLE t", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT set_config('a', 'b', false); $$", "CREATE VIEW v AS SELECT 1", "GRANT SELECT ON t TO u", "ALTER ROLE u SET search_path = a", "REFRESH MATERIALIZED VIEW v", "VACUUM t"},
		"a transaction's own":      {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE SAVEPOINT a", "ROLLBACK TO SAVEPOINT a", "PREPARE TRANSACTION 'a'", "COMMIT AND CHAIN"},
		"with quotes and comments": {"INSERT INTO t VALUES ($$; SET a.b = 1$$); SELECT 1 -- SET", "SELECT 1 /* ; SET a.b = 1 */;", `SELECT "set_config" FROM t;`, "SELECT E'\\'; SET a.b = 1';"},
	},
	dialect.MySQL: {
		"a read":                 {"SELECT 1", "SELECT `u`.`id` FROM `users` AS `u` WHERE (`u`.`email` = 'a@b.example')", "SELECT @@sql_mode", "SELECT CONCAT('a@b', ':=')", "SHOW TABLES", "DESCRIBE t", "SELECT 'GET_LOCK(1)'", "SELECT RELEASE_LOCK('a')", "SELECT '; SET @x = 1'", "WITH a AS (SELECT 1) SELECT * FROM a"},
		"a write":                {"INSERT INTO `t` (`a`) VALUES ('x; := @y')", "UPDATE t SET a = '@x := 1'", "DELETE FROM t", "REPLACE INTO t VALUES (1)", "CALL p()", "DO SLEEP(0)", "UPDATE t SET id = LAST_INSERT_ID(id + 1)", "LOAD DATA INFILE 'x' INTO TABLE t", "TRUNCATE t"},
		"a change of the schema": {"CREATE TABLE temporary_t (temporary INT)", "ALTER TABLE t ADD x INT", "DROP TEMPORARY TABLE t", "CREATE INDEX i ON t (a)", "FLUSH PRIVILEGES", "ANALYZE TABLE t"},
		"what ends by itself":    {"SET STATEMENT max_statement_time = 1 FOR SELECT 1", "SET STATEMENT wsrep_sync_wait = 1, b = 2 FOR INSERT INTO t VALUES (1)"},
		"a transaction's own":    {"COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE SAVEPOINT a"},
	},
	dialect.SQLite: {
		"a read":                 {"SELECT 1", "PRAGMA foreign_keys", "PRAGMA table_info(t)", "PRAGMA table_info('t');", "EXPLAIN QUERY PLAN SELECT 1", "VALUES (1)", "SELECT 'PRAGMA foreign_keys = 0; x'", "WITH a AS (SELECT 1) SELECT * FROM a", "PRAGMA main.foreign_keys"},
		"a write":                {"INSERT INTO t VALUES ('a;b')", "UPDATE t SET a = 1", "DELETE FROM t", "REPLACE INTO t VALUES (1)", "PRAGMA user_version = 5", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA optimize", "VACUUM", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"},
		"a change of the schema": {"CREATE TABLE temps (temp)", "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u VALUES (1); END", "ALTER TABLE t ADD x", "DROP TABLE t", "CREATE INDEX i ON t (temp)", "REINDEX", "CREATE VIEW v AS SELECT temp FROM t"},
		"a transaction's own":    {"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "BEGIN IMMEDIATE; DELETE FROM t; COMMIT"},
	},
}

func TestChangesSession(t *testing.T) {
	for _, row := range []struct {
		cases map[dialect.Name]map[string][]string
		want  bool
	}{{left, true}, {leftNot, false}} {
		for d, groups := range row.cases {
			for reason, queries := range groups {
				for _, q := range queries {
					t.Run(fmt.Sprintf("%v/%s/%s", d, reason, strings.ReplaceAll(q, "/", "|")), func(t *testing.T) {
						assert.Equal(t, row.want, sqlkind.ChangesSession(d, q), q)
						if row.want {
							return
						}
						long := q + strings.Repeat(" ", 40)
						assert.False(t, sqlkind.ChangesSession(d, long), "with room for eight bytes at once")
					})
				}
			}
		}
	}
	assert.True(t, sqlkind.ChangesSession(dialect.MSSQL, "SELECT 1"), "nothing is known of that dialect")
}

// TestChangesSessionAnywhere has something left by whichever of two statements does it, and by one far behind the first bytes.
func TestChangesSessionAnywhere(t *testing.T) {
	long := "SELECT 1 WHERE 'x' = '" + strings.Repeat("y", 1000) + "'"
	for d, groups := range left {
		for _, queries := range groups {
			for _, q := range queries {
				if strings.HasPrefix(q, "#") || strings.HasPrefix(q, "'") {
					continue
				}
				assert.True(t, sqlkind.ChangesSession(d, long+"; "+q), q)
				assert.True(t, sqlkind.ChangesSession(d, "INSERT INTO t VALUES (1);"+q), q)
			}
		}
	}
}

func TestChangesSessionAllocatesNothing(t *testing.T) {
	for _, cases := range []map[dialect.Name]map[string][]string{left, leftNot} {
		for d, groups := range cases {
			for _, queries := range groups {
				for _, q := range queries {
					assert.Zero(t, testing.AllocsPerRun(10, func() { sqlkind.ChangesSession(d, q) }), q)
				}
			}
		}
	}
}

func FuzzChangesSession(f *testing.F) {
	for _, cases := range []map[dialect.Name]map[string][]string{left, leftNot} {
		for _, groups := range cases {
			for _, queries := range groups {
				for _, q := range queries {
					f.Add(q)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, q string) {
		for _, d := range []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite} {
			assert.True(t, sqlkind.ChangesSession(d, q+"\n;SET a = 1"), "%v: what comes after it is seen", d)
		}
	})
}

func BenchmarkChangesSession(b *testing.B) {
	for name, q := range map[string]string{
		"point select": `SELECT "item"."id", "item"."name", "item"."price" FROM "items" AS "item" WHERE ("item"."id" = 42)`,
		"join": `SELECT "item"."id", "item"."name", "shop"."id" AS "shop__id", "shop"."name" AS "shop__name" FROM "items" AS "item" LEFT JOIN "shops" AS "shop" ` +
			`ON ("shop"."id" = "item"."shop_id") WHERE ("item"."price" > 10) AND ("item"."name" LIKE 'a%') ORDER BY "item"."id" DESC LIMIT 20`,
		"insert": `INSERT INTO "items" ("id", "name", "price") VALUES (DEFAULT, 'a name', 42) RETURNING "id"`,
		"commit": "COMMIT",
		"set":    "SET search_path = ''",
	} {
		for _, d := range []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite} {
			b.Run(fmt.Sprintf("%s/%v", name, d), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					sqlkind.ChangesSession(d, q)
				}
			})
		}
	}
}

func ExampleChangesSession() {
	for _, query := range []string{
		"SET search_path = 'shop'",
		"SET LOCAL search_path = 'shop'",
		"SELECT set_config('app.tenant', '7', false)",
		"SELECT set_config('app.tenant', '7', true)",
	} {
		fmt.Println(sqlkind.ChangesSession(dialect.PG, query))
	}
	// Output:
	// true
	// false
	// true
	// false
}
