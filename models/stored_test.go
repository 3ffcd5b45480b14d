package models_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// watched tells whether gob has read one.
type watched struct{ Name string }

var gobReads int

func (w watched) GobEncode() ([]byte, error) { return []byte(w.Name), nil }
func (w *watched) GobDecode(data []byte) error {
	gobReads++
	w.Name = string(data)
	return nil
}

// ownStored is a type of a user's that decodes what it has written.
type ownStored string

func (*ownStored) Scan(any) error { gobReads++; return nil }
func (ownStored) StorageOnly()    {}

type storedRow struct {
	bun.BaseModel `bun:"table:stored_rows,alias:sr"`

	ID     int64 `bun:",pk"`
	One    models.Serialized[watched]
	Ptr    *models.Serialized[*watched]
	List   models.Serialized[[]string]
	Map    models.SerializedAs[map[string]any, models.AsJSON]
	Own    ownStored
	Pack   map[string]int `bun:",msgpack"`
	Card   models.Encrypted[string, storedCard]
	Floats models.Vector `bun:"type:vector(3)"`
	Null   sql.Null[models.Serialized[watched]]
	NullP  sql.Null[*models.Serialized[watched]]
	NullC  sql.Null[models.Encrypted[string, storedCard]]
	Named  named
}

// embeddedRow has a column that Register cannot ask for its type.
type embeddedRow struct {
	bun.BaseModel `bun:"table:embedded_rows,alias:er"`

	ID  int64 `bun:",pk"`
	Emb struct{ *models.Serialized[watched] }
}

// named has a Scan of its own, which is that of what it holds.
type named struct{ In []*models.Serialized[watched] }

func (n *named) Scan(src any) error {
	n.In = []*models.Serialized[watched]{{}}
	return n.In[0].Scan(src)
}

type storedCard struct{}

func (storedCard) Encryption() models.Encryption {
	return models.Encryption{Table: "stored_rows", Column: "card", Keys: testKeys, MaxBytes: 100}
}

// TestStorageIsNotForRequests sends what a codec wrote, and other things, as a request would: no codec reads them.
func TestStorageIsNotForRequests(t *testing.T) {
	db := newSQLite(t)
	require.NoError(t, models.Register(db, (*storedRow)(nil)))
	written := mustValue(t, models.Serialized[watched]{V: watched{"x"}}).([]byte)
	var sealedCard models.Encrypted[string, storedCard]
	require.NoError(t, sealedCard.Set(t.Context(), "4111", 1))
	find := func(where models.Condition) error {
		return db.NewSelect().Model((*storedRow)(nil)).ApplyQueryBuilder(models.Where(where)).Scan(t.Context())
	}
	gobReads = 0
	for _, column := range []string{"one", "ptr", "list", "map", "own", "pack", "card", "null", "nullp", "nullc", "named"} {
		for name, v := range map[string]any{
			"bytes": written, "text": string(written), "msgpack": "\x81\xa1p\x01", "msgpack's bytes": []byte("\x81\xa1p\x01"), "a number": 1, "a float": 1.5, "a bool": true, "JSON's text": json.Number("1"),
			"a list": []any{string(written)}, "a list of bytes": [][]byte{written}, "a range": models.Range{From: string(written)},
			"an array": [2]string{string(written), "x"}, "another struct": struct{ Other string }{"x"}, "a valuer": models.Serialized[int]{V: 1},
			"a pointer": &written, "a sealed value": sealed(t, sealedCard),
		} {
			where := []models.Condition{models.Filter(map[string]any{column: v}, column)}
			if name != "an array" && name != "a range" {
				where = append(where, models.Eq(column, v), models.Ne(column, v), models.In(column, "x", v))
			}
			for _, where := range where {
				var refused *models.FilterError
				require.ErrorAs(t, find(where), &refused, "%s: %s", column, name)
				text, ok := models.PublicText(refused)
				require.True(t, ok)
				require.Contains(t, []string{"a value that it cannot have", "a list in place of one value", "a value of another kind"}, strings.TrimPrefix(text, `"`+column+`": `), name)
			}
			var conversion *models.ConversionError
			row := storedRow{}
			require.ErrorAs(t, models.FromMap(map[string]any{column: v}, &row, column), &conversion, "%s: %s", column, name)
			require.Zero(t, row)
		}
		if column == "pack" {
			continue
		}
		var refused *models.FilterError
		_, err := models.FetchPage[storedRow](t.Context(), db.NewSelect(), models.Order{models.Asc(column)}, models.Position{}, 5)
		require.ErrorAs(t, err, &refused, column)
		require.ErrorAs(t, db.NewSelect().Model((*storedRow)(nil)).Apply(models.OrderBy(models.Asc(column))).Scan(t.Context()), &refused, column)
	}
	var row storedRow
	require.Error(t, json.Unmarshal([]byte(`{"One":"`+strings.Repeat("x", 9)+`"}`), &row), "JSON is JSON")
	for _, v := range []any{string(written), written, watched{"x"}, 1, map[string]any{}} {
		var refused *models.FilterError
		q := db.NewSelect().Model((*embeddedRow)(nil)).ApplyQueryBuilder(models.Where(models.Filter(map[string]any{"emb": v}, "emb")))
		require.ErrorAs(t, q.Scan(t.Context()), &refused)
		var panicked *models.PanicError
		require.NotErrorAs(t, refused, &panicked)
		require.NotErrorAs(t, models.FromMap(map[string]any{"emb": v}, new(embeddedRow), "emb"), &panicked)
		require.Error(t, models.FromMap(map[string]any{"emb": v}, new(embeddedRow), "emb"))
	}
	require.NoError(t, models.FromMap(map[string]any{"emb": nil}, new(embeddedRow), "emb"))
	require.Zero(t, gobReads)
}

