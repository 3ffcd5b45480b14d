package sqlkind

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
)

const columns = `SELECT "u"."id", "u"."name", "u"."email" FROM "users" AS "u"`

// remembered returns the beginnings that c knows.
func remembered(c *Classifier) (texts []string) {
	sets := c.known.sets.Load()
	if sets == nil {
		return nil
	}
	for i := range sets {
		for j := range sets[i] {
			if known := sets[i][j].Load(); known != nil {
				texts = append(texts, known.text)
			}
		}
	}
	return texts
}

// classified is what c says of a query.
func classified(c *Classifier, query string) string { return said(c.Classify(query)) }

// scanned is what c says of a query that it reads from its beginning.
func scanned(c *Classifier, query string) string { return said(c.scan(query, nil)) }

func said(kind Kind, local bool) string { return fmt.Sprint(kind, ", local: ", local) }

func TestBeginnings(t *testing.T) {
	for reason, row := range map[string]struct{ query, want string }{
		"up to the number":            {columns + ` WHERE ("u"."id" = 42)`, columns + ` WHERE ("u"."id" = `},
		"up to the text":              {columns + ` WHERE ("u"."name" = 'Ada')`, columns + ` WHERE ("u"."name" = `},
		"up to the page's length":     {columns + ` ORDER BY "u"."id" LIMIT 10`, columns + ` ORDER BY "u"."id" LIMIT `},
		"whole but for its end":       {columns + ` WHERE "u"."id" IS NULL`, columns + ` WHERE "u"."id" IS `},
		"no part of a name":           {columns + ` WHERE "u"."a long name"`, columns + ` WHERE `},
		"up to the first value":       {columns + ` WHERE "u"."id" = 1 AND "u"."age" > 2`, columns + ` WHERE "u"."id" = `},
		"up to what must be read":     {columns + ` WHERE "u"."id" IN (SELECT "id" FROM "v") /* why */ AND 1 = 1`, columns + ` WHERE "u"."id" IN (SELECT "id" FROM "v") `},
		"a short one is read":         {`SELECT "u"."id" FROM "users" WHERE "id" = 1`, ""},
		"a value at the beginning":    {`SELECT 1, "u"."id", "u"."name", "u"."email" FROM "users" AS "u"`, ""},
		"a text at the beginning":     {`SELECT 'x', "u"."id", "u"."name", "u"."email" FROM "users" AS "u"`, ""},
		"another verb":                {`VALUES ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k")`, ""},
		"a comment before":            {"/* x */ " + columns, ""},
		"a NUL byte in a name":        {"SELECT \"a\x00\", " + columns[len("SELECT "):] + ` WHERE "u"."id" = 42`, ""},
		"a name that does not end":    {columns + ` WHERE "u`, columns + ` WHERE `},
		"what is no read in the end":  {columns + ` WHERE "u"."id" = 1 FOR UPDATE`, columns + ` WHERE "u"."id" = `},
		"up to what makes it a write": {columns + ` FOR UPDATE`, columns + ` `},
		"a read and then something":   {columns + ` WHERE "u"."id" = 1; DELETE FROM "users"`, columns + ` WHERE "u"."id" = `},
	} {
		c, err := New(dialect.PG)
		require.NoError(t, err)
		c.Of(row.query)
		got := remembered(c)
		if row.want == "" {
			assert.Empty(t, got, reason)
			continue
		}
		assert.Equal(t, []string{row.want}, got, reason)
		assert.NotNil(t, c.known.find(row.query), reason)
	}
}

// endings are what may follow a beginning, most of them near an edge.
var endings = []string{
	"", " ", "42)", "42", "42))", "(42)", "42) FOR UPDATE", "42) for share", ") FOR UPDATE", "FOR UPDATE", "UPDATE", "SHARE MODE", "INTO x", "(1)", "( 1)", "/* */ (1)",
	"'a')", "'a' 'b')", "'a''b')", `'a\')`, `E'a\'')`, "$$ a $$)", "$1)", "?)", "@a)", "@a := 1)", ":a)", "#x\n1)", "-- x\n1)", "--1)", "/*! FOR UPDATE */ 1)",
	"nextval('s'))", `"nextval"('s'))`, "charge_card(1))", ".charge_card(1))", "billing.charge_card(1))", "now())", "1 AND pg_advisory_lock(1))",
	".nextval)", ".nextval", ".charge_card", " /* x */ . charge_card", "now_now", " . nextval", ") . nextval", "/* x */ .nextval", ".charge_card)", "x[1].nextval)", "pg_stat_activity)", "last_value)", "pg_locks", ". schedule('a')", "cron.schedule('a'))",
	"1); SELECT 1", "1); DELETE FROM t", "1);", ";", ";;", "1) UNION (SELECT 2)", "1e5)", "1for", "1.5)", "1.)", "0xAF)", "1_000)", "1\x00)", "\x00", "'\x00')", "/* \x00 */ 1)", "\"\x00\")", "1) \x00", "é", "1)é",
	`"u"."id")`, `"a`, "`a`)", "[a])", "'a", "(", "((1)", ")", ") )", "SELECT 1)", "(SELECT 1)", "(WITH a AS (DELETE FROM t RETURNING 1) SELECT 1))", "WITH", "LOCK IN SHARE MODE",
}

