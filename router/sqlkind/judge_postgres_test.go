package sqlkind_test

import (
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// The locks that a statement holds to its transaction's end are no trace if every read, or the plan of a write,
// holds them.
const postgresProbe = `
SELECT concat_ws(' | ',
  (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
  (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('relation', 'tuple', 'object')
     AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')),
  (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),
  (SELECT count(*) FROM pg_listening_channels()), pg_my_temp_schema(),
  (SELECT md5(string_agg(name || '=' || coalesce(setting, ''), ',' ORDER BY name)) FROM pg_settings
     WHERE name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')),
  current_setting('sqlkind.mark', true))`

func TestPostgresIsTheJudge(t *testing.T) {
	teston.Only(t, teston.Postgres)
	cluster := integration.StartPostgres(t, 1)
	ctx := t.Context()
	require.NoError(t, cluster.Primary.Exec(ctx, `
		CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, "update" int, share int);
		INSERT INTO t SELECT n, n, 'b' || n, n, n FROM generate_series(1, 20) n;
		CREATE TABLE "quoted t" ("for" int);
		CREATE SEQUENCE s;
		CREATE VIEW v AS SELECT id, a FROM t;
		SELECT lo_create(4711);
		GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
		GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC;
		GRANT ALL ON LARGE OBJECT 4711 TO PUBLIC`))
	require.NoError(t, cluster.WaitReplayed(ctx))

	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(cluster.Replicas[0].URI())))
	t.Cleanup(func() { _ = db.Close() }) // its connections are closed one by one
	j := &judge{
		dialect: dialect.PG, db: db, setUp: "SET statement_timeout = '20s'", probe: postgresProbe, begin: "BEGIN",
		refused: func(err error) bool {
			var e pgdriver.Error
			return errors.As(err, &e) && slices.Contains([]string{"25006", "55000", "0A000", "XX000"}, e.Field('C'))
		},
	}
	j.hear(t, postgresCases())
}

