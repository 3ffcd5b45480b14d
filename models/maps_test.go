package models_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// mapped has a composite key and a field of most kinds.
type mapped struct {
	bun.BaseModel `bun:"table:maps_rows"`
	models.Timestamps

	Tenant string `bun:",pk"`
	Number int64  `bun:"no,pk"`

	Small   int8
	Count   uint16
	Big     uint64
	Ratio   float64
	Coarse  float32
	Active  bool
	Label   string
	Kind    kind
	Maybe   *string
	MaybeNo *int32
	When    time.Time
	Raw     []byte
	Tags    []string
	Attrs   map[string]any
	Skipped string `bun:"-"`
	Shown   string `bun:",scanonly"`
}

type kind string

func TestToMap(t *testing.T) {
	hello := "hello"
	row := &mapped{Tenant: "acme", Number: 7, Maybe: &hello, Tags: []string{"a"}, Kind: "k", Skipped: "x", Shown: "y"}
	row.CreatedAt = day1

	m, err := models.ToMap(row)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"created_at": day1, "updated_at": time.Time{}, "tenant": "acme", "no": int64(7), "small": int8(0), "count": uint16(0),
		"big": uint64(0), "ratio": 0.0, "coarse": float32(0), "active": false, "label": "", "kind": kind("k"), "maybe": "hello",
		"maybe_no": nil, "when": time.Time{}, "raw": []byte(nil), "tags": []string{"a"}, "attrs": map[string]any(nil),
	}, m)

	m, err = models.ToMap(*row, models.Columns("label"), models.Columns("tags", "shown"))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"label": "", "tags": []string{"a"}, "shown": "y"}, m)
	m, err = models.ToMap(row, models.PrimaryKeyColumns())
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"tenant": "acme", "no": int64(7)}, m)
	m, err = models.ToMap(row, models.Columns())
	require.NoError(t, err)
	assert.Empty(t, m)

	_, err = models.ToMap(row, models.Columns("lable", "label", "Number"))
	var unknown *models.UnknownColumnError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, "lable", unknown.Column)
	assert.ErrorContains(t, err, `models: models_test.mapped has no column "lable" (did you mean "label"?): it has created_at, updated_at, tenant, no, `)
	assert.ErrorContains(t, err, `no column "Number"`)
	for _, wrong := range []any{nil, (*mapped)(nil), &[]mapped{}, 5} {
		_, err = models.ToMap(wrong)
		assert.ErrorContains(t, err, "it takes a struct or a pointer to one, not nil")
	}
}

func TestFromMapConverts(t *testing.T) {
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	hello, no := "hello", int32(5)
	for reason, row := range map[string]struct {
		column string
		value  any
		want   mapped
	}{
		"the same type":                 {"tenant", "acme", mapped{Tenant: "acme"}},
		"nil makes zero":                {"label", nil, mapped{}},
		"a whole float from JSON":       {"no", 7.0, mapped{Number: 7}},
		"a large whole float":           {"no", float64(1 << 62), mapped{Number: 1 << 62}},
		"an int to an unsigned":         {"count", 65535, mapped{Count: 65535}},
		"the largest unsigned":          {"big", uint64(math.MaxUint64), mapped{Big: math.MaxUint64}},
		"a json.Number":                 {"no", json.Number("9007199254740993"), mapped{Number: 9007199254740993}},
		"a json.Number with exponent":   {"no", json.Number("1e3"), mapped{Number: 1000}},
		"a string to an int":            {"small", "-8", mapped{Small: -8}},
		"bytes to an unsigned":          {"count", []byte("8"), mapped{Count: 8}},
		"an int to a float":             {"ratio", 3, mapped{Ratio: 3}},
		"a string to a float":           {"ratio", "2.5", mapped{Ratio: 2.5}},
		"a float to a narrower one":     {"coarse", 0.1, mapped{Coarse: 0.1}},
		"a number to a bool, as a scan": {"active", 1, mapped{Active: true}},
		"a string to a bool":            {"active", "true", mapped{Active: true}},
		"a string to a named one":       {"kind", "k", mapped{Kind: "k"}},
		"bytes to a string":             {"label", []byte("b"), mapped{Label: "b"}},
		"a number to a string":          {"label", 12, mapped{Label: "12"}},
		"a value to a pointer":          {"maybe", "hello", mapped{Maybe: &hello}},
		"a float to a pointer to int":   {"maybe_no", 5.0, mapped{MaybeNo: &no}},
		"a pointer to a value":          {"label", &hello, mapped{Label: "hello"}},
		"a nil pointer":                 {"label", (*string)(nil), mapped{}},
		"a time in RFC 3339":            {"when", "2024-02-29T12:00:00Z", mapped{When: noon}},
		"a time as databases write it":  {"when", "2024-02-29 12:00:00+00:00", mapped{When: noon}},
		"a date":                        {"when", "2024-02-29", mapped{When: noon.Add(-12 * time.Hour)}},
		"a string to bytes":             {"raw", "raw", mapped{Raw: []byte("raw")}},
		"a slice from JSON":             {"tags", []any{"a", "b"}, mapped{Tags: []string{"a", "b"}}},
		"JSON text":                     {"tags", `["a"]`, mapped{Tags: []string{"a"}}},
		"a map":                         {"attrs", map[string]any{"a": 1.0}, mapped{Attrs: map[string]any{"a": 1.0}}},
		"a scan-only column":            {"shown", "y", mapped{Shown: "y"}},
		"a mixin's column":              {"created_at", "2024-02-29T12:00:00Z", mapped{Timestamps: models.Timestamps{CreatedAt: noon}}},
	} {
		var got mapped
		if assert.NoError(t, models.FromMap(map[string]any{row.column: row.value}, &got, row.column), reason) {
			got.When, got.CreatedAt = got.When.UTC(), got.CreatedAt.UTC()
			row.want.When, row.want.CreatedAt = row.want.When.UTC(), row.want.CreatedAt.UTC()
			assert.Equal(t, row.want, got, reason)
		}
	}
}

