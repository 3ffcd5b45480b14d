package sqlkind_test

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
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
	cluster := integration.StartPostgres(t, 1, integration.WithSetting("max_prepared_transactions", "5"))
	ctx := t.Context()
	primary, reader := cluster.Primary, cluster.Replicas[0]
	extensions := postgresExtensions(t, primary)
	require.NoError(t, primary.Exec(ctx, extensions+`
		CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, "update" int, share int);
		INSERT INTO t SELECT n, n, 'b' || n, n, n FROM generate_series(1, 20) n;
		CREATE TABLE "quoted t" ("for" int);
		CREATE SEQUENCE s;
		CREATE VIEW v AS SELECT id, a FROM t;
		SELECT lo_create(4711);
		GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
		GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC;
		GRANT ALL ON LARGE OBJECT 4711 TO PUBLIC`))
	// What a standby is not told: a sequence's next values, a prepared transaction, a slot, statistics.
	for _, statement := range []string{
		"SELECT nextval('s') FROM generate_series(1, 3)", "BEGIN; INSERT INTO t (id) VALUES (97); PREPARE TRANSACTION 'sqlkind'",
		"SELECT pg_create_physical_replication_slot('sqlkind')", "UPDATE t SET a = a WHERE id < 9", "UPDATE t SET a = a WHERE id < 9",
	} {
		require.NoError(t, primary.Exec(ctx, statement), statement)
	}
	require.NoError(t, cluster.WaitReplayed(ctx))

	probe := postgresProbe
	if extensions != "" {
		probe = strings.Replace(probe, "pg_my_temp_schema()", "pg_my_temp_schema(), public.isn_weak(), public.show_limit()", 1)
	}
	j := &judge{
		dialect: dialect.PG, db: openPostgres(t, reader.URI()), primary: openPostgres(t, primary.URI()),
		setUp: "SET statement_timeout = '20s'", probe: probe, begin: "BEGIN",
		reset: []string{"ROLLBACK", "DISCARD ALL", "SET statement_timeout = '20s'"},
		refused: func(err error) bool {
			var e pgdriver.Error
			return errors.As(err, &e) && slices.Contains([]string{"25006", "55000", "0A000", "XX000"}, e.Field('C'))
		},
		differs: maps.Clone(postgresDiffers),
	}
	maps.DeleteFunc(j.differs, func(part, _ string) bool { return newerThan(primary.Version(), part) })
	c := postgresCases()
	if extensions != "" {
		c.needy = append(c.needy, extensionCalls...)
	}
	c = knownTo(primary.Version(), c)
	j.hear(t, c)

	admin := *j
	admin.db, admin.primary, admin.differs = openPostgres(t, reader.AdminURI()), openPostgres(t, primary.AdminURI()), catalogDiffers
	t.Run("local", func(t *testing.T) { admin.disagree(t, c.local) })
	t.Run("catalog", func(t *testing.T) { catalogAgrees(t, &admin) })
}

func openPostgres(t *testing.T, uri string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(uri)))
	t.Cleanup(func() { _ = db.Close() }) // its connections are closed one by one
	return db
}

// postgresExtensions are statements that make extensions which keep something in the session, "" where the server was
// built without them.
func postgresExtensions(t *testing.T, server *integration.Server) string {
	t.Helper()
	n, err := server.QueryString(t.Context(), "SELECT count(*)::text FROM pg_available_extensions WHERE name IN ('isn', 'pg_trgm')")
	require.NoError(t, err)
	if n != "2" {
		t.Logf("this server has no isn and no pg_trgm")
		return ""
	}
	return "CREATE EXTENSION isn; CREATE EXTENSION pg_trgm;"
}

// extensionCalls need the writer, since they leave something in the session.
var extensionCalls = spread([]string{"SELECT %s", "SELECT * FROM (SELECT %s) AS s", "EXPLAIN ANALYZE SELECT %s"}, []string{
	"isn_weak(true)", `"isn_weak" (true)`, "(true).isn_weak", "set_limit(0.7)", "(0.7::real)/* x */. set_limit",
})

// catalogAgrees compares all that is in the catalogs' relations, and all that functions without arguments say.
func catalogAgrees(t *testing.T, j *judge) {
	list := func(query string) []string {
		var names string
		require.NoError(t, j.primary.QueryRowContext(t.Context(), query).Scan(&names))
		return strings.Fields(names)
	}
	relations := list(`SELECT string_agg(relnamespace::regnamespace || '.' || relname, ' ') FROM pg_class
		WHERE relkind IN ('r', 'v') AND relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`)
	functions := list(`SELECT string_agg(DISTINCT proname, ' ') FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
		AND pronargs - pronargdefaults = 0 AND prokind = 'f' AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)`)
	t.Logf("of %d relations %d agree, of %d functions %d; the others are local, explained or writes",
		len(relations), j.agree(t, relations, func(name string) string { return "TABLE " + name }),
		len(functions), j.agree(t, functions, func(name string) string { return "SELECT * FROM pg_catalog." + name + "() AS f" }))
}

