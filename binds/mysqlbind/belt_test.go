package mysqlbind

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestJudge(t *testing.T) {
	for reason, row := range map[string]struct {
		query string
		want  verdict
	}{
		"a query":                          {"SELECT 1", harmless},
		"in lower case":                    {"select 1", harmless},
		"in parentheses":                   {"((SELECT 1) UNION (SELECT 2))", harmless},
		"after comments":                   {"/* a */ -- b\n# c\n SELECT 1", harmless},
		"the words as text":                {"SELECT 'START TRANSACTION READ WRITE', tx_read_only FROM t", harmless},
		"WITH":                             {"WITH x AS (SELECT 1) SELECT * FROM x", harmless},
		"VALUES":                           {"VALUES (1), (2)", harmless},
		"SHOW":                             {"SHOW TABLES", harmless},
		"a write is the server's business": {"INSERT INTO t VALUES (1)", harmless},
		"SAVEPOINT":                        {"SAVEPOINT a", harmless},
		"ROLLBACK TO":                      {"ROLLBACK TO SAVEPOINT a", harmless},
		"COMMIT":                           {"COMMIT", harmless},
		"ANALYZE of a query":               {"ANALYZE FORMAT=JSON SELECT 1", harmless},
		"SET STATEMENT for a query":        {"SET STATEMENT max_statement_time=1 FOR SELECT 1", harmless},
		"two dashes are no comment":        {"SELECT 1--1", harmless},

		"nothing":                       {"", doubt},
		"only a comment":                {"-- SELECT 1", doubt},
		"a comment without end":         {"/* SELECT 1", doubt},
		"a transaction by its text":     {"START TRANSACTION", doubt},
		"read-only":                     {"START TRANSACTION READ ONLY", doubt},
		"BEGIN":                         {"BEGIN", doubt},
		"AND CHAIN":                     {"COMMIT AND CHAIN", doubt},
		"a setting":                     {"SET @x = 1", doubt},
		"a setting that says read only": {"SET SESSION TRANSACTION READ ONLY", doubt},
		"CALL":                          {"CALL report()", doubt},
		"DO":                            {"DO 1", doubt},
		"USE":                           {"USE other", doubt},
		"an unknown word":               {"FROBNICATE", doubt},
		"SET STATEMENT for a CALL":      {"SET STATEMENT max_statement_time=1 FOR CALL p()", doubt},
		"SET STATEMENT without end":     {"SET STATEMENT max_statement_time=1", doubt},
		"a word that begins like one":   {"SELECTED", doubt},
		"a keyword that is quoted":      {"`SELECT` 1", doubt},

		"READ WRITE":                     {"START TRANSACTION READ WRITE", refuse},
		"behind another clause":          {"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE", refuse},
		"with blanks":                    {"\tstart\ntransaction\r\nread  write", refuse},
		"with comments":                  {"START/**/TRANSACTION READ-- x\nWRITE", refuse},
		"in an executable comment":       {"/*!50700 START TRANSACTION READ WRITE */", refuse},
		"half in one":                    {"START TRANSACTION /*!50700 READ */ WRITE", refuse},
		"in MariaDB's":                   {"/*M!100100 SET TRANSACTION READ WRITE */", refuse},
		"behind SELECT of MySQL only":    {"/*M! SET*/ TRANSACTION READ WRITE", refuse},
		"the next transaction":           {"SET TRANSACTION READ WRITE", refuse},
		"all transactions":               {"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE", refuse},
		"of all sessions":                {"SET GLOBAL TRANSACTION READ WRITE", refuse},
		"MariaDB's variable":             {"SET tx_read_only=0", refuse},
		"MySQL's variable":               {"SET @@session.transaction_read_only := OFF", refuse},
		"in backticks":                   {"SET `tx_read_only` = 0", refuse},
		"behind a hash in a text":        {"SET @a = '#', tx_read_only = 0", refuse},
		"behind an escaped quote":        {`SET @a = 'it\'s', tx_read_only = 0`, refuse},
		"behind a doubled quote":         {`SET @a = 'it''s', tx_read_only = 0`, refuse},
		"a backslash in backticks":       {"SET `a\\`=1, tx_read_only = 0", refuse},
		"in a text to prepare":           {"PREPARE s FROM 'SET SESSION tx_read_only = 0'", refuse},
		"in a text to run":               {`EXECUTE IMMEDIATE "START TRANSACTION READ WRITE"`, refuse},
		"in a variable":                  {"SET @s = 'START TRANSACTION READ WRITE'", refuse},
		"in a block":                     {"BEGIN NOT ATOMIC START TRANSACTION READ WRITE; END", refuse},
		"for one statement":              {"SET STATEMENT tx_read_only=0 FOR INSERT INTO t VALUES (1)", refuse},
		"FLUSH":                          {"FLUSH TABLES", refuse},
		"FLUSH behind a comment":         {"/* a */flush/**/status", refuse},
		"FLUSH for one statement":        {"SET STATEMENT max_statement_time=1 FOR FLUSH TABLES", refuse},
		"ANALYZE TABLE":                  {"ANALYZE TABLE t", refuse},
		"ANALYZE LOCAL TABLE":            {"ANALYZE LOCAL TABLE t", refuse},
		"ANALYZE TABLE behind a comment": {"ANALYZE /*!*/ NO_WRITE_TO_BINLOG TABLE t", refuse},
	} {
		t.Run(reason, func(t *testing.T) {
			what, got := judge(row.query)
			assert.Equal(t, row.want, got)
			assert.Equal(t, row.want == refuse, what != "", "what is refused has a name")
		})
	}
}

func TestJudgeAllocatesNothing(t *testing.T) {
	long := "SELECT " + strings.Repeat("x, ", 1000) + "1"
	for _, q := range []string{long, "/* c */ (SELECT 1)", "SET tx_read_only = 0"} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { judge(q) }), "%.30s", q)
	}
}

// What takes the belt off is refused wherever a comment or a blank may stand.
func FuzzJudge(f *testing.F) {
	f.Add(" ", "/* a */")
	f.Add("\n", "-- x\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		judge(a + b) // does not panic
		gap := "/*" + strings.NewReplacer("*", "", "!", "", "M", "").Replace(a) + "*/ "
		for _, q := range []string{
			gap + "START" + gap + "TRANSACTION" + gap + "READ" + gap + "WRITE",
			gap + "SET" + gap + "tx_read_only" + gap + "= 0",
			gap + "FLUSH " + b,
		} {
			if _, v := judge(q); v != refuse {
				t.Errorf("%q is not refused", q)
			}
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		judge("SELECT `u`.`id`, `u`.`name` FROM `users` AS `u` WHERE (`u`.`id` = 42)")
	}
}
