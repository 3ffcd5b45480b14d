package sqlkind_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// A temporary table hides the table of the same name, a named lock is used, a file was written.
const mariadbProbe = `
SELECT CONCAT_WS(' | ', @@last_insert_id, @sqlkind, IS_USED_LOCK('sqlkind') = CONNECTION_ID(), @@sql_mode, @@autocommit, @@tx_isolation, @@tx_read_only,
  @@character_set_client, @@time_zone, @@max_statement_time, @@insert_id, DATABASE(), @@global.gtid_binlog_pos, @@profiling,
  (SELECT GROUP_CONCAT(hidden) FROM app.hidden), LOAD_FILE(CONCAT(@@datadir, 'app/sqlkind.txt')))`

func TestMariaDBIsTheJudge(t *testing.T) {
	teston.Only(t, teston.MariaDB)
	reader := mysqlReader(t, teston.MariaDB, []string{
		"CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b VARCHAR(20), `update` INT, `share` INT) ENGINE=InnoDB",
		"INSERT INTO t SELECT seq, seq, CONCAT('b', seq), seq, seq FROM seq_1_to_20",
		"CREATE TABLE h (id INT AUTO_INCREMENT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
		"CREATE TABLE hidden (hidden INT)", "INSERT INTO hidden VALUES (1)",
		"CREATE SEQUENCE s", "CREATE VIEW v AS SELECT id, a FROM t",
	})
	j := &judge{dialect: dialect.MySQL, db: openMySQL(t, reader.URI()), probe: mariadbProbe, refused: refusedByMySQL}
	j.hear(t, mariadbCases())
	t.Run("locks of rows", func(t *testing.T) { rowLocks(t, reader) })
}

// rowLocks shows that LOCK IN SHARE MODE, which a replica allows, locks there, and that a plain read does not.
func rowLocks(t *testing.T, reader *integration.Server) {
	locks := func() string {
		const query = "SELECT COALESCE(SUM(trx_rows_locked), 0) > 0 FROM information_schema.innodb_trx, (SELECT SLEEP(0.11)) AS s"
		var n string
		for range 2 { // the server keeps what it told for a tenth of a second
			var err error
			n, err = reader.QueryString(t.Context(), query)
			require.NoError(t, err)
		}
		return n
	}
	lockingReads(t, reader, locks, map[string]bool{
		"SELECT * FROM t LOCK IN SHARE MODE":                                  true,
		"SELECT * FROM (SELECT * FROM t LOCK/* x */IN # y\n SHARE MODE) AS s": true,
		"SELECT * FROM t": false,
	})
}

