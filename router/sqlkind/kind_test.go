package sqlkind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

const (
	read  = sqlkind.Read
	write = sqlkind.Write
)

// verdicts is what a statement must be called, by the reason for it.
type verdicts map[string]struct {
	query string
	want  sqlkind.Kind
}

func (vs verdicts) run(t *testing.T, d dialect.Name) {
	t.Helper()
	for reason, v := range vs {
		t.Run(reason, func(t *testing.T) {
			assert.Equal(t, v.want, sqlkind.Of(d, v.query), v.query)
		})
	}
}

var known = []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite}

func TestKindIsPrintable(t *testing.T) {
	var zero sqlkind.Kind
	assert.Equal(t, "write", zero.String())
	assert.Equal(t, "read", read.String())
	assert.Equal(t, "write", sqlkind.Kind(9).String())
}

func TestDialectsThatAreNotUnderstood(t *testing.T) {
	for _, d := range []dialect.Name{dialect.Invalid, dialect.MSSQL, dialect.Oracle, dialect.Name(99)} {
		assert.Equal(t, write, sqlkind.Of(d, "SELECT 1"), d)
		c, err := sqlkind.New(d, "charge_*")
		assert.NoError(t, err)
		assert.Equal(t, write, c.Of("SELECT 1"), d)
	}
}