func postgresCases() cases {
	locks := spread([]string{
		"SELECT * FROM t %s",
		"SELECT * FROM t WHERE false %s",
		"SELECT * FROM (SELECT * FROM t %s) AS s",
		"WITH w AS (SELECT * FROM t %s) SELECT * FROM w",
		"SELECT * FROM t ORDER BY id LIMIT 1 OFFSET 1 %s",
		"SELECT * FROM t ORDER BY id FETCH FIRST 1 ROW ONLY %s",
		"TABLE t %s",
		"(SELECT * FROM t %s)",
		"SELECT 1 WHERE EXISTS (SELECT 1 FROM t %s)",
		"SELECT (SELECT a FROM t LIMIT 1 %s)",
		"EXPLAIN ANALYZE SELECT * FROM t %s",
		"EXPLAIN (COSTS off, ANALYZE) SELECT * FROM t %s",
	}, []string{
		"FOR UPDATE", "for no key update", "FOR SHARE SKIP LOCKED", "FOR /* x */ KEY -- y\n SHARE NOWAIT", `FOR UPDATE OF "t"`,
	})
	calls := spread([]string{
		"SELECT %s",
		"SELECT * FROM (SELECT %s) AS s",
		"WITH w AS (SELECT %s) SELECT * FROM w",
		"WITH w AS MATERIALIZED (VALUES ((%s)::text)) SELECT * FROM w",
		"SELECT a FROM t WHERE id = 1 AND (%s) IS NOT NULL",
		"VALUES ((%s)::text)",
		"(SELECT (%s)::text UNION ALL SELECT 'a') ORDER BY 1",
		"SELECT CASE WHEN true THEN (%s)::text END",
		"EXPLAIN ANALYZE SELECT %s",
	}, []string{
		"nextval('s')", "NEXTVAL ('s')", `pg_catalog."nextval"('s')`, "nextval/* ( */('s')", "setval('s', 7)", "currval('s')", "lastval()",
		"pg_advisory_lock(1)", "pg_try_advisory_lock_shared (1, 2)", `"pg_advisory_xact_lock" (1)`, "pg_try_advisory_xact_lock(5)",
		"set_config('sqlkind.mark', 'x', false)", "set_config('search_path', 'pg_catalog', true)",
		"pg_notify('a', 'b')", "txid_current()", "pg_current_xact_id()", "lo_create(0)", "lo_put(4711, 0, 'x')",
		"lowrite(lo_open(4711, 131072), 'x')", "pg_current_wal_lsn()", "pg_walfile_name('0/1000000')", "pg_export_snapshot()::text||nextval('s')",
	})
	writes := []string{
		"INSERT INTO t (id) VALUES (99)", "UPDATE t SET a = 1", "DELETE FROM t WHERE false", "TRUNCATE t", "SELECT * INTO x FROM t",
		"SELECT 1 INTO TEMP x", "SELECT 1 AS as INTO x", "WITH w AS (SELECT 1) SELECT * INTO x FROM w",
		"MERGE INTO t USING v ON t.id = v.id WHEN MATCHED THEN DELETE",
		"WITH w AS (INSERT INTO t (id) VALUES (99) RETURNING *) SELECT * FROM w",
		"WITH w AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM w",
		`WITH w AS (UPDATE ONLY "t" SET a = 1) SELECT 1`,
		"WITH v AS (SELECT 1), w AS MATERIALIZED (DELETE FROM t RETURNING *) SELECT * FROM v",
		"WITH w AS (SELECT 1) DELETE FROM t", "WITH w AS (SELECT 1) /* x */ UPDATE t SET a = 2", "WITH w AS (SELECT 98) INSERT INTO t (id) SELECT * FROM w",
		"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SEARCH DEPTH FIRST BY n SET o DELETE FROM t",
		"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) CYCLE n SET c USING p UPDATE t SET a = 1",
		"WITH w AS (WITH x AS (SELECT 1) DELETE FROM t RETURNING *) SELECT * FROM w",
		"EXPLAIN ANALYZE INSERT INTO t (id) VALUES (99)", "EXPLAIN (ANALYZE) DELETE FROM t", "EXPLAIN (COSTS off, ANALYZE true) UPDATE t SET a = 1",
		`EXPLAIN ("analyze" 1) DELETE FROM t`, "EXPLAIN ANALYZE VERBOSE WITH w AS (DELETE FROM t RETURNING *) SELECT * FROM w",
		"EXPLAIN (ANALYZE) CREATE TABLE x AS SELECT 1", "SELECT 1; DELETE FROM t",
		"CREATE TABLE x (id int)", "CREATE TEMP TABLE x (id int)", "CREATE TABLE x AS SELECT 1", "CREATE INDEX ON t (a)", "DROP TABLE t", "ALTER TABLE t ADD x int",
		"COMMENT ON TABLE t IS 'x'", "GRANT SELECT ON t TO PUBLIC", "LISTEN a", "NOTIFY a", "LOCK TABLE t", "LOCK TABLE t IN SHARE MODE",
		"SET search_path = pg_catalog", "SET LOCAL work_mem = '1MB'", "PREPARE p AS SELECT 1", "DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE",
		"DO $$ BEGIN DELETE FROM t; END $$", "RESET ALL", "REINDEX TABLE t",
		"SELECT query_to_xml('SELECT pg_advisory_lock(9)', true, true, '')", "SELECT * FROM ts_stat('SELECT nextval(''s'')::text::tsvector')",
		`SELECT U&"\006eextval"('s')`, `SELECT U&"!006eextval" UESCAPE '!' ('s')`, "SELECT E'\\\\', nextval('s')", "SELECT $$ ' $$, nextval('s'), $$ ' $$",
		"SELECT /* /* */ */ nextval('s')", "SELECT * FROM nextval('s')", "SELECT * FROM ROWS FROM (nextval('s'), generate_series(1, 2))",
	}
	return cases{
		harmless: append(spread([]string{
			"SELECT %s",
			"SELECT %s FROM t WHERE id = 1",
			"SELECT * FROM (SELECT %s) AS s",
			"WITH w AS (SELECT %s) SELECT * FROM w",
			"(SELECT (%s)::text) UNION ALL (SELECT 'a') ORDER BY 1",
			"EXPLAIN (ANALYZE, COSTS off) SELECT %s",
			"/* FOR UPDATE */ SELECT %s -- ; DELETE FROM t",
		}, []string{
			"1", "'FOR UPDATE; DELETE FROM t'", "$a$ nextval('s') $a$", `E'\' FOR UPDATE'`, `U&'\0061'`, "substring('abc' FROM 1 FOR 2)",
			"overlay('abc' PLACING 'x' FROM 1 FOR 1)", "ARRAY[1, 2] @> ARRAY[1]", `'{"a": 1}'::jsonb ? 'a'`, "to_tsvector('a b') @@ to_tsquery('a')",
			"random()", "clock_timestamp()", "now()", "gen_random_uuid()", "txid_current_if_assigned()", "pg_current_snapshot()", "pg_is_in_recovery()",
			"pg_last_wal_replay_lsn()", "pg_relation_size('t')", "pg_sequence_last_value('s'::regclass)", "current_setting('search_path')", "pg_sleep(0)",
			"(SELECT count(*) FROM t)", "EXISTS (SELECT 1 FROM v)", "1 IN (1, 2)", "coalesce(NULL, 1)", "make_interval(days := 1)", "B'01'", "pg_backend_pid()",
		}),
			"TABLE t", "TABLE ONLY t ORDER BY id LIMIT 1", "VALUES (1), (2)", "SHOW search_path", "SHOW ALL", `SELECT "update", t.share FROM t`, "SELECT update, share FROM t",
			`SELECT "for" FROM "quoted t"`, "SELECT 1 AS into", "SELECT a AS for FROM t", "SELECT last_value FROM s", "SELECT count(update) FROM t", "SELECT (update > 1) FROM t",
			"SELECT max(a) update FROM t", "WITH update AS (SELECT 1) SELECT * FROM update", "WITH delete (insert) AS (SELECT 1) SELECT insert FROM delete",
			"SELECT 1 AS nextval, 2 AS pg_advisory_lock", "EXPLAIN INSERT INTO t (id) VALUES (99)", "EXPLAIN UPDATE t SET a = 1", "EXPLAIN (COSTS off) DELETE FROM t",
			"EXPLAIN WITH w AS (DELETE FROM t RETURNING *) SELECT * FROM w", "EXPLAIN VERBOSE MERGE INTO t USING v ON t.id = v.id WHEN MATCHED THEN DELETE", "EXPLAIN (SELECT 1)",
			"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
			"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SEARCH DEPTH FIRST BY n SET o SELECT * FROM r",
			"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) CYCLE n SET c USING p SELECT * FROM r",
			"SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY id ROWS UNBOUNDED PRECEDING)", "SELECT * FROM t FOR READ ONLY",
			"SELECT * FROM json_to_recordset('[{\"a\": 1}]') AS r (a int, b text)", "SELECT * FROM generate_series(1, 2) WITH ORDINALITY", "SELECT * FROM t TABLESAMPLE SYSTEM (10)",
			"SELECT DISTINCT ON (b) * FROM t ORDER BY b, id", "SELECT a, count(*) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING count(*) > 0", "SELECT * FROM t FETCH FIRST 1 ROW ONLY",
			"SELECT * FROM information_schema.tables LIMIT 3", "SELECT * FROM pg_stat_activity", "SELECT * FROM pg_locks",
			"SELECT a.id FROM t a CROSS JOIN LATERAL (SELECT b.id FROM t b WHERE b.id = a.id) c", `SELECT U&"\0061" FROM (SELECT 1 AS a) s`,
		),
		needy: slices.Concat(locks, calls, writes),
		cautious: map[string]string{
			"COPY (SELECT 1) TO STDOUT":                                       "its verb writes as well, and drivers run it on a connection of their own",
			"EXPLAIN DECLARE c CURSOR FOR SELECT 1":                           "cursors belong to a session",
			"EXPLAIN SELECT nextval('s')":                                     "planning may run functions",
			"EXPLAIN SELECT * FROM t FOR UPDATE":                              "a locking clause anywhere",
			"SELECT lo_get(4711)":                                             "large objects, as one group",
			"SELECT loread(lo_open(4711, 262144), 1)":                         "a descriptor lives in its transaction",
			"SELECT pg_export_snapshot()":                                     "the snapshot belongs to that server",
			"SELECT setseed(0.5)":                                             "what random() gives then belongs to the session",
			"SELECT pg_listening_channels()":                                  "what the session listens to",
			"SELECT ts_rewrite('a', 'SELECT ''a''::tsquery, ''b''::tsquery')": "SQL in a string",
			"SELECT pg_advisory_unlock_all()":                                 "locks belong to a session",
			"SELECT pg_cancel_backend(0)":                                     "a signal",
			"SET LOCAL search_path = DEFAULT":                                 "a setting, even if it changes nothing",
			"UNLISTEN *":                                                      "a session's state",
			"DEALLOCATE ALL":                                                  "a session's state",
			"LOCK TABLE t IN ACCESS SHARE MODE":                               "a lock",
			"CLOSE ALL":                                                       "a session's state",
		},
	}
}
