package models_test

import (
	"database/sql"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/models"
)

type costCard struct{}

func (costCard) Encryption() models.Encryption {
	return models.Encryption{Table: "cost_fields", Column: "card", Keys: testKeys}
}

// costField has our types, rawField Bun's own for the same columns.
type costField struct {
	bun.BaseModel `bun:"table:cost_fields"`

	Body    models.LongText
	Address models.JSON[address]
	Tags    models.List[string]
	Card    models.Encrypted[string, costCard]
	State   models.SerializedAs[address, models.AsJSON]
	Status  models.Enum[status]
	Level   models.Enum[level]
}

type rawField struct {
	bun.BaseModel `bun:"table:cost_fields"`

	Body    string
	Address address
	Tags    []string
	Card    []byte
	State   address
	Status  string
	Level   int64
}

// costRows returns the same row in both ways.
func costRows(tb testing.TB) (*costField, *rawField) {
	tb.Helper()
	ours := &costField{Body: models.LongText(strings.Repeat("x", 200)), Address: models.JSON[address]{V: address{"Bonn", "53111"}},
		Tags: models.List[string]{"red", "green"}, State: models.SerializedAs[address, models.AsJSON]{V: address{City: "Rome"}},
		Status: models.MustEnum[status]("live"), Level: models.MustEnum[level](1)}
	require.NoError(tb, ours.Card.Set(tb.Context(), secret, 1))
	return ours, &rawField{Body: string(ours.Body), Address: ours.Address.V, Tags: ours.Tags, Card: sealed(tb, ours.Card),
		State: ours.State.V, Status: "live", Level: 1}
}

// costDB is a Bun DB that runs nothing.
func costDB(tb testing.TB, d schema.Dialect) *bun.DB {
	tb.Helper()
	db := bun.NewDB(new(sql.DB), d)
	require.NoError(tb, models.Register(db, (*costField)(nil)))
	return db
}

// A field is written and read with no more allocations than Bun makes for a column's own Go type.
func TestFieldAllocations(t *testing.T) {
	for _, d := range []schema.Dialect{pgdialect.New(), sqlitedialect.New()} {
		db := costDB(t, d)
		ours, raw := costRows(t)
		for _, f := range db.Table(reflect.TypeFor[costField]()).Fields {
			rf, err := db.Table(reflect.TypeFor[rawField]()).Field(f.Name)
			require.NoError(t, err)
			wrote, wantWrote := writing(db, f, ours), writing(db, rf, raw)
			src := fieldSource(t, raw, f.Name)
			rawSrc := src
			if f.Name == "state" {
				src = sealed(t, ours.State)
			}
			read, wantRead := reading(t, f, ours, src), reading(t, rf, raw, rawSrc)
			t.Logf("%s: %s: written with %g allocations (Bun's own %g), read with %g (%g)",
				db.Dialect().Name(), f.Name, wrote, wantWrote, read, wantRead)
			if !raced {
				require.LessOrEqual(t, wrote, wantWrote, "%s written", f.Name)
			}
			require.LessOrEqual(t, read, wantRead, "%s read", f.Name)
		}
	}
}

// writing counts what Bun does for each field that it inserts.
func writing(db *bun.DB, f *schema.Field, row any) float64 {
	b, v := make([]byte, 0, 4096), reflect.ValueOf(row).Elem()
	return testing.AllocsPerRun(100, func() {
		if !f.HasZeroValue(v) {
			b = f.AppendValue(db.QueryGen(), b[:0], v)
		}
	})
}

// reading counts the allocations of reading into a new row, which itself is one.
func reading(t *testing.T, f *schema.Field, row, src any) float64 {
	return testing.AllocsPerRun(100, func() {
		require.NoError(t, f.ScanValue(reflect.New(reflect.TypeOf(row).Elem()).Elem(), src))
	}) - 1
}

// fieldSource returns what a driver gives for a column.
func fieldSource(tb testing.TB, raw *rawField, column string) any {
	tb.Helper()
	switch column {
	case "address", "tags", "state":
		text, err := json.Marshal(map[string]any{"address": raw.Address, "tags": raw.Tags, "state": raw.State}[column])
		require.NoError(tb, err)
		return text
	}
	return map[string]any{"body": []byte(raw.Body), "card": raw.Card, "status": []byte(raw.Status), "level": raw.Level}[column]
}
