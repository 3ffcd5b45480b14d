package models_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"go.yaml.in/yaml/v3"

	"github.com/bindery-go/bindery/models"
)

type numbersStruct struct {
	N    any            `json:"n"`
	Many []any          `json:"many"`
	Deep map[string]any `json:"deep"`
	Own  json.Number    `json:"own"`
	Ptr  *any           `json:"ptr"`
}

type numbersRow struct {
	bun.BaseModel `bun:"table:json_numbers,alias:jn"`

	ID     int64 `bun:",pk"`
	Map    models.JSON[map[string]any]
	Any    models.JSON[any]
	Struct models.JSON[numbersStruct]
	Slice  models.JSON[[]map[string][]any]
	List   models.List[any]
	Bytes  models.SerializedAs[map[string]any, models.AsJSON]
}

// longNumbers are numbers that are as long as each database keeps them.
func longNumbers(db *bun.DB) []string {
	numbers := []string{"9007199254740993", "-9007199254740993", "18446744073709551615", "9223372036854775807", "7", "-0.5", "0"}
	if databaseOf(db).server.Product != "MySQL" { // whose JSON has doubles
		numbers = append(numbers, "0.10000000000000000001", "12345678901234567890.123456789", "123456789012345678901234567890")
	}
	return numbers
}

// TestJSONNumbersKeepTheirDigits reads numbers that others wrote into anys, of each kind of place, and writes them back.
func TestJSONNumbersKeepTheirDigits(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*numbersRow)(nil)))
		createTables(t, db, (*numbersRow)(nil))
		for i, n := range longNumbers(db) {
			row := &numbersRow{ID: int64(i)}
			for place, text := range map[json.Unmarshaler]string{
				&row.Map: `{"n": %s, "text": "9007199254740993", "a": [[%[1]s]]}`, &row.Any: `%s`,
				&row.Struct: `{"n": %s, "many": [1.5, %[1]s], "deep": {"d": {"n": %[1]s}}, "own": %[1]s, "ptr": %[1]s}`, &row.Slice: `[{"a": [%s]}]`,
				&row.List: `[%s, 2]`, &row.Bytes: `{"n": %s}`,
			} {
				require.NoError(t, json.Unmarshal(fmt.Appendf(nil, text, n), place))
			}
			_, err := db.NewInsert().Model(row).Exec(t.Context())
			require.NoError(t, err)
			read := numbersRow{ID: row.ID}
			require.NoError(t, db.NewSelect().Model(&read).WherePK().Scan(t.Context()))
			require.Equal(t, *row, read, n)
			_, err = db.NewUpdate().Model(&read).WherePK().Exec(t.Context())
			require.NoError(t, err)
			for _, column := range []string{"map", "any", "struct", "slice", "list"} {
				var text string
				require.NoError(t, db.NewSelect().Model((*numbersRow)(nil)).Column(column).Where("id = ?", row.ID).Scan(t.Context(), &text))
				require.Contains(t, text, n, column)
			}
			var found *string
			require.NoError(t, db.NewSelect().Model((*numbersRow)(nil)).ColumnExpr("?", models.JSONText("map", "n")).Where("id = ?", row.ID).Scan(t.Context(), &found))
			require.Equal(t, n, *found)
			count, err := db.NewSelect().Model((*numbersRow)(nil)).ApplyQueryBuilder(models.Where(models.Eq("map", read.Map))).Count(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, int(count), "rows equal to what was read")
		}
	})
}

// TestJSONNumberTypes says what a number is in an any.
func TestJSONNumberTypes(t *testing.T) {
	for text, want := range map[string]any{
		"1": 1.0, "-1.50": -1.5, "1e2": 100.0, "0.1": 0.1, "9007199254740992": 9007199254740992.0, "1e300": 1e300, "0": 0.0, "0.000": 0.0,
		"123456789012345680000": 123456789012345680000.0, "9007199254740993": json.Number("9007199254740993"), "1e400": json.Number("1e400"), "1e-400": json.Number("1e-400"),
		"0.10000000000000000001": json.Number("0.10000000000000000001"), `"9007199254740993"`: "9007199254740993", "true": true, `{"a":1234567890123456789}`: map[string]any{"a": json.Number("1234567890123456789")},
	} {
		var j models.JSON[any]
		require.NoError(t, j.Scan(text))
		require.Equal(t, want, j.V, text)
		back, err := json.Marshal(j)
		require.NoError(t, err)
		if n, ok := want.(json.Number); ok {
			require.Equal(t, n.String(), string(back))
		}
	}
	var j models.JSON[any]
	for _, bad := range []string{"9007199254740993 1", "9007199254740993}", "[9007199254740993", ""} {
		require.Error(t, j.Scan(bad), bad)
	}
	var typed models.JSON[struct{ N int64 }]
	require.NoError(t, typed.Scan(`{"N":9007199254740993}`))
	require.Equal(t, int64(9007199254740993), typed.V.N)
}

// TestYAMLNumbersKeepTheirDigits reads a fixture.
func TestYAMLNumbersKeepTheirDigits(t *testing.T) {
	var row struct {
		Map  models.JSON[map[string]any]
		Any  models.JSON[any]
		Data models.SerializedAs[map[string]any, models.AsJSON]
	}
	text := `
map: {n: 12345678901234567890.12, i: 9007199254740993, deep: {list: [1.5, 123456789012345678901234567890]}, s: "1.5", none: null, inf: .inf}
any: 0.10000000000000000001
data: {n: 12345678901234567890123}
`
	require.NoError(t, yaml.Unmarshal([]byte(text), &row))
	require.Equal(t, json.Number("12345678901234567890.12"), row.Map.V["n"])
	require.EqualValues(t, int64(9007199254740993), row.Map.V["i"])
	require.Equal(t, []any{1.5, json.Number("123456789012345678901234567890")}, row.Map.V["deep"].(map[string]any)["list"])
	require.Equal(t, "1.5", row.Map.V["s"])
	require.Nil(t, row.Map.V["none"])
	require.Equal(t, json.Number("0.10000000000000000001"), row.Any.V)
	require.Equal(t, json.Number("12345678901234567890123"), row.Data.V["n"])
}

type plainNumbersRow struct {
	ID   int64 `bun:",pk"`
	F    float64
	Data map[string]any
}

// TestFromMapKeepsDigits refuses what does not fit and keeps what does.
func TestFromMapKeepsDigits(t *testing.T) {
	var row plainNumbersRow
	require.Error(t, models.FromMap(map[string]any{"f": json.Number("9007199254740993")}, &row, "f"))
	require.NoError(t, models.FromMap(map[string]any{"f": json.Number("9007199254740992")}, &row, "f"))
	require.NoError(t, models.FromMap(map[string]any{"data": map[string]int64{"n": 9007199254740993}}, &row, "data"))
	require.Equal(t, json.Number("9007199254740993"), row.Data["n"])
}
