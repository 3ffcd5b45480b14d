package models_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/models"
)

func TestJSONZeroValues(t *testing.T) {
	jsonZero[[]int](t, `'[]'`)
	jsonZero[*[]int](t, `'[]'`)
	jsonZero[[2]int](t, `'[0,0]'`)
	jsonZero[map[string]int](t, `'{}'`)
	jsonZero[*map[string]int](t, `'{}'`)
	jsonZero[address](t, `'{"city":""}'`)
	jsonZero[*address](t, `'{}'`)
	jsonZero[**address](t, `'{}'`)
	jsonZero[[]byte](t, `'""'`)
	jsonZero[string](t, `'""'`)
	jsonZero[int](t, `'0'`)
	jsonZero[bool](t, `'false'`)
	jsonZero[any](t, `'null'`)
	jsonZero[*int](t, `'null'`)
	jsonZero[json.RawMessage](t, `'null'`) // it encodes itself
	jsonZero[*time.Time](t, `'null'`)
}

func jsonZero[T any](t *testing.T, want string) {
	t.Helper()
	for _, d := range []schema.Dialect{pgdialect.New(), mysqldialect.New(), sqlitedialect.New()} {
		var zero models.JSON[T]
		got, err := zero.AppendQuery(schema.NewQueryGen(d), nil)
		require.NoError(t, err)
		require.Equal(t, want, string(got), "%T", zero)
		require.True(t, zero.IsZero())

		text, err := json.Marshal(zero)
		require.NoError(t, err)
		require.Equal(t, want, "'"+string(text)+"'")
		v, err := zero.Value()
		require.NoError(t, err)
		require.Equal(t, string(text), v)
	}
}

type document struct {
	bun.BaseModel `bun:"table:documents"`

	ID     int64 `bun:",pk"`
	Any    models.JSON[any]
	Number models.JSON[int64]
	Text   models.JSON[string]
	Raw    models.JSON[json.RawMessage]
	Nested models.JSON[map[string][]address]
	Times  models.JSON[*time.Time]
	Ptr    models.JSON[*address]
}

func TestJSONRoundTrip(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*document)(nil)))
		createTables(t, db, (*document)(nil))
		now := time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
		row := &document{ID: 1,
			Any:    models.JSON[any]{V: map[string]any{"a": []any{1.5, nil, true}, "b": "\\'\"☃\n"}},
			Number: models.JSON[int64]{V: math.MaxInt64},
			Text:   models.JSON[string]{V: "12"},
			Raw:    models.JSON[json.RawMessage]{V: json.RawMessage(`[1]`)},
			Nested: models.JSON[map[string][]address]{V: map[string][]address{"x": {{City: "Ü"}}, "y": {}}},
			Times:  models.JSON[*time.Time]{V: &now},
			Ptr:    models.JSON[*address]{V: &address{Zip: "'"}},
		}
		exec(t, db.NewInsert().Model(row))
		got := document{ID: 1, Nested: models.JSON[map[string][]address]{V: map[string][]address{"left over": nil}}}
		require.NoError(t, db.NewSelect().Model(&got).WherePK().Scan(t.Context()))
		require.Equal(t, *row, got)

		// A zero value comes back as what stands for it.
		exec(t, db.NewInsert().Model(&document{ID: 2}))
		got = document{ID: 2, Any: row.Any, Ptr: row.Ptr}
		require.NoError(t, db.NewSelect().Model(&got).WherePK().Scan(t.Context()))
		want := document{ID: 2}
		want.Nested.V = map[string][]address{}
		want.Ptr.V = &address{}
		want.Raw.V = json.RawMessage("null")
		require.Equal(t, want, got)
	})
}

// JSON's escape for NUL survives, or is refused: Bun would make six characters of it.
func TestJSONWithNUL(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*document)(nil)))
		createTables(t, db, (*document)(nil))
		row := &document{ID: 1, Text: models.JSON[string]{V: "a\x00b"}}
		_, err := db.NewInsert().Model(row).Exec(t.Context())
		if db.Dialect().Name() == dialect.PG {
			require.ErrorContains(t, err, "22P05")
			return
		}
		require.NoError(t, err)
		got := document{ID: 1}
		require.NoError(t, db.NewSelect().Model(&got).WherePK().Scan(t.Context()))
		require.Equal(t, row.Text, got.Text)
	})
}

