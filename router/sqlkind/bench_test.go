package sqlkind_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

const pointSelect = `SELECT "u"."id", "u"."name" FROM "users" AS "u" WHERE ("u"."id" = 42)`

const insertOne = `INSERT INTO "users" ("id", "name", "email") VALUES (DEFAULT, 'Ada', 'ada@example.com') RETURNING "id"`

// report is a statement of some 2 kB as people write it.
var report = `
-- revenue per region and month, with the share of the year
WITH months AS (
    SELECT date_trunc('month', d)::date AS month
    FROM generate_series('2025-01-01'::date, '2025-12-01'::date, '1 month') AS d
), paid AS (
    SELECT o.region_id, date_trunc('month', o.paid_at)::date AS month, o.currency,
           sum(l.quantity * l.unit_price * (1 - coalesce(l.discount, 0))) AS amount,
           count(DISTINCT o.customer_id) AS customers
    FROM orders AS o
    JOIN order_lines AS l ON l.order_id = o.id
    LEFT JOIN refunds AS r ON r.order_id = o.id AND r.state <> 'void'
    WHERE o.state IN ('paid', 'shipped', 'delivered') AND o.paid_at >= '2025-01-01'
      AND o.paid_at < '2026-01-01' AND r.id IS NULL AND o.kind NOT IN ('test', 'internal')
    GROUP BY o.region_id, date_trunc('month', o.paid_at), o.currency
), ranked AS (
    SELECT p.*, rank() OVER (PARTITION BY p.month ORDER BY p.amount DESC) AS place,
           sum(p.amount) OVER (PARTITION BY p.region_id) AS of_year
    FROM paid AS p
)
SELECT m.month, g.name AS region, g.country, coalesce(k.amount, 0) AS amount, k.currency, k.customers, k.place,
       round(100.0 * k.amount / nullif(k.of_year, 0), 2) AS percent_of_year,
       CASE WHEN k.place = 1 THEN 'first' WHEN k.place <= 3 THEN 'top three' ELSE 'other' END AS class,
       EXISTS (SELECT 1 FROM region_notes AS n WHERE n.region_id = g.id AND n.month = m.month) AS has_notes,
       substring(g.code FROM 1 FOR 2) AS short_code, lower(g.manager_name) AS manager
FROM months AS m
CROSS JOIN regions AS g
LEFT JOIN ranked AS k ON k.region_id = g.id AND k.month = m.month
WHERE g.active AND g.name NOT ILIKE '%for update%' /* the name of a test region */
  AND (g.country = 'DE' OR g.country = 'FR' OR g.country = 'NL' OR g.parent_id IN (SELECT id FROM regions WHERE code LIKE 'EU-%'))
ORDER BY m.month, k.place NULLS LAST, g.name
LIMIT 500 OFFSET 0`

// inList is a statement of a megabyte.
var inList = func() string {
	var b strings.Builder
	b.WriteString(`SELECT "id", "name" FROM "users" WHERE "id" IN (1000000`)
	for n := 1000001; b.Len() < 1<<20; n++ {
		b.WriteString(", ")
		b.WriteString(strconv.Itoa(n))
	}
	b.WriteString(")")
	return b.String()
}()

// lengthy is a statement of a megabyte that holds what is skipped in bulk.
var lengthy = "SELECT '" + strings.Repeat("it is long; ", 40_000) + "' /*" + strings.Repeat(" and so on", 40_000) +
	"*/, \"" + strings.Repeat("ab", 80_000) + `"`

var ordinaryReads = map[string]string{
	"point select": pointSelect,
	"report":       report,
	"IN list":      inList,
	"long text":    lengthy,
	"union":        `(SELECT "a" FROM "t" WHERE "b" = 'x''y') UNION ALL (SELECT coalesce("c", 0) FROM "u") ORDER BY 1 LIMIT 10`,
	"CTE":          `WITH "a" AS (SELECT "b"."c" FROM "b" AS "b" WHERE ("b"."d" IN (1, 2, 3))) SELECT * FROM "a"`,
}

func TestOfAllocatesNothing(t *testing.T) {
	queries := map[string]string{"insert": insertOne, "glob": `SELECT "billing"."charge_card" (1), gone_now(2)`}
	for name, query := range ordinaryReads {
		queries[name] = query
		assert.Equal(t, read, sqlkind.Of(dialect.PG, query), name)
	}
	for _, query := range seeds {
		queries[query] = query
	}
	for i, d := range known {
		for name, query := range queries {
			assert.Zero(t, testing.AllocsPerRun(5, func() { sqlkind.Of(d, query) }), "%v: %s", d, name)
			assert.Zero(t, testing.AllocsPerRun(5, func() { fuzzed[i].Of(query) }), "%v with globs: %s", d, name)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	for _, c := range []struct {
		name, query string
	}{
		{"point select", pointSelect},
		{"report of 2 kB", report},
		{"IN list of 1 MB", inList},
		{"text of 1 MB", lengthy},
		{"insert", insertOne},
	} {
		b.Run(c.name, func(b *testing.B) { benchmark(b, c.query, func(q string) { sqlkind.Of(dialect.PG, q) }) })
	}
	b.Run("point select, MySQL", func(b *testing.B) {
		benchmark(b, strings.ReplaceAll(pointSelect, `"`, "`"), func(q string) { sqlkind.Of(dialect.MySQL, q) })
	})
	b.Run("point select, SQLite", func(b *testing.B) {
		benchmark(b, pointSelect, func(q string) { sqlkind.Of(dialect.SQLite, q) })
	})
	b.Run("point select, writer functions", func(b *testing.B) {
		c, err := sqlkind.New(dialect.PG, "charge_*", "billing.*", "*_now")
		require.NoError(b, err)
		benchmark(b, pointSelect, func(q string) { c.Of(q) })
	})
	b.Run("point select, known", func(b *testing.B) {
		c, err := sqlkind.New(dialect.PG)
		require.NoError(b, err)
		benchmark(b, pointSelect, func(q string) { c.Of(q) })
	})
	b.Run("64 different selects, known", func(b *testing.B) {
		c, err := sqlkind.New(dialect.PG)
		require.NoError(b, err)
		queries := different()
		b.ReportAllocs()
		b.SetBytes(int64(len(strings.Join(queries, "")) / len(queries)))
		for i := 0; b.Loop(); i++ {
			c.Of(queries[i%len(queries)])
		}
	})
	b.Run("64 different selects", func(b *testing.B) {
		queries := different()
		b.ReportAllocs()
		b.SetBytes(int64(len(strings.Join(queries, "")) / len(queries)))
		for i := 0; b.Loop(); i++ {
			sqlkind.Of(dialect.PG, queries[i%len(queries)])
		}
	})
}

func benchmark(b *testing.B, query string, of func(string)) {
	b.ReportAllocs()
	b.SetBytes(int64(len(query)))
	for b.Loop() {
		of(query)
	}
}

// different returns selects of different shapes, so that a processor cannot learn one by heart.
func different() (queries []string) {
	columns := strings.Fields("id name email created_at state total customer_id kind note region")
	for n := range 64 {
		var b strings.Builder
		b.WriteString("SELECT ")
		for i := range 1 + n%7 {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(`"t"."` + columns[(n*3+i*i)%len(columns)] + `"`)
		}
		b.WriteString(` FROM "` + columns[n%3] + `s" AS "t" WHERE ("t"."` + columns[(n*7)%len(columns)] + `" = ` + strconv.Itoa(n*n*n) + ")")
		queries = append(queries, b.String())
	}
	return queries
}
