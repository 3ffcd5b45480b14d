package sqlkind_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// As mariadbProbe, by MySQL's names.
const mysqlProbe = `
SELECT CONCAT_WS(' | ', @@last_insert_id, @sqlkind, IS_USED_LOCK('sqlkind') = CONNECTION_ID(), @@sql_mode, @@autocommit, @@transaction_isolation, @@transaction_read_only,
  @@character_set_client, @@time_zone, @@max_execution_time, @@insert_id, DATABASE(), @@global.gtid_executed, @@profiling, @@sort_buffer_size,
  (SELECT GROUP_CONCAT(hidden) FROM app.hidden), LOAD_FILE(CONCAT(@@datadir, 'app/sqlkind.txt')), LOAD_FILE(CONCAT(@@datadir, 'app/table.txt')))`

// TestMySQLIsTheJudge asks a replica that is super_read_only, as an ordinary user.
func TestMySQLIsTheJudge(t *testing.T) {
	teston.Only(t, teston.MySQL)
	reader, primary := mysqlReader(t, teston.MySQL, []string{
		"CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b VARCHAR(20), `update` INT, `share` INT, j JSON) ENGINE=InnoDB",
		"INSERT INTO t (id, a, b, `update`, `share`) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT i, i, CONCAT('b', i), i, i FROM n",
		"CREATE TABLE hidden (hidden INT)", "INSERT INTO hidden VALUES (1)",
		"CREATE VIEW v AS SELECT id, a FROM t",
		"CREATE JSON RELATIONAL DUALITY VIEW d AS SELECT JSON_DUALITY_OBJECT(WITH (INSERT, UPDATE, DELETE) '_id': id, 'a': a, 'b': b) FROM t",
	})
	j, admin := familyJudges(t, reader, primary, mysqlProbe, explained{
		"EXPLAIN ANALYZE": "how long it took", "RANDOM_BYTES": "another answer each time", "PS_CURRENT_THREAD_ID()": "which session it is",
	})
	c := mysqlCases()
	j.hear(t, c)
	t.Run("local", func(t *testing.T) { admin.disagree(t, c.local) })
	t.Run("tables", func(t *testing.T) { tablesAgree(t, admin) })
	t.Run("functions beside the native ones", func(t *testing.T) { loadedFunctions(t, reader) })
	t.Run("locks of rows", func(t *testing.T) {
		locks := func() string {
			n, err := reader.QueryString(t.Context(), "SELECT COUNT(*) > 0 FROM performance_schema.data_locks WHERE LOCK_TYPE = 'RECORD'")
			require.NoError(t, err)
			return n
		}
		lockingReads(t, reader, locks, map[string]bool{
			"SELECT * FROM t FOR SHARE":                                           true,
			"SELECT * FROM t FOR /* x */ SHARE OF t SKIP LOCKED":                  true,
			"SELECT * FROM (SELECT * FROM t FOR SHARE NOWAIT) AS s":               true,
			"SELECT * FROM t LOCK IN SHARE MODE":                                  true,
			"SELECT * FROM (SELECT * FROM t LOCK/* x */IN # y\n SHARE MODE) AS s": true,
			"WITH w AS (SELECT * FROM t FOR SHARE) SELECT * FROM w":               true,
			"SELECT * FROM t":          false,
			"TABLE t":                  false,
			"SELECT a AS share FROM t": false,
			"SELECT * FROM d":          false,
		})
	})
}

// loadedFunctions asks the server for the functions that its components bring. All of them do something to the server.
func loadedFunctions(t *testing.T, reader *integration.Server) {
	names, err := reader.QueryString(t.Context(), "SELECT GROUP_CONCAT(UDF_NAME) FROM performance_schema.user_defined_functions")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for name := range strings.SplitSeq(names, ",") {
		assert.Equal(t, write, sqlkind.Of(dialect.MySQL, "SELECT "+name+"()"), name)
	}
}