// TestStoredColumnsTakeWhatTheyHold finds and sets values of the type that a column holds.
func TestStoredColumnsTakeWhatTheyHold(t *testing.T) {
	db := newSQLite(t) // PostgreSQL has no vectors; TestFieldsInConditions is for all
	require.NoError(t, models.Register(db, (*storedRow)(nil)))
	createTables(t, db, (*storedRow)(nil))
	values := map[string]any{
		"id": 1, "one": watched{"a"}, "ptr": &watched{"b"}, "list": []string{"x", "y"}, "map": map[string]any{"k": "v"}, "own": ownStored("o"),
		"pack": map[string]int{"p": 1}, "floats": []any{1.5, 2, json.Number("3")},
	}
	names := []string{"id", "one", "ptr", "list", "map", "own", "pack", "floats"}
	var row storedRow
	require.NoError(t, models.FromMap(values, &row, names...))
	require.Equal(t, storedRow{ID: 1, One: models.Serialized[watched]{V: watched{"a"}}, Ptr: &models.Serialized[*watched]{V: &watched{"b"}},
		List: models.Serialized[[]string]{V: []string{"x", "y"}}, Map: models.SerializedAs[map[string]any, models.AsJSON]{V: map[string]any{"k": "v"}},
		Own: "o", Pack: map[string]int{"p": 1}, Floats: models.Vector{1.5, 2, 3}}, row)
	exec(t, db.NewInsert().Model(&row))
	other := storedRow{ID: 2, Floats: models.Vector{1, 2, 3}}
	exec(t, db.NewInsert().Model(&other))

	for column, alike := range map[string][]any{
		"one": {watched{"a"}, &watched{"a"}, row.One, &row.One}, "ptr": {&watched{"b"}, row.Ptr, *row.Ptr},
		"list": {[]string{"x", "y"}, row.List}, "map": {map[string]any{"k": "v"}, row.Map},
	} {
		for _, v := range alike {
			for _, where := range []models.Condition{models.Filter(map[string]any{column: v}, column), models.Eq(column, v), models.In(column, v, nil)} {
				var ids []int64
				require.NoError(t, db.NewSelect().Model((*storedRow)(nil)).Column("id").ApplyQueryBuilder(models.Where(where, models.Ne("id", 2))).Scan(t.Context(), &ids))
				require.Equal(t, []int64{1}, ids, "%s: %T", column, v)
			}
		}
	}
	for _, nothing := range []any{nil, (*watched)(nil), (*models.Serialized[*watched])(nil)} {
		n, err := db.NewSelect().Model((*storedRow)(nil)).ApplyQueryBuilder(models.Where(models.Filter(map[string]any{"ptr": nothing}, "ptr"))).Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "%T", nothing)
		require.NoError(t, models.FromMap(map[string]any{"ptr": nothing}, &row, "ptr"))
		require.Nil(t, row.Ptr)
	}
	null := sql.Null[models.Serialized[watched]]{V: models.Serialized[watched]{V: watched{"n"}}, Valid: true}
	for _, v := range []any{watched{"n"}, null.V, null, &null} {
		got := storedRow{}
		require.NoError(t, models.FromMap(map[string]any{"null": v, "nullp": &null.V, "named": named{}}, &got, "null", "nullp", "named"), "%T", v)
		require.Equal(t, null, got.Null)
		require.Equal(t, sql.Null[*models.Serialized[watched]]{V: &null.V, Valid: true}, got.NullP)
		require.NoError(t, models.FromMap(map[string]any{"null": nil}, &got, "null"))
		require.Zero(t, got.Null)
	}
	for _, wrong := range []any{[]any{"x"}, []any{nil}, []any{[]any{1}}, make([]float64, models.MaxVectorElements+1)} {
		require.Error(t, models.FromMap(map[string]any{"floats": wrong}, &row, "floats"))
	}
}

