package router

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"
)

// refused is a read of many columns, as Bun writes it, that was refused.
const refused = `SELECT "u"."id", "u"."name", "u"."email", "u"."address", "u"."postcode", "u"."city", "u"."country", "u"."created_at", ` +
	`"u"."updated_at" FROM "users" AS "u" WHERE ("u"."name" = 'Ada') AND (charge("u"."id", 7) > 0) AND ("u"."id" IN (1, 2, 3))`

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		dialect        schema.Dialect
		refused, query string
		like           bool
	}{
		{pgdialect.New(), refused, refused, true},
		{pgdialect.New(), refused, refused[:len(refused)-len("1, 2, 3))")] + "$1, 44))", true},
		{pgdialect.New(), refused, refused[:len(refused)-len(`) AND (charge("u"."id", 7) > 0) AND ("u"."id" IN (1, 2, 3))`)] + ")", false},
		{pgdialect.New(), `SELECT * FROM v WHERE a = 'x'`, `SELECT * FROM v WHERE a = 'O''Brien, ($1) "q"'`, true},
		{pgdialect.New(), `SELECT * FROM v WHERE a = 'x'`, `SELECT * FROM v WHERE a = 'x' AND b`, false},
		{pgdialect.New(), `SELECT * FROM v WHERE a = 'x'`, `SELECT * FROM w WHERE a = 'x'`, false},
		{pgdialect.New(), `SELECT "it's" FROM v WHERE a = 'x'`, `SELECT "it's" FROM v WHERE a = 'y z'`, true},
		{pgdialect.New(), `SELECT charge($$a$$)`, `SELECT charge($$b, c$$)`, true},
		{pgdialect.New(), `SELECT charge('a`, `SELECT charge('b c`, true},
		{mysqldialect.New(), "SELECT * FROM `v` WHERE a = 'x' AND c", "SELECT * FROM `v` WHERE a = \"it\\\"s 'b\" AND c", true},
		{mysqldialect.New(), "SELECT * FROM `v` WHERE a = 'x'", "SELECT * FROM `w` WHERE a = 'x'", false},
	} {
		f := &refusals{dialect: row.dialect.Name()}
		assert.False(t, f.has(row.query), row.query)
		f.add(row.refused)
		assert.Equal(t, row.like, f.has(row.query), "%s\n%s", row.refused, row.query)
		assert.Zero(t, testing.AllocsPerRun(10, func() { f.has(row.query) }), row.query)
	}
}
