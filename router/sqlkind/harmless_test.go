package sqlkind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// harmlessTexts are reads by whether they are known to change nothing.
var harmlessTexts = map[dialect.Name]map[bool][]string{
	dialect.PG: {
		true: {
			`SELECT 1`,
			`SELECT "u"."id", "u"."name" FROM "users" AS "u" WHERE ("u"."id" = 7) AND (name IN ('charge(', 'b'))`,
			`SELECT count(*), COALESCE(max(a), 0), lower(b) FROM t GROUP BY (c) HAVING (count(*) > 1) ORDER BY (c) LIMIT (3)`,
			`SELECT pg_catalog.lower('A'), "lower"('A'), pg_catalog."lower"('A'), now(), current_timestamp(3)`,
			`WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL (SELECT n + 1 FROM t WHERE (n < 5))) SELECT sum(n) FROM t`,
			`WITH "x" ("n") AS MATERIALIZED (SELECT 1) SELECT * FROM "x" AS "y" ("m")`,
			`SELECT row_number() OVER (PARTITION BY (a) ORDER BY (b)), count(*) FILTER (WHERE (a > 1)) FROM t`,
			`SELECT a, sum(b) FROM t GROUP BY GROUPING SETS ((a), ())`,
			`SELECT CAST(a AS numeric(10, 2)), b::varchar(10), c::geometry(Point, 4326) FROM t`,
			`SELECT * FROM generate_series(1, 3) AS g(i) JOIN (SELECT 1) AS x ON (true)`,
			`SELECT EXISTS (SELECT 1), ARRAY(SELECT 1), (SELECT 2), NOT (true), a = ANY ('{1}') FROM t`,
			`SELECT 'it is a call( in a string', $$charge(1)$$, E'\'charge(1)' -- charge(1)`,
			`/* charge(1) */ SELECT id FROM t WHERE (a = $1)`,
			`SELECT extract(epoch FROM a), substring(b FROM 1 FOR 2), trim(both ' ' from c), position('a' in b) FROM t`,
			`SELECT * FROM t JOIN (SELECT 1) AS x ON (true) LEFT JOIN (SELECT 2) AS y ON (true) CROSS JOIN (SELECT 3) AS z`,
			`SELECT * FROM "t" AS "u" JOIN (SELECT 1) AS "x" USING (id) WHERE name LIKE ('a') OR (name) ILIKE ('b') OR "name" LIKE ('c')`,
			`SELECT DISTINCT ON (lower(a)) a, count(*) OVER (PARTITION BY b), sum(c) FILTER (WHERE (d)) FROM t`,
			`SELECT a[1:2], a[lower(b)::int:upper(b)::numeric(3)], pg_catalog.LOWER('A') FROM t`,
			"WITH x AS NOT MATERIALIZED (SELECT 1), y\nAS\nNOT MATERIALIZED (SELECT 2) SELECT * FROM x",
		},
		false: {
			`SELECT log('paid'), broadcast('hello')`,
			`SELECT convert(7)`, `SELECT host(7)`, `SELECT name(7, 'a')`, `SELECT network(7)`, `SELECT reverse(7)`,
			`SELECT scale(7, 2)`, `SELECT sign(7)`, `SELECT strip(7)`, `SELECT text('+1', 'hello')`,
			`SELECT a[1:charge(2)] FROM t`,
			`SELECT a[:charge(2)] FROM t`,
			`SELECT a[lower(b)::int : charge(2)] FROM t`,
			`SELECT join(1)`,
			`SELECT 1, join(1)`,
			`SELECT id FROM t WHERE join(id) = 1`,
			`SELECT * FROM join(1)`,
			`SELECT like(1)`,
			`SELECT NOT like(1)`,
			`SELECT a FROM t ORDER BY join(a)`,
			`SELECT a FROM t JOIN join(1) ON true`,
			`SELECT a LIKE like(1), b ILIKE like(2), c LIKE d ESCAPE like(3), e AT TIME ZONE like(4), f OVERLAPS like(5) FROM t`,
			`SELECT a AT TIME ZONE join(1) FROM t`,
			`SELECT a FROM t FETCH FIRST join(1) ROWS ONLY`,
			`SELECT id FROM t WHERE (ilike(id))`,
			`SELECT DISTINCT ON (a) over(1) FROM t`,
			`SELECT DISTINCT ON ((a), lower(b)) filter(b) FROM t`,
			`SELECT DISTINCT/**/ON (a) join(b) FROM t`,
			`SELECT NOT materialized(1)`,
			`SELECT "a""lower"(1)`,
			`SELECT "PG_CATALOG".lower(1)`,
			`SELECT charge(1)`,
			`SELECT charge (1)`,
			"SELECT charge\n-- of a card\n(1)",
			`SELECT charge/* in */(1)`,
			"-- in:\nSELECT charge -- in\n(1)",
			"SELECT 1, -- :\ncharge/**/(1)",
			`SELECT "charge"(1)`,
			`SELECT "Lower"(1)`,
			`SELECT "in"(1)`,
			`SELECT billing.charge(1)`,
			`SELECT billing.lower(1)`,
			`SELECT "billing" . lower(1)`,
			`SELECT * FROM charge(1)`,
			`SELECT * FROM t, LATERAL charge(t.id) AS c(id)`,
			`SELECT id FROM t WHERE (charge(id) > 0)`,
			`SELECT lower(charge(1))`,
			`SELECT (t).charge FROM t`,
			`SELECT ('(1)'::coin) . charge`,
			`SELECT a[1].charge FROM t`,
			`SELECT $1.charge`,
			`SELECT over(1)`,
			`SELECT filter(1)`,
			`SELECT by(1)`,
			`SELECT sets(1)`,
			`SELECT materialized(1)`,
			`SELECT ünder(1)`,
			`SELECT similarity(a, 'b') FROM t`,
			`SELECT ST_Distance(a, b) FROM t`,
			`SELECT charge_of_a_name_that_is_longer_than_sixty_four_bytes_which_no_function_of_a_server_has(1)`,
		},
	},
	dialect.MySQL: {
		true: {
			"SELECT `u`.`id` FROM `users` AS `u` WHERE (`u`.`id` = 7) AND (name IN ('charge(', \"charge(1)\"))",
			"SELECT COUNT(*), IFNULL(MAX(a), 0), LOWER(b), JSON_EXTRACT(c, '$.charge(1)') FROM t GROUP BY (c) ORDER BY (c)",
			"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE (n < 5)) SELECT SUM(n) FROM t",
			"SELECT ROW_NUMBER() OVER (PARTITION BY (a) ORDER BY (b)), IF(a, 1, 2), LEFT(b, 1) FROM t FORCE INDEX (i)",
			"SELECT CAST(a AS DECIMAL(10, 2)), MATCH (b) AGAINST ('c') FROM t WHERE NOT (a) AND (b XOR (c))",
			"SELECT DATE_ADD(a, INTERVAL (1) DAY), DATE(b), EXTRACT(YEAR FROM c) FROM t # charge(1)",
		},
		false: {
			"SELECT charge(1)",
			"SELECT charge (1)",
			"SELECT `charge`(1)",
			"SELECT `a``lower`(1)",
			"SELECT COUNT (1)",
			"SELECT NOW/**/()",
			"SELECT `count`(1)",
			"SELECT \"insert\"(1)",
			"SELECT \"charge\"(1)",
			"SELECT shop.charge(1)",
			"SELECT `shop`.`lower`(1)",
			"SELECT against(1)",
			"SELECT 1charge(1)",
			"SELECT chärge(1)",
			"SELECT LOWER(charge(1))",
			"SELECT id FROM t WHERE (charge(id) > 0)",
			"SELECT charge # in\n(1)",
		},
	},
	dialect.SQLite: {
		true: {
			`SELECT 1`,
			`SELECT "id", lower(a), count(*), json_extract(b, '$.charge()') FROM t WHERE ("id" IN (1, 2)) AND NOT (a) GROUP BY (a)`,
			`WITH RECURSIVE t(n) AS (SELECT 1) SELECT row_number() OVER (ORDER BY (n)), count(*) FILTER (WHERE (n)) FROM t`,
			`WITH t AS NOT MATERIALIZED (SELECT CAST(a AS integer) FROM u WHERE b IN ('it''s')) SELECT * FROM t GROUP BY (c)`,
		},
		false: {
			`SELECT filter(1)`, `SELECT over(1)`, `SELECT by(1)`, `SELECT with(1)`, `SELECT end(1)`, `SELECT * FROM 'charge'(1)`,
			`SELECT charge(1)`, `SELECT [charge](1)`, `SELECT "charge" (1)`, "SELECT `charge`(1)",
		},
	},
}