func TestJSONPaths(t *testing.T) {
	type query struct{ index, where string }
	queries := map[dialect.Name]query{
		dialect.PG:     {"CREATE INDEX documents_city ON documents ((ptr->>'city'))", "ptr->>'city' = ?"},
		dialect.MySQL:  {"ALTER TABLE documents ADD city VARCHAR(100) AS (JSON_VALUE(ptr, '$.city')) VIRTUAL, ADD INDEX (city)", "JSON_VALUE(ptr, '$.city') = ?"},
		dialect.SQLite: {"CREATE INDEX documents_city ON documents (ptr->>'$.city')", "ptr->>'$.city' = ?"},
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*document)(nil)))
		createTables(t, db, (*document)(nil))
		q := queries[db.Dialect().Name()]
		exec(t, db.NewRaw(q.index))
		bonn, rome := &document{ID: 1}, &document{ID: 2}
		bonn.Ptr.V, rome.Ptr.V = &address{City: "Bonn"}, &address{City: "Rome"}
		exec(t, db.NewInsert().Model(&[]*document{bonn, rome}))
		var ids []int64
		require.NoError(t, db.NewSelect().Model((*document)(nil)).Column("id").Where(q.where, "Rome").Scan(t.Context(), &ids))
		require.Equal(t, []int64{2}, ids)
		for name, is := range map[string]models.Condition{
			"equal": models.Eq("ptr", bonn.Ptr), "one of one": models.In("ptr", bonn.Ptr), "none of one": models.NotIn("ptr", rome.Ptr),
			"one of two": models.In("ptr", bonn.Ptr, models.JSON[*address]{V: &address{City: "Kiel"}}), "not equal": models.Ne("ptr", rome.Ptr),
			"in a map": models.Filter(map[string]any{"ptr": bonn.Ptr}, "ptr"), "text": models.Eq("ptr", `{"city":"Bonn"}`),
			"neither of two": models.NotIn("ptr", rome.Ptr, models.JSON[*address]{V: &address{City: "Kiel"}}),
		} {
			ids = nil
			q := db.NewSelect().Model((*document)(nil)).Column("id").ApplyQueryBuilder(models.Where(is))
			require.NoError(t, q.Scan(t.Context(), &ids), name)
			require.Equal(t, []int64{1}, ids, "%s: %s", name, q)
		}
		ids = nil
		require.NoError(t, db.NewSelect().Model((*document)(nil)).Column("id").Where("ptr = "+jsonArgument(db), bonn.Ptr).Scan(t.Context(), &ids))
		require.Equal(t, []int64{1}, ids)
	})
}

// jsonArgument is how to compare a JSON column with an argument in SQL of one's own: MySQL alone takes a
// text for a JSON string.
func jsonArgument(db *bun.DB) string {
	if databaseOf(db).server.Product == "MySQL" {
		return "CAST(? AS JSON)"
	}
	return "?"
}

func TestJSONRefuses(t *testing.T) {
	j := models.JSON[address]{V: address{City: "old"}}
	for src, want := range map[any]string{
		"{":         "models: read JSON as models_test.address: unexpected end of JSON input",
		"[]":        "models: read JSON as models_test.address: json: cannot unmarshal array into Go value of type models_test.address",
		time.Time{}: "models: read JSON as models_test.address: the driver gave a time.Time",
	} {
		err := j.Scan(src)
		var failed *models.DecodeError
		require.ErrorAs(t, err, &failed)
		require.EqualError(t, err, want)
		require.Zero(t, j)
	}
	_, err := models.JSON[float64]{V: math.NaN()}.Value()
	var failed *models.EncodeError
	require.ErrorAs(t, err, &failed)
	require.EqualError(t, err, "models: encode float64: json: unsupported value: NaN")

	db := newSQLite(t)
	require.NoError(t, models.Register(db, (*nanField)(nil)))
	createTables(t, db, (*nanField)(nil))
	_, err = db.NewInsert().Model(&nanField{F: models.JSON[float64]{V: math.NaN()}}).Exec(t.Context())
	require.Error(t, err)
	require.Equal(t, "0", scalar(t, db, "SELECT count(*) FROM nan_fields"))
}

type nanField struct {
	F models.JSON[float64]
}

// A column that a migration made numeric gives SQLite's own numbers.
func TestJSONOfNumericColumn(t *testing.T) {
	db := newSQLite(t)
	var i models.JSON[int]
	require.NoError(t, db.NewRaw("SELECT 12").Scan(t.Context(), &i))
	require.Equal(t, 12, i.V)
	var f models.JSON[float64]
	require.NoError(t, db.NewRaw("SELECT 1.5").Scan(t.Context(), &f))
	require.Equal(t, 1.5, f.V)
}

func TestJSONInJSON(t *testing.T) {
	type payload struct{ A models.JSON[*address] }
	text, err := json.Marshal(payload{})
	require.NoError(t, err)
	require.Equal(t, `{"A":{}}`, string(text))
	p := payload{A: models.JSON[*address]{V: &address{City: "old", Zip: "1"}}}
	require.NoError(t, json.Unmarshal([]byte(`{"A":{"city":"new"}}`), &p))
	require.Equal(t, &address{City: "new"}, p.A.V)
}