// postgresDiffers are the harmless statements to which a standby has another answer than its primary.
var postgresDiffers = explained{
	"now()":                    "a clock",
	"clock_timestamp()":        "a clock",
	"random()":                 "another answer each time",
	"gen_random_uuid()":        "another answer each time",
	"ANALYZE":                  "how long it took",
	"pg_backend_pid()":         "which session it is",
	"pg_is_in_recovery()":      "which server it is",
	"pg_last_wal_replay_lsn()": "what only a standby knows",
	"SHOW ALL":                 "the server's configuration",
	"SELECT * FROM s":          "a sequence, which the text does not show: it may be a table",
}

// catalogDiffers are relations and functions of the catalogs that may differ for such a reason.
var catalogDiffers = func() explained {
	e := make(explained)
	for reason, names := range map[string]string{
		"a clock":                  "clock_timestamp statement_timestamp transaction_timestamp now timeofday",
		"another answer each time": "random random_normal gen_random_uuid uuidv4 uuidv7",
		"which server or session it is": `inet_client_addr inet_client_port inet_server_addr inet_server_port pg_backend_pid pg_is_in_recovery
			pg_conf_load_time pg_postmaster_start_time`,
		"the server's configuration": "pg_catalog.pg_settings pg_show_all_settings",
		"what only a standby knows": `pg_catalog.pg_stat_wal_receiver pg_catalog.pg_stat_recovery_prefetch pg_stat_get_wal_receiver
			pg_stat_get_recovery_prefetch pg_control_recovery pg_get_wal_replay_pause_state pg_is_wal_replay_paused
			pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp`,
	} {
		for name := range strings.FieldsSeq(names) {
			e[name] = reason
		}
	}
	return e
}()

// postgresSince says from which version on the server knows what is in a statement: an older one calls it an error.
var postgresSince = map[string]int{
	"gen_random_uuid":     13,
	"pg_current_snapshot": 13,
	"pg_current_xact_id":  13,
	" SEARCH DEPTH FIRST": 14,
	" CYCLE n SET":        14,
	"max(a) update":       14, // a keyword as a label without AS
	"pg_stat_wal":         14,
	"MERGE INTO":          15,
	"pg_stat_io":          16,
}

// newerThan tells whether query has something that the version does not know.
func newerThan(v integration.Version, query string) bool {
	for part, since := range postgresSince {
		if strings.Contains(query, part) && !v.AtLeast("PostgreSQL", since) {
			return true
		}
	}
	return false
}