// TestKnownBeginningsChangeNothing puts all endings behind all beginnings.
func TestKnownBeginningsChangeNothing(t *testing.T) {
	shapes := []string{
		columns + ` WHERE ("u"."id" = 42)`, columns + ` WHERE "u"."id" IN (1)`, columns + ` WHERE "u"."for" = FOR_ 1`, columns + " LIMIT 1",
		columns + ` WHERE (("u"."id" + charge = 1))`, columns + ` LEFT JOIN "v" AS "v" ON ("v"."id" = "u"."id") WHERE count (1) > 1`, columns + " ORDER BY nextvalue 1",
		columns + " WHERE nextval 1", columns + ` WHERE "nextval" = 1`, columns + " WHERE billing . 1", columns + " WHERE x IS 1", columns + ` WHERE x AND ("next" (1) > 1)`, "SELECT a, b, c, d, e, f, g, h, i, j, k, l, m FROM t WHERE a = 1",
		columns + ` WHERE ("u"."id") = 1`, columns + ` WHERE ("u"."id")   1`, columns + " WHERE cron 1", columns + " WHERE count(*)  . 1",
	}
	for _, d := range []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite} {
		for _, shape := range shapes {
			if d == dialect.MySQL {
				shape = strings.ReplaceAll(shape, `"`, "`")
			}
			c, err := New(d, "charge_*", "billing.pay", "*_now")
			require.NoError(t, err)
			require.Equal(t, Read, c.Of(shape), "%v: %s", d, shape)
			known := remembered(c)
			require.Len(t, known, 1, "%v: %s", d, shape)
			for _, ending := range endings {
				query := known[0] + ending
				require.NotNil(t, c.known.find(query))
				fresh := Classifier{lang: c.lang, words: c.words}
				assert.Equal(t, classified(&fresh, query), classified(c, query), "%v: %s", d, query)
			}
		}
	}
}

// TestATableOfManyQueries reads more kinds of them than a set has places: in the end none is read from its
// beginning.
func TestATableOfManyQueries(t *testing.T) {
	c, err := New(dialect.PG)
	require.NoError(t, err)
	queries := func(yield func(string) bool) {
		for i := range 20 {
			if !yield(fmt.Sprintf(`%s WHERE ("u"."k%c" = %d)`, columns, 'a'+byte(i), 10+i)) {
				return
			}
		}
	}
	for range 3 {
		for q := range queries {
			require.Equal(t, Read, c.Of(q))
		}
	}
	assert.Contains(t, remembered(c), columns+" WHERE ")
	for q := range queries {
		assert.NotNil(t, c.known.find(q))
	}
	c.Of(`SELECT "u"."id", "u"."name", "u"."email"` + " FROM x") // not even FROM "users" is common now
	assert.NotContains(t, remembered(c), columns+" WHERE ")
}

func TestBeginningsHoldNoValues(t *testing.T) {
	c, err := New(dialect.PG)
	require.NoError(t, err)
	for i := range 1000 {
		require.Equal(t, Read, c.Of(fmt.Sprintf(`%s WHERE ("u"."id" = %d)`, columns, i)))
		require.Equal(t, Read, c.Of(fmt.Sprintf(`%s WHERE ("u"."name" = 'secret-%d')`, columns, i)))
	}
	assert.ElementsMatch(t, []string{columns + ` WHERE ("u"."id" = `, columns + ` WHERE ("u"."name" = `}, remembered(c))
}

// TestBeginningsAreBounded writes texts that are new each time, from many goroutines.
func TestBeginningsAreBounded(t *testing.T) {
	c, err := New(dialect.PG)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 3000 {
				q := fmt.Sprintf(`SELECT "t%c"."name%c", "t"."email", "u"."x%s" FROM "users" WHERE "id" = %d`, 'a'+byte(i%26), 'a'+byte(g), strings.Repeat("y", i%900), i)
				assert.Equal(t, Read, c.Of(q))
				assert.Equal(t, Write, c.Of(q+" FOR UPDATE"))
			}
		})
	}
	wg.Wait()
	known := remembered(c)
	assert.LessOrEqual(t, len(known), beginningSets*len(beginningSet{}))
	for _, text := range known {
		assert.LessOrEqual(t, len(text), longestBeginning)
	}
}

// TestTablesThatShareASet reads so many kinds of statements that all sets are full, and have little in common.
func TestTablesThatShareASet(t *testing.T) {
	c, err := New(dialect.PG)
	require.NoError(t, err)
	for i := range 5000 {
		q := fmt.Sprintf(`%s"t%d"."id", "t%d"."name" FROM "table_%d" AS "t%d" WHERE ("t%d"."id" = %d)`, []string{"SELECT ", "select ", "Select DISTINCT "}[i%3], i, i, i, i, i, i)
		require.Equal(t, Read, c.Of(q))
		require.Equal(t, Write, c.Of(q+" FOR UPDATE"))
	}
	assert.Greater(t, len(remembered(c)), beginningSets*3)
}

// FuzzBeginnings reads a statement on from where another one was, and from its beginning.
func FuzzBeginnings(f *testing.F) {
	for _, ending := range endings {
		f.Add(columns+` WHERE ("u"."id" = 42)`, ending)
		f.Add("SELECT "+ending+columns, ending)
	}
	f.Fuzz(func(t *testing.T, query, ending string) {
		for _, d := range []dialect.Name{dialect.PG, dialect.MySQL, dialect.SQLite} {
			c, err := New(d, "charge_*", "billing.pay", "*_now")
			require.NoError(t, err)
			c.Of(query)
			for _, beginning := range remembered(c) {
				assert.Equal(t, scanned(c, beginning+ending), classified(c, beginning+ending), "%v: %q", d, beginning+ending)
			}
			assert.Equal(t, scanned(c, query), classified(c, query), "%v: %q", d, query)
		}
	})
}