func TestFromMapRefuses(t *testing.T) {
	for reason, row := range map[string]struct {
		column string
		value  any
	}{
		"a fraction":                       {"no", 7.5},
		"a fraction in text":               {"no", "7.5"},
		"a json.Number with a fraction":    {"no", json.Number("7.5")},
		"a json.Number beyond exactness":   {"no", json.Number("1e17")},
		"a float beyond int64":             {"no", float64(1 << 63)},
		"infinity":                         {"no", math.Inf(1)},
		"not a number":                     {"no", math.NaN()},
		"too large for the field":          {"small", 128},
		"too large for the field, in text": {"small", "128"},
		"negative to unsigned":             {"count", -1},
		"negative float to unsigned":       {"count", -1.0},
		"beyond uint64":                    {"big", float64(math.MaxUint64)},
		"unsigned beyond int64":            {"no", uint64(math.MaxUint64)},
		"an int that no float has":         {"ratio", int64(1<<53 + 1)},
		"beyond float32":                   {"coarse", 1e300},
		"no number at all":                 {"no", "s3cret"},
		"a bool to a number":               {"no", true},
		"a bool to a string":               {"label", true},
		"no time":                          {"when", "s3cret tomorrow, at noon or later"},
		"a number to a time":               {"when", 5},
		"a time to a number":               {"no", time.Now()},
		"no JSON":                          {"tags", "s3cret"},
		"JSON of another type":             {"tags", []any{1.0}},
		"what JSON cannot say":             {"tags", []any{func() {}}},
		"a time to a bool":                 {"active", time.Now()},
		"a slice to a number":              {"no", []any{1}},
		"not a bool":                       {"active", "s3cret"},
	} {
		got := mapped{Kind: "kept"}
		err := models.FromMap(map[string]any{row.column: row.value, "kind": "new"}, &got, row.column, "kind")
		var conversion *models.ConversionError
		if assert.ErrorAs(t, err, &conversion, reason) {
			assert.Equal(t, row.column, conversion.Column, reason)
			assert.ErrorContains(t, err, fmt.Sprintf("models: column %q of models_test.mapped: ", row.column), reason)
			assert.NotContains(t, err.Error(), "s3cret", reason)
		}
		assert.Equal(t, mapped{Kind: "kept"}, got, "%s: all or nothing", reason)
	}

	var got mapped
	err := models.FromMap(map[string]any{"lable": 1, "id": 2, "no": 1.5, "Skipped": 1, "small": 1}, &got, "label", "no", "small")
	assert.Equal(t, mapped{}, got)
	for _, part := range []string{`no column "lable" (did you mean "label"?)`, `no column "id"`, `no column "Skipped"`, `column "no" of models_test.mapped: float64 into int64: the number does not fit without loss`} {
		assert.ErrorContains(t, err, part)
	}
	for _, wrong := range []any{nil, mapped{}, (*mapped)(nil), &[]mapped{}} {
		assert.ErrorContains(t, models.FromMap(nil, wrong), "it takes a pointer to a struct, not nil")
	}
}

func TestMapsThroughTheDatabase(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*mapped)(nil))
		var row mapped
		require.NoError(t, models.FromMap(map[string]any{
			"tenant": "acme", "no": 7.0, "big": 12, "ratio": "2.5", "active": true, "maybe": "hello", "when": "2024-02-29T12:00:00Z",
			"raw": "raw", "tags": []any{"a"}, "attrs": map[string]any{"k": "v"},
		}, &row, "tenant", "no", "big", "ratio", "active", "maybe", "when", "raw", "tags", "attrs"))
		_, err := db.NewInsert().Model(&row).Exec(clockAt(t, day1))
		require.NoError(t, err)

		var read mapped
		require.NoError(t, db.NewSelect().Model(&read).Scan(t.Context()))
		read.CreatedAt, read.UpdatedAt, read.When = read.CreatedAt.UTC(), read.UpdatedAt.UTC(), read.When.UTC()
		want, err := models.ToMap(row)
		require.NoError(t, err)
		got, err := models.ToMap(read)
		require.NoError(t, err)
		assert.Equal(t, want, got)

		// What the driver returns for the row without a model fits the model.
		values := map[string]any{}
		require.NoError(t, db.NewSelect().Table("maps_rows").Column("tenant", "no", "big", "ratio", "active", "maybe", "when", "raw", "tags", "attrs").
			Scan(t.Context(), &values))
		var again mapped
		require.NoError(t, models.FromMap(values, &again, slices.Collect(maps.Keys(values))...))
		again.Timestamps, again.When = row.Timestamps, again.When.UTC()
		assert.Equal(t, row, again)
	})
}

func TestPrimaryKeys(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		for _, model := range []any{mapped{}, &mapped{}, (*mapped)(nil), []mapped{}, &[]*mapped{}} {
			keys, err := models.PrimaryKeys(db, model)
			require.NoError(t, err)
			assert.Equal(t, []string{"tenant", "no"}, keys)
		}
		keys, err := models.PrimaryKeys(db, (*everything)(nil))
		require.NoError(t, err)
		assert.Equal(t, []string{"id"}, keys)
		keys, err = models.PrimaryKeys(db, struct{ Name string }{})
		require.NoError(t, err)
		assert.Empty(t, keys)
		for _, wrong := range []any{nil, 5, "name", map[string]any{}} {
			_, err = models.PrimaryKeys(db, wrong)
			assert.ErrorContains(t, err, "it takes a struct, a slice of structs or a pointer to either")
		}
	})
}