func mysqlCases() cases {
	locks := spread(slices.Concat(familyLockPlaces, []string{
		"SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM t %s)", "EXPLAIN FORMAT=JSON INTO @sqlkind SELECT * FROM t %s",
	}), slices.Concat(familyLocks, []string{
		"FOR # x\nUPDATE OF t", "FOR /*!80000 UPDATE */",
	}))
	calls := spread(slices.Concat(familyCallPlaces, []string{
		"VALUES ROW(%s, 1)", "EXPLAIN ANALYZE SELECT * FROM t WHERE id = 1 AND (%s) IS NOT NULL", "SELECT 1 INTERSECT SELECT %s",
	}), familyCalls)
	values := spread(slices.Concat(familyValuePlaces, []string{
		"((SELECT %s))", "VALUES ROW(%s, 2)", "EXPLAIN ANALYZE SELECT %s FROM t WHERE id = 1", "EXPLAIN FORMAT=TREE SELECT %s FROM t WHERE id = 1",
		"SELECT /*+ SET_VAR(sort_buffer_size = 262144) MAX_EXECUTION_TIME(9000) */ %s", "SELECT * FROM t, LATERAL (SELECT %s AS x) AS l WHERE id = 1",
	}), slices.Concat(familyValues, []string{
		"SHA2(UUID(), 256)", "CAST('1' AS SIGNED)", "(TABLE hidden)", "(VALUES ROW(1))", "BIN_TO_UUID(UUID_TO_BIN(UUID()))", "REGEXP_LIKE('a', 'b')",
		"ANY_VALUE(1)", "RANDOM_BYTES(4)", "VECTOR_DIM(STRING_TO_VECTOR('[1,2]'))", "JSON_ARRAY(1) MEMBER OF('[1]')", "UUID_SHORT() > 0",
		"PS_CURRENT_THREAD_ID()", "ROLES_GRAPHML()", "GTID_SUBSET('', 'a6f76fdd-ec32-11f1-921f-02fc00000001:1')",
	}))
	writes := slices.Concat(familyWrites, []string{
		"INSERT INTO t (id) VALUES ROW(99)", "INSERT INTO t (id) TABLE hidden", "WITH w AS (SELECT 1 AS x) UPDATE t, w SET a = x",
		"WITH w AS (SELECT 1 AS x) DELETE FROM t WHERE id IN (SELECT x FROM w)", "INSERT INTO d VALUES ('{\"_id\": 99, \"a\": 1, \"b\": \"x\"}')",
		"UPDATE d SET data = JSON_SET(data, '$.a', 2) WHERE data->'$._id' = 1", "DELETE FROM d WHERE data->'$._id' = 1",
		"SELECT 5 INTO @sqlkind FROM t LIMIT 1", "SELECT a FROM t WHERE id = 1 UNION SELECT 1 INTO @sqlkind", "(SELECT 5) INTO @sqlkind",
		"(SELECT 5 LIMIT 1) INTO @sqlkind", "TABLE hidden INTO @sqlkind", "VALUES ROW(5) INTO @sqlkind",
		"WITH w AS (SELECT 5 AS x) SELECT x FROM w INTO @sqlkind", "TABLE hidden INTO OUTFILE 'table.txt'", "EXPLAIN FORMAT=JSON INTO @sqlkind SELECT 1",
		"EXPLAIN FORMAT = JSON /* x */ INTO @sqlkind SELECT * FROM t", "EXPLAIN FORMAT=JSON INTO @sqlkind FOR SCHEMA app SELECT * FROM t",
		"EXPLAIN FORMAT=JSON INTO @sqlkind DELETE FROM t", "SET sort_buffer_size = 524288",
		"CREATE LIBRARY l LANGUAGE JAVASCRIPT AS 'export function f() { return 1 }'", "DROP LIBRARY IF EXISTS l",
		"CREATE OR REPLACE JSON RELATIONAL DUALITY VIEW d AS SELECT JSON_DUALITY_OBJECT('_id': id) FROM t", "ALTER VIEW v AS SELECT 1",
		"EXPLAIN FORMAT=TREE REPLACE INTO t (id) VALUES (1)", "EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN ANALYZE INSERT INTO t (id) SELECT 99",
		"SELECT * FROM t /*!80000 FOR */ UPDATE", "SELECT '\\'', GET_LOCK('sqlkind', 9), '\\''", "SELECT \"\\\"\", GET_LOCK('sqlkind', 9)",
		"SELECT 1--1, GET_LOCK('sqlkind', 9)", "SELECT 1 -- '\n, GET_LOCK('sqlkind', 9) -- '", "SELECT 1 # '\n, GET_LOCK('sqlkind', 9)",
		"SELECT 1 /* /* */, GET_LOCK('sqlkind', 9) /* */", "((SELECT @sqlkind := 1))", "SELECT _utf8mb4'\\'', @sqlkind := 1, '\\''",
	})
	harmless := slices.Concat(familyHarmless, []string{
		"VALUES ROW(1, 2), ROW(2, 3)", "VALUES ROW(1), ROW(2) ORDER BY 1 LIMIT 1", "TABLE t", "TABLE t ORDER BY id LIMIT 1 OFFSET 1", "(TABLE t)",
		"TABLE t UNION TABLE t", "SHOW EXTENDED COLUMNS FROM t", "SHOW CREATE VIEW d", "SHOW PRIVILEGES", "SHOW LIBRARY STATUS", "SHOW PROCEDURE STATUS",
		"EXPLAIN TABLE t", "EXPLAIN VALUES ROW(1)", "EXPLAIN FORMAT=TREE (SELECT * FROM t)", "EXPLAIN FORMAT=TRADITIONAL SELECT 1",
		"EXPLAIN ANALYZE SELECT * FROM t", "EXPLAIN ANALYZE FORMAT=TREE SELECT * FROM t", "EXPLAIN WITH w AS (SELECT 1) SELECT * FROM w", "DESC SELECT 1",
		"SELECT 1 INTERSECT SELECT 1", "SELECT 1 EXCEPT SELECT 2", "(SELECT 1 LIMIT 1) INTERSECT (SELECT 1) LIMIT 1",
		"SELECT a, COUNT(*) FROM t GROUP BY ROLLUP (a)", "SELECT * FROM d", "SELECT data->'$.a' FROM d WHERE data->'$._id' = 1",
		"SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (x INT PATH '$')) AS j", "SELECT j->>'$.a' FROM t", "SELECT * FROM information_schema.view_table_usage",
		"SELECT JSON_ARRAYAGG(a) FROM t",
	})
	cautious := map[string]string{
		"SELECT WAIT_FOR_EXECUTED_GTID_SET('', 1)":                   "one certain server",
		"SELECT * FROM t FOR SHARE":                                  "a lock, though it ends with the statement",
		"SELECT * FROM t FOR SHARE OF t NOWAIT":                      "a lock, though it ends with the statement",
		"SHOW COUNT(*) ERRORS":                                       "what the session did before",
		"EXPLAIN INTO @x SELECT 1":                                   "a variable, which no server takes without FORMAT=JSON",
		"IMPORT TABLE FROM 'x.sdi'":                                  "a write, whose file is looked for first",
		"EXPLAIN SELECT * FROM t FOR UPDATE":                         "a lock, which is only explained",
		"EXPLAIN FORMAT=TREE SELECT * FROM t FOR UPDATE OF t NOWAIT": "a lock, which is only explained",
		"EXPLAIN ANALYZE SELECT * FROM t FOR UPDATE":                 "a lock, which the server does not take here",
		"SELECT /*+ QB_NAME(`x`) */ 1":                               "a quote in a hint",
		"EXPLAIN FOR CONNECTION 999999":                              "a connection is one server's",
		"EXPLAIN FOR SCHEMA app SELECT * FROM t":                     "an option that is seldom used",
		"LOCK INSTANCE FOR BACKUP":                                   "a lock is a session's",
		"PREPARE s FROM 'SELECT 1'":                                  "what it does is in a string",
		"RESET PERSIST IF EXISTS sort_buffer_size":                   "a setting",
	}
	maps.Copy(cautious, familyCautious)
	local := slices.Concat(familyLocal, []string{
		"SHOW BINARY LOG STATUS", "SHOW REPLICAS", "SELECT * FROM performance_schema.processlist", "SELECT * FROM `performance_schema`.`global_status`",
		"SELECT * FROM sys.processlist", "SELECT * FROM mysql.gtid_executed",
	})
	return cases{harmless: slices.Concat(values, harmless), local: local, needy: slices.Concat(locks, calls, writes), cautious: cautious}
}
