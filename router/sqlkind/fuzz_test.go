package sqlkind_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// seeds are statements of every kind, most of them near an edge.
var seeds = []string{
	"", ";", "(", "()", "SELECT 1", "select 1;SELECT 2;", "((SELECT 1) UNION (SELECT 2))", "VALUES (1)", "TABLE t", "SHOW x",
	pointSelect, "SELECT * FROM t FOR UPDATE OF t NOWAIT", "SELECT * FROM t FOR /* x */ -- y\n NO KEY UPDATE",
	"SELECT 1 INTO t", "SELECT 1 AS into", "SELECT t.into FROM t", "SELECT 1.INTO t",
	"WITH a AS (SELECT 1), b (x) AS NOT MATERIALIZED (TABLE t) SELECT * FROM a, b",
	"WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", "WITH a AS (SELECT 1) UPDATE t SET x = 1",
	"WITH RECURSIVE a AS (SELECT 1) CYCLE x SET y USING z DELETE FROM t",
	"EXPLAIN (ANALYZE off, COSTS) DELETE FROM t", "EXPLAIN INSERT INTO t VALUES (1)", "EXPLAIN ANALYZE VERBOSE SELECT 1",
	"EXPLAIN FORMAT=JSON SELECT 1", "DESC t 'a%'", "ANALYZE FORMAT=JSON SELECT 1", "EXPLAIN QUERY PLAN DELETE FROM t",
	"SELECT nextval /* ( */ ('s')", `SELECT "pg_catalog"."nextval" ('s')`, "SELECT `get_lock`('a', 1)", "SELECT [changes]()",
	`SELECT U&"\006eextval"('s')`, `SELECT E'\' FOR UPDATE'`, "SELECT E'a'\n'\\''", "SELECT $a$ FOR $b$ UPDATE $a$, $1",
	"SELECT 1 /* a /* b */ c */", "SELECT /*!40001 SQL_NO_CACHE */ 1", "SELECT 1 /*! FOR UPDATE */", "SELECT 1 /*+ HINT(a) */",
	`SELECT 'a\'b', "c\"d", "e""f"`, "SELECT @a := 1, @@x, @@session.last_insert_id", "SELECT s.nextval, NEXT VALUE FOR s",
	"SELECT * FROM t LOCK IN SHARE MODE", "SELECT 1 -- a\rFOR UPDATE", "SELECT 1 --1\n", "SELECT 1#a\n", `SELECT \N`,
	"PRAGMA main.table_info(t)", "PRAGMA user_version", "PRAGMA user_version = 5", "SELECT * FROM 'pragma_optimize'",
	"SELECT ?1, :a, @b, $c FROM [t]", "SELECT $a(')", "SELECT 1_000, 0xAF, 1e5, .5, 1e5for", "SELECT 1a.2b FROM é",
	"SELECT gét_lock('a')", "SELECT 'a", `SELECT "a`, "SELECT $$a", "SELECT 1 /*", "SELECT 1\x00", "SELECT a\xffb",
	"SELECT (7).pg_try_advisory_lock, x[1] . \"nextval\", $1.charge_card", "SELECT (a) /* x */ . /* y */ U&\"n\" FROM t", `SELECT (t)."", t."" FROM t`,
	"SELECT g.pg_try_advisory_lock FROM generate_series(1, 2) g", "SELECT last_value, t.last_value AS is_called FROM pg_stat_activity, s",
	"SELECT cron . schedule(1)", "SELECT * FROM information_schema . `tables`", "SHOW FULL PROCESSLIST", "SELECT @@global.gtid_executed",
	"INSERT INTO t VALUES (1)", "SET x = 1", "SELECT 1; DROP TABLE t", "SELECT charge_card(1), billing.charge_card(1)",
}

var fuzzed = func() (cs []*sqlkind.Classifier) {
	for _, d := range known {
		c, err := sqlkind.New(d, "charge_*", "billing.pay", "*_now")
		if err != nil {
			panic(err)
		}
		cs = append(cs, c)
	}
	return cs
}()