func TestHarmless(t *testing.T) {
	for d, texts := range harmlessTexts {
		c, err := sqlkind.New(d)
		require.NoError(t, err)
		for want, queries := range texts {
			for _, q := range queries {
				assert.Equal(t, want, c.Harmless(q), "%v: %s", d, q)
				if want {
					kind, _ := c.Classify(q)
					assert.Equal(t, read, kind, "%v: %s", d, q)
				}
			}
		}
	}
	var none *sqlkind.Classifier
	assert.False(t, none.Harmless("SELECT 1"))
	assert.False(t, new(sqlkind.Classifier).Harmless("SELECT 1"))
}

func TestHarmless_allocatesNothing(t *testing.T) {
	for d, texts := range harmlessTexts {
		c, err := sqlkind.New(d)
		require.NoError(t, err)
		for _, queries := range texts {
			for _, q := range queries {
				assert.Zero(t, testing.AllocsPerRun(10, func() { c.Harmless(q) }), "%v: %s", d, q)
			}
		}
	}
}

// FuzzHarmless looks for texts on which it panics, does not end, or changes its mind about a call that a comment is put into.
func FuzzHarmless(f *testing.F) {
	for _, texts := range harmlessTexts {
		for _, queries := range texts {
			for _, q := range queries {
				f.Add(q)
			}
		}
	}
	var all []*sqlkind.Classifier
	for d := range harmlessTexts {
		c, err := sqlkind.New(d)
		require.NoError(f, err)
		all = append(all, c)
	}
	f.Fuzz(func(t *testing.T, q string) {
		for _, c := range all {
			if kind, _ := c.Classify(q); kind == read && c.Harmless(q) != c.Harmless("  "+q+" ") {
				t.Errorf("white space changes what is harmless: %q", q)
			}
		}
	})
}

func BenchmarkHarmless(b *testing.B) {
	c, err := sqlkind.New(dialect.PG)
	require.NoError(b, err)
	for _, q := range []string{
		`SELECT "u"."id", "u"."name", "u"."created_at" FROM "users" AS "u" WHERE ("u"."id" = 4711) LIMIT 1`,
		`SELECT "u"."id" FROM "users" AS "u" WHERE (charge("u"."id") = 4711) LIMIT 1`,
	} {
		b.Run(q[:20], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Harmless(q)
			}
		})
	}
}