func TestEveryDialect(t *testing.T) {
	table := verdicts{
		"a select":                             {"SELECT 1", read},
		"in lower case":                        {"select 1", read},
		"in mixed case":                        {"sElEcT 1", read},
		"a line break after the verb":          {"SELECT\n1", read},
		"nothing after the verb":               {"SELECT", read},
		"nothing between verb and quote":       {`SELECT"a"FROM"b"`, read},
		"values":                               {"VALUES (1), (2)", read},
		"leading blanks and line comments":     {" \t\r\n-- one\n  -- two\nSELECT 1", read},
		"leading block comment":                {"/* FOR UPDATE */ SELECT 1", read},
		"trailing comment":                     {"SELECT 1 -- FOR UPDATE", read},
		"trailing semicolon":                   {"SELECT 1;", read},
		"many semicolons":                      {";;SELECT 1;;", read},
		"several reads":                        {"SELECT 1; SELECT 2; VALUES (3)", read},
		"a read and a write":                   {"SELECT 1; DELETE FROM t", write},
		"a write after a comment":              {"SELECT 1; /* x */ -- y\n DELETE FROM t", write},
		"parentheses":                          {"((SELECT 1) UNION (SELECT 2)) ORDER BY 1", read},
		"a CTE":                                {"WITH a AS (SELECT 1) SELECT * FROM a", read},
		"a CTE with columns":                   {`WITH a (x, "y") AS (SELECT 1, 2) SELECT * FROM a`, read},
		"two CTEs":                             {"WITH a AS (SELECT 1), b AS (SELECT (2)) SELECT * FROM a, b", read},
		"a recursive CTE":                      {"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r WHERE n < 9) SELECT * FROM r", read},
		"a CTE called recursive":               {"WITH recursive AS (SELECT 1) SELECT * FROM recursive", read},
		"a CTE in parentheses":                 {"(WITH a AS (SELECT 1) SELECT * FROM a)", read},
		"a CTE in a CTE":                       {"WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM a", read},
		"a CTE in a subquery":                  {"SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) AS s", read},
		"a CTE before a delete":                {"WITH a AS (SELECT 1) DELETE FROM t", write},
		"a CTE before an update":               {"WITH a AS (SELECT 1) UPDATE t SET x = 1", write},
		"a CTE before an insert":               {"WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", write},
		"a comment between a CTE and a delete": {"WITH a AS (SELECT 1) /* x */ DELETE FROM t", write},
		"a recursive CTE before a delete":      {"WITH RECURSIVE a AS (SELECT 1) DELETE FROM t", write},
		"two CTEs before an update":            {"WITH a AS (SELECT 1), b AS (SELECT 2) UPDATE t SET x = 1", write},
		"CTE and delete in parentheses":        {"(WITH a AS (SELECT 1) DELETE FROM t)", write},
		"a CTE alone":                          {"WITH a AS (SELECT 1)", write},
		"a CTE that is no query":               {"WITH a AS (SET x = 1) SELECT 1", write},
		"a second CTE that is no query":        {"WITH a AS (SELECT 1), b AS (DROP TABLE t) SELECT 1", write},
		"an empty CTE":                         {"WITH a AS () SELECT 1", write},
		"insert":                               {"INSERT INTO t VALUES (1)", write},
		"update":                               {"UPDATE t SET x = 1", write},
		"delete":                               {"DELETE FROM t", write},
		"delete in parentheses":                {"(DELETE FROM t)", write},
		"merge":                                {"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", write},
		"replace":                              {"REPLACE INTO t VALUES (1)", write},
		"create":                               {"CREATE TABLE t (id int)", write},
		"create from a select":                 {"CREATE TABLE t AS SELECT 1", write},
		"create a temporary table":             {"CREATE TEMPORARY TABLE t (id int)", write},
		"drop":                                 {"DROP TABLE t", write},
		"alter":                                {"ALTER TABLE t ADD x int", write},
		"truncate":                             {"TRUNCATE t", write},
		"set":                                  {"SET x = 1", write},
		"begin":                                {"BEGIN", write},
		"start transaction":                    {"START TRANSACTION READ ONLY", write},
		"commit":                               {"COMMIT", write},
		"savepoint":                            {"SAVEPOINT a", write},
		"call":                                 {"CALL p()", write},
		"do":                                   {"DO 1", write},
		"grant":                                {"GRANT SELECT ON t TO u", write},
		"prepare":                              {"PREPARE p AS SELECT 1", write},
		"execute":                              {"EXECUTE p", write},
		"lock":                                 {"LOCK TABLE t", write},
		"analyze a table":                      {"ANALYZE t", write},
		"vacuum":                               {"VACUUM", write},
		"use":                                  {"USE db", write},
		"an unknown verb":                      {"FROBNICATE t", write},
		"a verb with a tail":                   {"SELECTED 1", write},
		"a quoted verb":                        {`"SELECT" 1`, write},
		"for update":                           {"SELECT * FROM t FOR UPDATE", write},
		"for update in lower case":             {"select * from t for update", write},
		"for update over lines":                {"SELECT * FROM t FOR\n\tUPDATE", write},
		"for update with a comment":            {"SELECT * FROM t FOR /* x */ UPDATE", write},
		"for update with line comments":        {"SELECT * FROM t FOR -- x\n-- y\nUPDATE", write},
		"for update of, nowait":                {"SELECT * FROM t FOR UPDATE OF t NOWAIT", write},
		"for update after a limit":             {"SELECT * FROM t LIMIT 1 FOR UPDATE", write},
		"for update after a string":            {"SELECT 'a'FOR UPDATE", write},
		"for update in a CTE":                  {"WITH a AS (SELECT * FROM t FOR UPDATE) SELECT * FROM a", write},
		"for update in a subquery":             {"SELECT * FROM (SELECT * FROM t FOR UPDATE) AS s", write},
		"for update in a union":                {"(SELECT * FROM t FOR UPDATE) UNION (SELECT 1)", write},
		"for update in the second statement":   {"SELECT 1; SELECT * FROM t FOR UPDATE", write},
		"for update at the end":                {"(SELECT 1) FOR UPDATE", write},
		"a quoted column called update":        {`SELECT "update", "for" FROM t`, read},
		"quoted words one after the other":     {`SELECT "for" "update" FROM t`, read},
		"writes in a string":                   {"SELECT 'x; DELETE FROM t FOR UPDATE' FROM t", read},
		"doubled quotes in a string":           {"SELECT 'it''s for', 'update'", read},
		"doubled quotes in a name":             {`SELECT "a""b" FROM t`, read},
		"writes in a block comment":            {"SELECT 1 /* ; DELETE FROM t FOR UPDATE */", read},
		"a dollar sign in a name":              {"SELECT a$b FROM t", read},
		"a name beyond ASCII":                  {"SELECT größe FROM übersicht", read},
		"parameters":                           {"SELECT * FROM t WHERE a = ? AND b IN (?, ?)", read},
		"a function":                           {"SELECT count(*), max(x), coalesce(y, 0), lower (z) FROM t", read},
		"update in a name":                     {"SELECT updated_at, last_update, for_update, inserted FROM t", read},
		"arithmetic":                           {"SELECT 1 + 2 - 3 * 4 / 5 % 6, 1.5, .5, 1e5, 1.5e-5, 1., 0xAF", read},
		"comparison":                           {"SELECT a <> b, a != b, a >= b, a <= b, a || b, ~a, a & b, a | b", read},
		"a window":                             {"SELECT sum(x) OVER w FROM t WINDOW w AS (PARTITION BY y ORDER BY z)", read},
		"nothing":                              {"", write},
		"blanks":                               {" \n\t", write},
		"a comment only":                       {"-- SELECT 1", write},
		"a block comment only":                 {"/* SELECT 1 */", write},
		"semicolons only":                      {" ; ; ", write},
		"a parenthesis only":                   {"(", write},
		"empty parentheses":                    {"()", write},
		"an unterminated string":               {"SELECT 'a", write},
		"an unterminated name":                 {`SELECT "a`, write},
		"an unterminated comment":              {"SELECT 1 /* a", write},
		"an unterminated leading comment":      {"/* a", write},
		"an unclosed parenthesis":              {"SELECT (1", write},
		"a parenthesis too many":               {"SELECT 1)", write},
		"a NUL byte":                           {"SELECT 1\x00", write},
		"a NUL byte in a string":               {"SELECT 'a\x00b'", write},
		"a NUL byte in a comment":              {"SELECT 1 /* \x00 */", write},
		"a control byte":                       {"SELECT 1 \x01", write},
		"a number glued to a word":             {"SELECT 1.5for update", write},
		"an exponent glued to a word":          {"SELECT 1e5for update", write},
		"a fraction glued to a word":           {"SELECT .5for update", write},
		"explain of a select":                  {"EXPLAIN SELECT 1", read},
		"explain of a CTE":                     {"EXPLAIN WITH a AS (SELECT 1) SELECT * FROM a", read},
		"explain of a locking select":          {"EXPLAIN SELECT * FROM t FOR UPDATE", write},
		"explain of DDL":                       {"EXPLAIN CREATE TABLE t (id int)", write},
		"explain of nothing":                   {"EXPLAIN", write},
		"delete in a second statement after comments": {"SELECT 1 /* ; */ ; /* SELECT 2 */ DELETE FROM t", write},
	}
	for _, d := range known {
		t.Run(d.String(), func(t *testing.T) { table.run(t, d) })
	}
}