func mariadbCases() cases {
	locks := spread([]string{
		"SELECT * FROM t %s",
		"SELECT * FROM t WHERE id = 1 ORDER BY id LIMIT 1 %s",
		"SELECT * FROM (SELECT * FROM t %s) AS s",
		"WITH w AS (SELECT * FROM t %s) SELECT * FROM w",
		"(SELECT * FROM t %s)",
		"SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM v %s)",
		"ANALYZE FORMAT=JSON SELECT * FROM t %s",
		"EXPLAIN SELECT * FROM t %s",
	}, []string{"FOR UPDATE", "for update nowait", "FOR /* x */ UPDATE -- y\n SKIP LOCKED", "FOR # x\nUPDATE WAIT 1"})
	calls := spread([]string{
		"SELECT %s",
		"SELECT * FROM (SELECT %s AS a) AS s",
		"WITH w AS (SELECT %s AS a) SELECT * FROM w",
		"SELECT a FROM t WHERE id = 1 AND (%s) IS NOT NULL",
		"(SELECT %s) UNION ALL (SELECT 1)",
		"SELECT IF(1, %s, 0)",
		"DO %s",
		"ANALYZE SELECT %s FROM t WHERE id = 1",
	}, []string{
		"NEXTVAL(s)", "nextval /* ( */ (s)", "NEXT VALUE FOR s", "NEXT VALUE -- x\n FOR s", "SETVAL(s, 100)", "GET_LOCK('sqlkind', 9)",
		"`get_lock`('sqlkind', 9)", "get_lock # x\n ('sqlkind', 9)", "LAST_INSERT_ID(5)", "@sqlkind := 5",
	})
	writes := []string{
		"INSERT INTO t (id) VALUES (99)", "REPLACE INTO t (id) VALUES (1)", "UPDATE t SET a = 1", "DELETE FROM t WHERE 0", "TRUNCATE t",
		"SELECT 5 INTO @sqlkind", "SELECT 5 INTO/**/@sqlkind", "SELECT 5 FROM t LIMIT 1 INTO @sqlkind", "SELECT 'a'INTO @sqlkind", "SELECT 1e5INTO @sqlkind",
		"SELECT 'x' INTO OUTFILE 'sqlkind.txt'", "SET @sqlkind = 1", "SET sql_mode = ''", "SET SESSION TRANSACTION READ ONLY",
		"CREATE TEMPORARY TABLE hidden (hidden INT)", "CREATE TABLE x (id INT)", "DROP TABLE t", "ALTER TABLE t ADD x INT", "CREATE INDEX i ON t (a)", "OPTIMIZE TABLE t",
		"ANALYZE TABLE t", "EXPLAIN INSERT INTO t (id) VALUES (99)", "EXPLAIN UPDATE t SET a = 1", "EXPLAIN FORMAT=JSON DELETE FROM t", "DESC DELETE FROM t",
		"ANALYZE DELETE FROM t", "ANALYZE FORMAT=JSON UPDATE t SET a = 2", "SELECT 1; DELETE FROM t", "SELECT * FROM t /*! FOR UPDATE */", "SELECT * FROM t /*!50000 FOR UPDATE */",
		"SELECT * FROM t /*M!100000 FOR UPDATE */", "SELECT /*!50000 'x' INTO @sqlkind */", "SELECT '\\'', NEXTVAL(s), '\\''", "SELECT \"\\\"\", NEXTVAL(s)", "SELECT 1--1, NEXTVAL(s)",
		"SELECT `a` FROM t FOR UPDATE", "SELECT 1 -- '\n, NEXTVAL(s) -- '", "SELECT 1 # '\n, NEXTVAL(s)", "SELECT 1 /* /* */, NEXTVAL(s) /* */", "USE information_schema",
		"SELECT @sqlkind := 1, @@version",
	}
	return cases{
		harmless: append(spread([]string{
			"SELECT %s",
			"SELECT %s FROM t WHERE id = 1",
			"SELECT * FROM (SELECT %s AS a) AS s",
			"WITH w AS (SELECT %s AS a) SELECT * FROM w",
			"(SELECT %s) UNION ALL (SELECT 1) ORDER BY 1",
			"ANALYZE FORMAT=JSON SELECT %s FROM t WHERE id = 1",
			"/* FOR UPDATE */ SELECT %s -- ; DELETE FROM t",
		}, []string{
			"1", "'FOR UPDATE; DELETE FROM t'", `'it\'s INTO @x'`, `"FOR UPDATE"`, "SUBSTRING('abc' FROM 1 FOR 2)", "INSERT('abc', 1, 1, 'x')", "REPLACE('a', 'a', 'b')",
			"RAND()", "MD5(UUID())", "NOW()", "CONNECTION_ID()", "VERSION()", "@@version", "@@global.read_only", "@@session.sql_mode", "SLEEP(0)", "1 IN (1, 2)", "COALESCE(NULL, 1)",
			"(SELECT COUNT(*) FROM t)", "EXISTS (SELECT 1 FROM v)", "_utf8mb4'a'", "x'61'", "{d '2020-01-01'}", "JSON_VALUE('{\"a\": 1}', '$.a')", "1--1", "1.5e3", "CAST('1' AS INT)",
		}),
			"VALUES (1), (2)", "SHOW TABLES", "SHOW FULL COLUMNS FROM t", "SHOW CREATE TABLE t", "SHOW VARIABLES LIKE 'a%'", "SHOW STATUS LIKE 'a%'", "SHOW INDEX FROM t", "SHOW PROCESSLIST",
			"SHOW DATABASES", "SHOW TABLE STATUS", "SHOW COLLATION", "SHOW ENGINES", "SHOW GRANTS", "SHOW TRIGGERS", "DESCRIBE t", "DESC t 'a%'", "DESC `t` `a`", "EXPLAIN t",
			"EXPLAIN SELECT * FROM t", "EXPLAIN EXTENDED SELECT 1", "EXPLAIN FORMAT=JSON SELECT * FROM t", "ANALYZE SELECT * FROM t", "SELECT `update`, t.share, t.update FROM t", "SELECT share FROM t",
			"SELECT a AS nextval FROM t", "SELECT /*!40001 SQL_NO_CACHE */ * FROM t", "SELECT STRAIGHT_JOIN t.id FROM t, v WHERE t.id = v.id", "SELECT /*+ NO_RANGE_OPTIMIZATION(t) */ 1",
			"SELECT * FROM h FOR SYSTEM_TIME ALL", "SELECT * FROM h FOR SYSTEM_TIME AS OF NOW()", "SELECT * FROM t USE INDEX FOR ORDER BY (PRIMARY)", "SELECT * FROM t IGNORE KEY FOR GROUP BY (PRIMARY)",
			"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
			"WITH RECURSIVE r AS (SELECT 1 AS n, 2 AS m UNION ALL SELECT n, m FROM r) CYCLE n, m RESTRICT SELECT * FROM r",
			"SELECT SUM(a) OVER w FROM t WINDOW w AS (PARTITION BY b)", "SELECT a, COUNT(*) FROM t GROUP BY a WITH ROLLUP", "SELECT * FROM t LIMIT 1 OFFSET 1",
			"SELECT * FROM information_schema.tables LIMIT 1", "SELECT * FROM s", "SELECT 1; SELECT 2", "(SELECT 1) UNION (SELECT 2) LIMIT 1", "SELECT * FROM t PROCEDURE ANALYSE()", `SELECT \N`,
		),
		needy: slices.Concat(locks, calls, writes),
		cautious: map[string]string{
			"SELECT @other":                                   "a user's variable is a session's state",
			"SELECT @@last_insert_id":                         "what the session inserted",
			"SELECT LAST_INSERT_ID()":                         "what the session inserted",
			"SELECT FOUND_ROWS()":                             "what the session selected",
			"SELECT ROW_COUNT()":                              "what the session changed",
			"SELECT SQL_CALC_FOUND_ROWS * FROM t":             "for FOUND_ROWS in the same session",
			"SELECT LASTVAL(s)":                               "what the session took from a sequence",
			"SELECT PREVIOUS VALUE FOR s":                     "what the session took from a sequence",
			"SELECT IS_FREE_LOCK('sqlkind')":                  "locks are the writer's",
			"SELECT RELEASE_LOCK('sqlkind')":                  "locks are the writer's",
			"SELECT MASTER_GTID_WAIT('0-1-1', 0)":             "one certain server",
			"SELECT LOAD_FILE('/none')":                       "files of that server",
			"SELECT * FROM t LOCK IN SHARE MODE":              "a lock, though it ends with the statement",
			"SHOW WARNINGS":                                   "what the session did before",
			"SHOW PROFILES":                                   "what the session did before",
			"SELECT /*! 1 + */ 1":                             "code to some versions",
			"SELECT \"a\\\"b\"":                               "what ANSI_QUOTES would end sooner",
			"SET STATEMENT max_statement_time=1 FOR SELECT 1": "a setting",
			"CHECKSUM TABLE t":                                "a verb that is seldom used",
			"CHECK TABLE t":                                   "maintenance",
			"HELP 'select'":                                   "a verb that is seldom used",
			"EXECUTE IMMEDIATE 'SELECT 1'":                    "what it does is in a string",
			"START TRANSACTION READ ONLY":                     "a transaction is a session's",
			"HANDLER t OPEN":                                  "a handler is a session's",
			"XA RECOVER":                                      "a transaction's verb",
			"SELECT s.nextval":                                "a sequence to sql_mode=ORACLE, an unknown column here",
		},
	}
}
