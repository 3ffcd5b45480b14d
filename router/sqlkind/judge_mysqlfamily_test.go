package sqlkind_test

import (
	"database/sql"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// mysqlReader is a replica, and its primary, on which the statements have run. Its ordinary user may write files.
func mysqlReader(t *testing.T, product string, statements []string) (reader, primary *integration.Server) {
	t.Helper()
	cluster := teston.Start(t, product, 1)
	ctx := t.Context()
	for _, statement := range slices.Concat(statements, familyState) {
		require.NoError(t, cluster.Primary.Exec(ctx, statement), statement)
	}
	require.NoError(t, cluster.WaitReplayed(ctx))
	reader = cluster.Replicas[0]
	user, err := url.Parse(reader.URI())
	require.NoError(t, err)
	host, err := reader.QueryString(ctx, "SELECT host FROM mysql.user WHERE user = '"+user.User.Username()+"'")
	require.NoError(t, err)
	grant(t, product, reader, user.User.Username(), host)
	return reader, cluster.Primary
}

// familyState is what a replica is not told, or has otherwise: numbers that were given out and rolled back, an event.
var familyState = []string{
	"CREATE TABLE numbers (id INT AUTO_INCREMENT PRIMARY KEY, a INT, KEY (a))", "INSERT INTO numbers (a) VALUES (1), (2)",
	"START TRANSACTION; INSERT INTO numbers (a) VALUES (3), (4); ROLLBACK", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
}

// familyJudges are a judge that asks as the ordinary user, and one that asks as the administrator.
func familyJudges(t *testing.T, reader, primary *integration.Server, probe string, more explained) (j, admin *judge) {
	t.Helper()
	differs := maps.Clone(familyDiffers)
	maps.Copy(differs, more)
	j = &judge{
		dialect: dialect.MySQL, db: openMySQL(t, reader.URI()), primary: openMySQL(t, primary.URI()), probe: probe,
		refused: refusedByMySQL, differs: differs,
	}
	a := *j
	a.db, a.primary, a.differs = openMySQL(t, reader.AdminURI()), openMySQL(t, primary.AdminURI()), familyTablesDiffer
	return j, &a
}

// tablesAgree compares all tables of the servers' own schemas.
func tablesAgree(t *testing.T, j *judge) {
	rows, err := j.primary.QueryContext(t.Context(), `SELECT CONCAT(table_schema, '.', table_name) AS name FROM information_schema.tables
		WHERE table_schema IN ('information_schema', 'performance_schema', 'sys', 'mysql')`)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	var names []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	t.Logf("of %d tables %d agree; the others are local or explained", len(names), j.agree(t, names, func(name string) string {
		schema, table, _ := strings.Cut(name, ".")
		return "SELECT * FROM `" + schema + "`.`" + table + "`"
	}))
}

// grant lets the ordinary user write files on this server alone. Under super_read_only nobody may, not even there.
func grant(t *testing.T, product string, reader *integration.Server, user, host string) {
	t.Helper()
	conn, err := openMySQL(t, reader.AdminURI()).Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }() // its work is done
	statements := []string{"SET sql_log_bin = 0", "GRANT FILE ON *.* TO '" + user + "'@'" + host + "'"}
	if product == teston.MySQL {
		statements = append(append([]string{"SET GLOBAL super_read_only = 0"}, statements...), "SET GLOBAL super_read_only = 1")
	}
	for _, statement := range statements {
		run(t, t.Context(), conn, statement)
	}
}

func openMySQL(t *testing.T, uri string) *sql.DB {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	cfg.MultiStatements = true
	connector, err := mysql.NewConnector(cfg)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() }) // its connections are closed one by one
	return db
}

func refusedByMySQL(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1290 || e.Number == 1792)
}

// lockingReads runs reads in transactions and looks by locks whether they hold rows, which only a writer should.
func lockingReads(t *testing.T, reader *integration.Server, locks func() string, queries map[string]bool) {
	t.Helper()
	ctx := t.Context()
	for query, locked := range queries {
		conn, err := openMySQL(t, reader.URI()).Conn(ctx)
		require.NoError(t, err)
		run(t, ctx, conn, "START TRANSACTION")
		_, err = drain(ctx, conn, query)
		require.NoError(t, err)
		assert.Equal(t, locked, locks() == "1", query)
		assert.Equal(t, locked, sqlkind.Of(dialect.MySQL, query) == write, query)
		run(t, ctx, conn, "ROLLBACK")
		require.NoError(t, conn.Close())
	}
}

