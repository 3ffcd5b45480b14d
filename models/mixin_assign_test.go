package models

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

func TestAssignments(t *testing.T) {
	for reason, row := range map[string]struct {
		query string
		args  []any
		want  []string
	}{
		"one":                              {"a = 1", nil, []string{"a"}},
		"several":                          {"a = 1, b=2 ,c = 3", nil, []string{"a", "b", "c"}},
		"quoted":                           {"\"a\" = 1, `b` = 2, [c] = 3", nil, []string{"a", "b", "c"}},
		"quoted with a quote":              {`"a""b" = 1, c = 2`, nil, []string{`a""b`, "c"}},
		"of a table":                       {`u.a = 1, "u"."b" = 2`, nil, []string{"a", "b"}},
		"commas in calls":                  {"a = coalesce(b, c), d = (SELECT max(e, f))", nil, []string{"a", "d"}},
		"commas in text":                   {"a = 'b = 1, c = 2', d = 1", nil, []string{"a", "d"}},
		"a quote in text":                  {"a = 'it''s, b = 1', c = 1", nil, []string{"a", "c"}},
		"an equals sign in a value":        {"a = (b = c), d = e = f", nil, []string{"a", "d"}},
		"names as arguments":               {"? = ?, ? = 1", []any{bun.Ident("u.a"), 5, bun.Name("b")}, []string{"a", "b"}},
		"arguments in text, as Bun has it": {"a = '?', ? = ?", []any{1, bun.Ident("b"), 2}, []string{"a", "b"}},
		"numbered arguments":               {"?1 = ?0", []any{1, bun.Ident("a")}, []string{"a"}},
		"an argument too few":              {"a = ?, ? = 1", []any{1}, []string{"a"}},
		"a named argument":                 {"a = ?TableAlias.b, c = 1", nil, []string{"a", "c"}},
		"an escaped question mark":         {`a = b \? c, d = ?, ? = 1`, []any{1, bun.Ident("e")}, []string{"a", "d", "e"}},
		"an expression as argument":        {"?", []any{bun.Safe("a = 1, b = 2")}, []string{"a", "b"}},
		"a name as safe text":              {"? = 1", []any{bun.Safe(`"u"."a"`)}, []string{"a"}},
		"a query as argument":              {"?", []any{schema.SafeQuery("? = ?", []any{bun.Ident("a"), 1})}, []string{"a"}},
		"a list":                           {"(a, b) = (1, 2), c = 3", nil, []string{"a", "b", "c"}},
		"an index":                         {"a[1] = 2, b = c[1, 2]", nil, []string{"1", "b"}},
		"nothing":                          {"", nil, nil},
		"no assignment":                    {"a", nil, nil},
		"text without an end":              {"a = 'b, c = 1", nil, []string{"a"}},
		"a name without an end":            {`"a`, nil, nil},
	} {
		var got []string
		for target := range assignments(row.query, row.args) {
			got = append(got, target)
		}
		assert.Equal(t, row.want, got, reason)
	}
}

func TestAssigns(t *testing.T) {
	set := []schema.QueryWithArgs{schema.SafeQuery(`"name" = _data."name", "updated_at" = _data."updated_at"`, nil), schema.SafeQuery("version = ?", []any{1})}
	yes, fromRow := assigns(set, "updated_at")
	assert.True(t, yes)
	assert.True(t, fromRow)
	yes, fromRow = assigns(set, "VERSION")
	assert.True(t, yes)
	assert.False(t, fromRow)
	yes, _ = assigns(set, "created_at")
	assert.False(t, yes)
}

func FuzzAssignments(f *testing.F) {
	for _, seed := range []string{"a = 1", `"a" = ?, b = '?'`, "(a,b) = (1,2)", "?0 = ?", `a = \?`, "[", "'"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, query string) {
		for range assignments(query, []any{bun.Ident("x"), bun.Safe("y = 1"), 3}) {
		}
	})
}

// TestBunIsLaidOutAsExpected fails with a version of Bun that mixins and signals do not know.
func TestBunIsLaidOutAsExpected(t *testing.T) {
	for _, b := range []*builder{insertBuilder, updateBuilder, deleteBuilder, createBuilder, valuesBuilder} {
		assert.NoError(t, b.err)
	}
	assert.Positive(t, txContext)
	var b builder
	offset[int](&b, reflect.TypeFor[bun.InsertQuery](), "columns")
	assert.EqualError(t, b.err, "models: bun.InsertQuery has no field columns as Bun 1.3 had it: use the version of Bun in bindery's go.mod")
}