// knownTo returns the cases that a version knows.
func knownTo(v integration.Version, c cases) cases {
	newer := func(query string) bool { return newerThan(v, query) }
	maps.DeleteFunc(c.cautious, func(query, _ string) bool { return newer(query) })
	return cases{
		harmless: slices.DeleteFunc(c.harmless, newer), local: slices.DeleteFunc(c.local, newer),
		needy: slices.DeleteFunc(c.needy, newer), cautious: c.cautious,
	}
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
		"(7::bigint).pg_advisory_lock", `(7::bigint) /* x */ . -- y
 "pg_advisory_lock"`, `(7::bigint).U&"pg\005fadvisory_lock"`, "('s').nextval", "('s'::text).NEXTVAL", "(ARRAY[7::bigint])[1].pg_advisory_lock",
		"(SELECT x[1].pg_advisory_lock FROM (SELECT ARRAY[7::bigint] AS x) AS s)", "(SELECT (s).x.pg_advisory_lock FROM (SELECT 7::bigint AS x) AS s)",
		"(SELECT 7::bigint).pg_advisory_lock", "(SELECT g.pg_advisory_lock FROM generate_series(7::bigint, 7) AS g)",
		`(SELECT "g" . "nextval" FROM unnest(ARRAY['s'::regclass]) AS "g")`,
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
			"random()", "clock_timestamp()", "now()", "gen_random_uuid()", "txid_current_if_assigned()", "pg_is_in_recovery()",
			"pg_last_wal_replay_lsn()", "pg_relation_size('t')", "current_setting('search_path')", "pg_sleep(0)",
			"(SELECT count(*) FROM t)", "EXISTS (SELECT 1 FROM v)", "1 IN (1, 2)", "coalesce(NULL, 1)", "make_interval(days := 1)", "B'01'", "pg_backend_pid()",
		}),
			"TABLE t", "TABLE ONLY t ORDER BY id LIMIT 1", "VALUES (1), (2)", "SHOW search_path", "SHOW ALL", `SELECT "update", t.share FROM t`, "SELECT update, share FROM t",
			`SELECT "for" FROM "quoted t"`, "SELECT 1 AS into", "SELECT a AS for FROM t", "SELECT count(update) FROM t", "SELECT (update > 1) FROM t",
			"SELECT max(a) update FROM t", "WITH update AS (SELECT 1) SELECT * FROM update", "WITH delete (insert) AS (SELECT 1) SELECT insert FROM delete",
			"SELECT 1 AS nextval, 2 AS pg_advisory_lock", "EXPLAIN INSERT INTO t (id) VALUES (99)", "EXPLAIN UPDATE t SET a = 1", "EXPLAIN (COSTS off) DELETE FROM t",
			"EXPLAIN WITH w AS (DELETE FROM t RETURNING *) SELECT * FROM w", "EXPLAIN VERBOSE MERGE INTO t USING v ON t.id = v.id WHEN MATCHED THEN DELETE", "EXPLAIN (SELECT 1)",
			"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
			"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SEARCH DEPTH FIRST BY n SET o SELECT * FROM r",
			"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) CYCLE n SET c USING p SELECT * FROM r",
			"SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY id ROWS UNBOUNDED PRECEDING)", "SELECT * FROM t FOR READ ONLY",
			"SELECT * FROM json_to_recordset('[{\"a\": 1}]') AS r (a int, b text)", "SELECT * FROM generate_series(1, 2) WITH ORDINALITY", "SELECT * FROM t TABLESAMPLE SYSTEM (10) REPEATABLE (1)",
			"SELECT DISTINCT ON (b) * FROM t ORDER BY b, id", "SELECT a, count(*) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING count(*) > 0", "SELECT * FROM t FETCH FIRST 1 ROW ONLY",
			"SELECT * FROM information_schema.tables WHERE table_name = 't'", "SELECT * FROM s", "SELECT last_value(a) OVER (ORDER BY id) FROM t",
			"SELECT (t).a, (t).* FROM t", "SELECT (t).b.upper FROM t", "SELECT x[1] FROM (SELECT ARRAY[1] AS x) AS s", "SELECT t.b, t . a FROM t",
			"SELECT a.id FROM t a CROSS JOIN LATERAL (SELECT b.id FROM t b WHERE b.id = a.id) c", `SELECT U&"\0061" FROM (SELECT 1 AS a) s`,
		),
		local: append(spread([]string{
			"SELECT %s", "SELECT * FROM (SELECT %s) AS x", "WITH w AS (SELECT %s) SELECT * FROM w", "VALUES ((%s)::text)",
		}, []string{
			"pg_sequence_last_value('s'::regclass)", "('s'::regclass) . pg_sequence_last_value", "txid_current_snapshot()", "pg_current_snapshot()",
			"(SELECT last_value FROM s)", "(SELECT count(*) FROM pg_prepared_xacts)", "(SELECT count(*) FROM pg_stat_replication)",
			"pg_stat_get_tuples_updated('t'::regclass)",
		}),
			"SELECT last_value, log_cnt, is_called FROM s", `SELECT "last_value" FROM "s"`, "SELECT * FROM pg_sequences", "TABLE pg_catalog.pg_prepared_xacts",
			"SELECT * FROM pg_prepared_xact()", "SELECT * FROM pg_replication_slots", "SELECT * FROM pg_get_replication_slots()", "SELECT * FROM pg_stat_activity",
			`SELECT "a"."pid" FROM "pg_stat_activity" AS "a"`, "SELECT * FROM pg_stat_replication", "SELECT * FROM pg_stat_user_tables", "SELECT * FROM pg_stat_get_activity(NULL)",
			"SELECT * FROM pg_stat_database", "SELECT * FROM pg_stat_wal", "SELECT * FROM pg_stat_io",
			"SELECT * FROM pg_locks", "SELECT * FROM pg_lock_status()", "SELECT * FROM pg_file_settings", "SELECT pg_read_file('postmaster.pid')",
		),
		needy: slices.Concat(locks, calls, writes),
		cautious: map[string]string{
			"SELECT t.nextval FROM (SELECT 1 AS nextval) AS t":                "a column, which may be a function that is called with t",
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
