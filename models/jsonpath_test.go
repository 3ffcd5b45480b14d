package models_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type jsonDoc struct {
	bun.BaseModel `bun:"table:jsonpath_docs,alias:doc"`

	ID   int64           `bun:",pk"`
	Data json.RawMessage `bun:"type:json"`
}

// hostileKeys are what a path must take as it is.
var hostileKeys = []string{"plain", "with space", "dotted.key", `quote"d`, "it's", `back\slash`, "$", "[0]", "ключ", "?0", "", `\"`, "0", "a'; DROP TABLE x; --", "*", "?doc"}

func TestJSONPath(t *testing.T) {
	data := map[string]any{
		"text": "it's \"x\" \\ é", "int": 42, "big": json.Number("9007199254740993"), "over": json.Number("92233720368547758070"),
		"whole": json.Number("3.0"), "frac": 1.5, "yes": true, "no": false, "null": nil, "digits": "17", "word": "true",
		"list": []any{10, map[string]any{"deep": []any{"a", "b"}}},
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*jsonDoc)(nil))
		encoded, err := json.Marshal(data)
		require.NoError(t, err)
		_, err = db.NewInsert().Model(&jsonDoc{ID: 1, Data: encoded}).Exec(t.Context())
		require.NoError(t, err)
		get := func(e models.Expr) *string {
			var s sql.NullString
			require.NoError(t, db.NewSelect().Model((*jsonDoc)(nil)).ColumnExpr("?", e).Scan(t.Context(), &s))
			if !s.Valid {
				return nil
			}
			return &s.String
		}
		is := func(want any, e models.Expr, reason string) {
			t.Helper()
			got := get(e)
			switch {
			case want == nil:
				assert.Nil(t, got, reason)
			case assert.NotNil(t, got, reason):
				assert.Equal(t, fmt.Sprint(want), *got, reason)
			}
		}
		is(data["text"], models.JSONText("data", "text"), "text")
		is("42", models.JSONText("doc.data", "int"), "a number's text, of a qualified column")
		is("true", models.JSONText("data", "yes"), "true's text")
		is("false", models.JSONText("data", "no"), "false's text")
		is("b", models.JSONText("data", "list", 1, "deep", 1), "a path with indexes")
		is("a", models.JSONText("data", "list", 1, "deep", 0), "the first element")
		is(10, models.JSONInt("data", "list", 0), "the first element, a number")
		for _, e := range []func(string, ...any) models.Expr{models.JSONText, models.JSONInt, models.JSONFloat, models.JSONBool} {
			is(nil, e("data", "null"), "JSON's null")
			is(nil, e("data", "absent", "deeper"), "absent")
			is(nil, e("data", "list", 7), "past the end")
			is(nil, e("data", "list", "deep"), "a key in an array")
			is(nil, e("data", 0), "an index in an object")
			is(nil, e("data", 0, "int"), "a key past an index in an object")
			is(nil, e("data", "int", 0), "an index in a number")
			is(nil, e("data", "list", 0, 0), "an index in an element that is no array")
			is(nil, e("data", "list", 1, 0, "deep", 0), "an index in an object within an array")
		}
		is(42, models.JSONInt("data", "int"), "int")
		is("9007199254740993", models.JSONInt("data", "big"), "beyond a double's precision")
		is(3, models.JSONInt("data", "whole"), "3.0 is whole")
		for _, key := range []string{"over", "frac", "yes", "digits", "word", "list"} {
			is(nil, models.JSONInt("data", key), key)
		}
		for _, key := range []string{"yes", "digits", "word", "list"} {
			is(nil, models.JSONFloat("data", key), key)
		}
		for _, key := range []string{"int", "digits", "word", "list"} {
			is(nil, models.JSONBool("data", key), key)
		}
		var list string
		require.NotNil(t, get(models.JSONText("data", "list")))
		list = *get(models.JSONText("data", "list"))
		assert.JSONEq(t, `[10, {"deep": ["a", "b"]}]`, list)
		assert.JSONEq(t, string(encoded), *get(models.JSONText("data")), "no segment: all of it")

		count := func(where string, args ...any) int64 {
			n, err := db.NewSelect().Model((*jsonDoc)(nil)).Where(where, args...).Count(t.Context())
			require.NoError(t, err)
			return n
		}
		assert.EqualValues(t, 1, count("? > 41", models.JSONInt("data", "int")), "compared as a number")
		assert.EqualValues(t, 1, count("? = 1.5", models.JSONFloat("data", "frac")))
		assert.EqualValues(t, 1, count("?", models.JSONBool("data", "yes")))
		assert.EqualValues(t, 0, count("?", models.JSONBool("data", "no")))
		assert.EqualValues(t, 1, count("? = ?", models.JSONText("data", "text"), data["text"]))
	})
}

func TestJSONPathHostileKeys(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*jsonDoc)(nil))
		data := map[string]any{}
		for i, key := range hostileKeys {
			data[key] = i
		}
		encoded, err := json.Marshal(map[string]any{"a": data})
		require.NoError(t, err)
		_, err = db.NewInsert().Model(&jsonDoc{ID: 1, Data: encoded}).Exec(t.Context())
		require.NoError(t, err)
		for i, key := range hostileKeys {
			var n sql.NullInt64
			err := db.NewSelect().Model((*jsonDoc)(nil)).ColumnExpr("?", models.JSONInt("data", "a", key)).Scan(t.Context(), &n)
			if assert.NoError(t, err, key) {
				assert.Equal(t, sql.NullInt64{Int64: int64(i), Valid: true}, n, "key %q", key)
			}
		}
	})
}

func TestJSONPathRefuses(t *testing.T) {
	db := databases[0].get(t)
	for _, segment := range []any{-1, 1.5, nil, []string{"a"}} {
		err := db.NewSelect().ColumnExpr("?", models.JSONText("data", segment)).Scan(t.Context(), new(string))
		require.Error(t, err, segment)
	}
}
