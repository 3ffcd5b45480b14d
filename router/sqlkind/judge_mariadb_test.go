package sqlkind_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

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
	reader, primary := mysqlReader(t, teston.MariaDB, []string{
		"CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b VARCHAR(20), `update` INT, `share` INT) ENGINE=InnoDB",
		"INSERT INTO t SELECT seq, seq, CONCAT('b', seq), seq, seq FROM seq_1_to_20",
		"CREATE TABLE h (id INT AUTO_INCREMENT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
		"CREATE TABLE hidden (hidden INT)", "INSERT INTO hidden VALUES (1)",
		"CREATE SEQUENCE s", "CREATE VIEW v AS SELECT id, a FROM t",
	})
	j, admin := familyJudges(t, reader, primary, mariadbProbe, explained{"ANALYZE": "how long it took"})
	c := mariadbCases()
	j.hear(t, c)
	t.Run("local", func(t *testing.T) { admin.disagree(t, c.local) })
	t.Run("tables", func(t *testing.T) { tablesAgree(t, admin) })
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
	locks := spread(slices.Concat(familyLockPlaces, []string{
		"SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM v %s)", "ANALYZE FORMAT=JSON SELECT * FROM t %s", "EXPLAIN SELECT * FROM t %s",
	}), slices.Concat(familyLocks, []string{
		"FOR # x\nUPDATE WAIT 1",
	}))
	calls := spread(slices.Concat(familyCallPlaces, []string{
		"ANALYZE SELECT %s FROM t WHERE id = 1",
	}), slices.Concat(familyCalls, []string{
		"NEXTVAL(s)", "nextval /* ( */ (s)", "NEXT VALUE FOR s", "NEXT VALUE -- x\n FOR s", "SETVAL(s, 100)",
	}))
	values := spread(slices.Concat(familyValuePlaces, []string{
		"ANALYZE FORMAT=JSON SELECT %s FROM t WHERE id = 1",
	}), slices.Concat(familyValues, []string{
		"MD5(UUID())", "CAST('1' AS INT)",
	}))
	writes := slices.Concat(familyWrites, []string{
		"OPTIMIZE TABLE t", "ANALYZE TABLE t", "ANALYZE DELETE FROM t", "ANALYZE FORMAT=JSON UPDATE t SET a = 2", "SELECT * FROM t /*M!100000 FOR UPDATE */",
		"SELECT '\\'', NEXTVAL(s), '\\''", "SELECT \"\\\"\", NEXTVAL(s)", "SELECT 1--1, NEXTVAL(s)", "SELECT 1 -- '\n, NEXTVAL(s) -- '",
		"SELECT 1 # '\n, NEXTVAL(s)", "SELECT 1 /* /* */, NEXTVAL(s) /* */",
	})
	harmless := slices.Concat(familyHarmless, []string{
		"VALUES (1), (2)", "EXPLAIN EXTENDED SELECT 1", "ANALYZE SELECT * FROM t", "SELECT * FROM h FOR SYSTEM_TIME ALL",
		"SELECT * FROM h FOR SYSTEM_TIME AS OF NOW()",
		"WITH RECURSIVE r AS (SELECT 1 AS n, 2 AS m UNION ALL SELECT n, m FROM r) CYCLE n, m RESTRICT SELECT * FROM r", "SELECT * FROM s",
		"SELECT * FROM t PROCEDURE ANALYSE()", `SELECT \N`,
	})
	cautious := map[string]string{
		"SELECT LASTVAL(s)":                               "what the session took from a sequence",
		"SELECT PREVIOUS VALUE FOR s":                     "what the session took from a sequence",
		"SELECT MASTER_GTID_WAIT('0-1-1', 0)":             "one certain server, the writer unless a reader is asked",
		"SET STATEMENT max_statement_time=1 FOR SELECT 1": "a setting",
		"EXECUTE IMMEDIATE 'SELECT 1'":                    "what it does is in a string",
		"XA RECOVER":                                      "a transaction's verb",
		"SELECT s.nextval":                                "a sequence to sql_mode=ORACLE, an unknown column here",
	}
	maps.Copy(cautious, familyCautious)
	local := slices.Concat(familyLocal, []string{
		"SHOW MASTER STATUS", "SHOW SLAVE HOSTS", "SHOW BINLOG EVENTS", "SELECT * FROM mysql.event",
	})
	return cases{harmless: slices.Concat(values, harmless), local: local, needy: slices.Concat(locks, calls, writes), cautious: cautious}
}