// What both products know. Each product's own file adds what it alone knows.
var (
	// where a locking clause goes
	familyLockPlaces = []string{
		"SELECT * FROM t %s", "SELECT * FROM t WHERE id = 1 ORDER BY id LIMIT 1 %s", "SELECT * FROM (SELECT * FROM t %s) AS s",
		"WITH w AS (SELECT * FROM t %s) SELECT * FROM w", "(SELECT * FROM t %s)",
	}
	// locking clauses
	familyLocks = []string{
		"FOR UPDATE", "for update nowait", "FOR /* x */ UPDATE -- y\n SKIP LOCKED",
	}
	// where a call goes that does something
	familyCallPlaces = []string{
		"SELECT %s", "SELECT * FROM (SELECT %s AS a) AS s", "WITH w AS (SELECT %s AS a) SELECT * FROM w",
		"SELECT a FROM t WHERE id = 1 AND (%s) IS NOT NULL", "(SELECT %s) UNION ALL (SELECT 1)", "SELECT IF(1, %s, 0)", "DO %s",
	}
	// such calls
	familyCalls = []string{
		"GET_LOCK('sqlkind', 9)", "`get_lock`('sqlkind', 9)", "get_lock # x\n ('sqlkind', 9)", "LAST_INSERT_ID(5)", "@sqlkind := 5",
	}
	// statements that need the writer
	familyWrites = []string{
		"INSERT INTO t (id) VALUES (99)", "REPLACE INTO t (id) VALUES (1)", "UPDATE t SET a = 1", "DELETE FROM t WHERE 0", "TRUNCATE t",
		"SELECT 5 INTO @sqlkind", "SELECT 5 INTO/**/@sqlkind", "SELECT 5 FROM t LIMIT 1 INTO @sqlkind", "SELECT 'a'INTO @sqlkind", "SELECT 1e5INTO @sqlkind",
		"SELECT 'x' INTO OUTFILE 'sqlkind.txt'", "SET @sqlkind = 1", "SET sql_mode = ''", "SET SESSION TRANSACTION READ ONLY", "USE information_schema",
		"CREATE TABLE x (id INT)", "DROP TABLE t", "ALTER TABLE t ADD x INT", "CREATE INDEX i ON t (a)", "EXPLAIN INSERT INTO t (id) VALUES (99)",
		"EXPLAIN UPDATE t SET a = 1", "EXPLAIN FORMAT=JSON DELETE FROM t", "DESC DELETE FROM t", "SELECT 1; DELETE FROM t",
		"SELECT * FROM t /*! FOR UPDATE */", "SELECT * FROM t /*!50000 FOR UPDATE */", "SELECT /*!50000 'x' INTO @sqlkind */",
		"SELECT `a` FROM t FOR UPDATE", "SELECT @sqlkind := 1, @@version", "CREATE TEMPORARY TABLE hidden (hidden INT)",
	}
	// where a value goes
	familyValuePlaces = []string{
		"SELECT %s", "SELECT %s FROM t WHERE id = 1", "SELECT * FROM (SELECT %s AS a) AS s", "WITH w AS (SELECT %s AS a) SELECT * FROM w",
		"(SELECT %s) UNION ALL (SELECT 1) ORDER BY 1", "/* FOR UPDATE */ SELECT %s -- ; DELETE FROM t",
	}
	// values that a reader may compute
	familyValues = []string{
		"1", "'FOR UPDATE; DELETE FROM t'", `'it\'s INTO @x'`, `"FOR UPDATE"`, "SUBSTRING('abc' FROM 1 FOR 2)", "INSERT('abc', 1, 1, 'x')",
		"REPLACE('a', 'a', 'b')", "RAND()", "NOW(6)", "CONNECTION_ID()", "VERSION()", "@@version", "@@global.read_only", "@@session.sql_mode", "SLEEP(0)",
		"1 IN (1, 2)", "COALESCE(NULL, 1)", "(SELECT COUNT(*) FROM t)", "EXISTS (SELECT 1 FROM v)", "_utf8mb4'a'", "x'61'", "{d '2020-01-01'}",
		"JSON_VALUE('{\"a\": 1}', '$.a')", "1--1", "1.5e3",
	}
	// statements that a reader may run
	familyHarmless = []string{
		"SHOW TABLES", "SHOW FULL COLUMNS FROM t", "SHOW VARIABLES LIKE 'server_id'", "SHOW CREATE VIEW v", "SHOW FULL TABLES",
		"SHOW DATABASES", "SHOW COLLATION", "SHOW ENGINES", "SHOW GRANTS", "SHOW TRIGGERS", "DESCRIBE t",
		"DESC t 'a%'", "DESC `t` `a`", "EXPLAIN t", "EXPLAIN SELECT * FROM t", "EXPLAIN FORMAT=JSON SELECT * FROM t",
		"SELECT `update`, t.share, t.update FROM t", "SELECT share FROM t", "SELECT a AS nextval FROM t", "SELECT /*!40001 SQL_NO_CACHE */ * FROM t",
		"SELECT STRAIGHT_JOIN t.id FROM t, v WHERE t.id = v.id", "SELECT /*+ NO_RANGE_OPTIMIZATION(t) */ 1",
		"SELECT * FROM t USE INDEX FOR ORDER BY (PRIMARY)", "SELECT * FROM t IGNORE KEY FOR GROUP BY (PRIMARY)",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
		"SELECT SUM(a) OVER w FROM t WINDOW w AS (PARTITION BY b)", "SELECT a, COUNT(*) FROM t GROUP BY a WITH ROLLUP", "SELECT * FROM t LIMIT 1 OFFSET 1",
		"SELECT * FROM information_schema.columns WHERE table_name = 't'", "SELECT 1; SELECT 2", "(SELECT 1) UNION (SELECT 2) LIMIT 1",
	}
	// what each server has for itself
	familyLocal = []string{
		"SHOW CREATE TABLE numbers", "SHOW TABLE STATUS LIKE 'numbers'", "SHOW STATUS", "SHOW GLOBAL STATUS", "SHOW PROCESSLIST", "SHOW FULL PROCESSLIST",
		"SHOW EVENTS", "SHOW CREATE EVENT e", "SHOW ENGINE InnoDB STATUS", "SHOW BINARY LOGS",
		"SELECT AUTO_INCREMENT FROM information_schema.tables WHERE table_name = 'numbers'",
		"SELECT `t`.`AUTO_INCREMENT` FROM `INFORMATION_SCHEMA` . /* x */ `TABLES` AS t WHERE t.TABLE_NAME = 'numbers'",
		"SELECT * FROM (SELECT * FROM information_schema.processlist) AS s", "SELECT status FROM information_schema.events WHERE event_name = 'e'",
		"SELECT * FROM sys.schema_auto_increment_columns",
	}
	// the harmless statements to which a replica has another answer than its primary
	familyDiffers = explained{
		"RAND()":          "another answer each time",
		"UUID()":          "another answer each time",
		"NOW(6)":          "a clock",
		"CONNECTION_ID()": "which session it is",
		"read_only":       "which server it is",
		"SHOW VARIABLES":  "the server's configuration",
		"SHOW GRANTS":     "accounts, which this test has made unequal",
	}
	// the tables that may differ for such a reason
	familyTablesDiffer = func() explained {
		e := make(explained)
		for reason, names := range map[string]string{
			"the server's configuration": `information_schema.GLOBAL_VARIABLES information_schema.SESSION_VARIABLES information_schema.SYSTEM_VARIABLES`,
			"what only a replica knows": `mysql.gtid_slave_pos mysql.slave_master_info mysql.slave_relay_log_info mysql.slave_worker_info
				performance_schema.replication_applier_configuration performance_schema.replication_applier_status
				performance_schema.replication_applier_status_by_coordinator performance_schema.replication_applier_status_by_worker
				performance_schema.replication_connection_configuration performance_schema.replication_connection_status`,
			"accounts, which this test has made unequal": `information_schema.USER_PRIVILEGES mysql.user mysql.global_priv`,
		} {
			for name := range strings.FieldsSeq(names) {
				e[name] = reason
			}
		}
		return e
	}()
	// by statement, why it is a Write although the reader runs it
	familyCautious = map[string]string{
		"SELECT @other":                       "a user's variable is a session's state",
		"SELECT @@last_insert_id":             "what the session inserted",
		"SELECT LAST_INSERT_ID()":             "what the session inserted",
		"SELECT FOUND_ROWS()":                 "what the session selected",
		"SELECT ROW_COUNT()":                  "what the session changed",
		"SELECT SQL_CALC_FOUND_ROWS * FROM t": "for FOUND_ROWS in the same session",
		"SELECT IS_FREE_LOCK('sqlkind')":      "locks are the writer's, though a reader may be asked for its own",
		"SELECT RELEASE_LOCK('sqlkind')":      "locks are the writer's",
		"SELECT LOAD_FILE('/none')":           "files of that server",
		"SELECT * FROM t LOCK IN SHARE MODE":  "a lock, though it ends with the statement",
		"SHOW WARNINGS":                       "what the session did before",
		"SHOW PROFILES":                       "what the session did before",
		"SELECT /*! 1 + */ 1":                 "code to some versions",
		"SELECT \"a\\\"b\"":                   "what ANSI_QUOTES would end sooner",
		"CHECKSUM TABLE t":                    "a verb that is seldom used",
		"CHECK TABLE t":                       "maintenance",
		"HELP 'select'":                       "a verb that is seldom used",
		"START TRANSACTION READ ONLY":         "a transaction is a session's",
		"HANDLER t OPEN":                      "a handler is a session's",
	}
)