// FuzzOf holds the promises that do not depend on what a statement says.
func FuzzOf(f *testing.F) {
	for _, query := range seeds {
		f.Add(query, uint16(7))
	}
	f.Fuzz(func(t *testing.T, query string, at uint16) {
		for i, d := range known {
			kind := sqlkind.Of(d, query)
			if allocs := testing.AllocsPerRun(1, func() { sqlkind.Of(d, query) }); allocs != 0 {
				t.Errorf("%v: %v allocations for %q", d, allocs, query)
			}
			if kind == write && fuzzed[i].Of(query) == read {
				t.Errorf("%v: writer functions turn a write into a read: %q", d, query)
			}
			if kind == read {
				lockTurnsToWrite(t, d, query)
				continue
			}
			for what, changed := range map[string]string{
				"parentheses":     "(" + query + "\n)",
				"a CTE":           "WITH w AS (" + query + "\n) SELECT * FROM w",
				"a second CTE":    "WITH v AS (SELECT 1), w AS (" + query + "\n) SELECT * FROM w",
				"a CTE in a CTE":  "WITH v AS (WITH w AS (" + query + "\n) SELECT * FROM w) SELECT * FROM v",
				"a subquery":      "SELECT * FROM (WITH w AS (" + query + "\n) SELECT * FROM w) AS s",
				"a first comment": "/* c */" + query,
				"a first line":    "-- c\n" + query,
				"a read before":   "SELECT 1;" + query,
				"a read after":    query + "\n;SELECT 1",
			} {
				if strings.HasPrefix(what, "a read") && empty(query) || !nested(query) {
					continue
				}
				if sqlkind.Of(d, changed) == read {
					t.Errorf("%v: %s turns a write into a read: %q", d, what, query)
				}
			}
			if changed, ok := commented(query, int(at)); ok && sqlkind.Of(d, changed) == read {
				t.Errorf("%v: a comment turns a write into a read: %q", d, changed)
			}
			if changed, ok := swapped(query); ok && sqlkind.Of(d, changed) == read {
				t.Errorf("%v: case turns a write into a read: %q", d, changed)
			}
		}
	})
}

// empty tells whether query may hold no statement, to which a read can be added.
func empty(query string) bool {
	return strings.Trim(query, " \t\r\n\f\v;") == "" || strings.Contains(query, "--") || strings.ContainsAny(query, "#/")
}

// nested tells whether no parenthesis of query closes one before it, so that others about it stay a pair. What
// is quoted it cannot tell from what is not: of mutated queries it takes none with both.
func nested(query string) bool {
	if strings.ContainsAny(query, quoting) && strings.ContainsAny(query, "()") {
		return slices.Contains(seeds, query)
	}
	depth := 0
	for i := range len(query) {
		switch query[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 {
			return false
		}
	}
	return true
}

func lockTurnsToWrite(t *testing.T, d dialect.Name, query string) {
	t.Helper()
	if locked := query + "\n FOR UPDATE"; sqlkind.Of(d, locked) == read {
		t.Errorf("%v: still a read: %q", d, locked)
	}
}

// quoting are the bytes that make text of what follows them: a change there is a change of text.
const quoting = "'\"`[$-/*#\\!&@:"

// commented puts a comment in place of one of the spaces of a query without quotes.
func commented(query string, at int) (string, bool) {
	if strings.ContainsAny(query, quoting) {
		return "", false
	}
	spaces := strings.Count(query, " ")
	if spaces == 0 {
		return "", false
	}
	for i := range len(query) {
		if query[i] != ' ' {
			continue
		}
		if at%spaces == 0 {
			return query[:i] + "/* c */" + query[i+1:], true
		}
		at--
		if at < 0 {
			at += spaces
		}
	}
	return "", false
}

// swapped has the ASCII letters of a query without quotes in the other case.
func swapped(query string) (string, bool) {
	if strings.ContainsAny(query, quoting) {
		return "", false
	}
	b := []byte(query)
	for i, c := range b {
		if 'a' <= c|0x20 && c|0x20 <= 'z' {
			b[i] = c ^ 0x20
		}
	}
	return string(b), true
}