// small is a document that takes 20 bytes.
type small map[string]string

func (small) MaxColumnBytes() int { return 20 }

// boundless takes any size.
type boundless string

func (boundless) MaxColumnBytes() int { return -1 }

// TestSizesAreBounded writes and reads what is too large.
func TestSizesAreBounded(t *testing.T) {
	long := strings.Repeat("x", models.MaxColumnBytes)
	big := []byte(`"` + long + `"`)
	for name, call := range map[string]func() error{
		"JSON written":       func() error { _, err := models.JSON[string]{V: long}.Value(); return err },
		"JSON read":          func() error { return new(models.JSON[string]).Scan(big) },
		"JSON in JSON":       func() error { return new(models.JSON[string]).UnmarshalJSON(big) },
		"a list written":     func() error { _, err := models.List[string]{long}.Value(); return err },
		"a list read":        func() error { return new(models.List[string]).Scan("[" + string(big) + "]") },
		"a list in JSON":     func() error { return new(models.List[string]).UnmarshalJSON([]byte("[" + string(big) + "]")) },
		"gob written":        func() error { _, err := models.Serialized[string]{V: long}.Value(); return err },
		"gob read":           func() error { return new(models.Serialized[string]).Scan(append([]byte{0xbd, 1}, big...)) },
		"serialized in JSON": func() error { return new(models.Serialized[string]).UnmarshalJSON(big) },
		"a vector written":   func() error { _, err := make(models.Vector, models.MaxVectorElements+1).Value(); return err },
		"a vector read":      func() error { return new(models.Vector).Scan(make([]byte, 4*models.MaxVectorElements+4)) },
		"a vector's text": func() error {
			return new(models.Vector).Scan("[1" + strings.Repeat(",1", models.MaxVectorElements) + "]")
		},
		"a vector's long text": func() error { return new(models.Vector).Scan(strings.Repeat(" ", 8<<20) + "[1]") },
		"a small one written":  func() error { _, err := models.JSON[small]{V: small{"a": "01234567890123456789"}}.Value(); return err },
		"a small one read": func() error {
			return new(models.SerializedAs[small, models.AsJSON]).Scan("\xbd\x02" + `{"a":"01234567890123456789"}`)
		},
		"a list of small ones": func() error { return new(models.List[small]).Scan(`[{"a":"1"},{"a":"1"},{"a":"1"}]`) },
		"a secret written": func() error {
			return new(models.Encrypted[string, storedCard]).Set(t.Context(), strings.Repeat("4", 101), 1)
		},
		"a secret read": func() error {
			var card models.Encrypted[string, storedCard]
			require.NoError(t, card.Set(t.Context(), "4111", 1))
			return card.Scan(append(sealed(t, card), make([]byte, 500)...))
		},
	} {
		err := call()
		var limit *models.LimitError
		require.ErrorAs(t, err, &limit, name)
		require.Less(t, limit.Max, limit.Got, name)
		require.Less(t, len(err.Error()), 300, name)
	}
	require.NoError(t, new(models.JSON[boundless]).Scan(big))
	require.NoError(t, new(models.JSON[small]).Scan(`{"a":"0123"}`))
	require.NoError(t, new(models.Encrypted[string, storedCard]).Set(t.Context(), strings.Repeat("4", 100), 1))
}

// TestGobAsksForWhatItHas reads a few bytes that say to be a large map: no memory is set aside for what is not there.
func TestGobAsksForWhatItHas(t *testing.T) {
	type inner struct{ M map[string]int }
	raw := mustValue(t, models.Serialized[[]inner]{V: []inner{{map[string]int{"a": 1}}}}).([]byte)
	entry := []byte{1, 1, 'a', 2} // one entry, a text of one byte, and its number
	at := bytes.LastIndex(raw, entry)
	require.Positive(t, at)
	length := -1
	for i := at; i > 0 && length < 0; i-- {
		if int(raw[i]) == len(raw)-i-1 {
			length = i
		}
	}
	require.Positive(t, length, "where the value's length is")
	forged := bytes.Clone(raw[:at])
	forged[length] += 3
	forged = append(append(forged, 0xfd, 0x08, 0, 0), raw[at+1:]...) // 1<<19 entries

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := new(models.Serialized[[]inner]).Scan(forged)
	runtime.ReadMemStats(&after)
	var failed *models.DecodeError
	require.ErrorAs(t, err, &failed)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))

	var back models.Serialized[[]inner]
	require.NoError(t, back.Scan(raw))
	require.Equal(t, 1, back.V[0].M["a"])
}
