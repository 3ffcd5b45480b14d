package models_test

import (
	"database/sql/driver"
	"encoding/gob"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type session struct {
	User  string
	Seen  time.Time
	Score float64
	Tags  map[int][]string
}

// The encoding of a model's field changes: old rows stay readable, new ones get the new encoding.
type sessionGob struct {
	bun.BaseModel `bun:"table:serialized_sessions"`

	ID   int64 `bun:",pk"`
	Data models.Serialized[*session]
}

type sessionJSON struct {
	bun.BaseModel `bun:"table:serialized_sessions"`

	ID   int64 `bun:",pk"`
	Data models.SerializedAs[*session, models.AsJSON]
}

func TestSerializedEncodingChanges(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*sessionGob)(nil), (*sessionJSON)(nil)))
		createTables(t, db, (*sessionGob)(nil))
		s := &session{"ada", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), 1.5, map[int][]string{7: {"x"}}}
		old := &sessionGob{ID: 1}
		old.Data.V = s
		exec(t, db.NewInsert().Model(old))
		exec(t, db.NewInsert().Model(&sessionGob{ID: 2})) // nil

		var read []sessionJSON
		require.NoError(t, db.NewSelect().Model(&read).Order("id").Scan(t.Context()))
		require.Equal(t, s, read[0].Data.V)
		require.Nil(t, read[1].Data.V)
		exec(t, db.NewUpdate().Model(&read[0]).WherePK())
		require.Equal(t, "\xbd\x02{\"User\"", scalar(t, db, "SELECT data FROM serialized_sessions WHERE id = 1")[:9])

		var back sessionGob
		require.NoError(t, db.NewSelect().Model(&back).Where("id = 1").Scan(t.Context()))
		require.Equal(t, s, back.Data.V)
	})
}

func TestSerializedBig(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*sessionGob)(nil)))
		createTables(t, db, (*sessionGob)(nil))
		row := &sessionGob{ID: 1}
		row.Data.V = &session{User: strings.Repeat("\x00\xff'\\", 1<<18)}
		exec(t, db.NewInsert().Model(row))
		got := sessionGob{ID: 1}
		require.NoError(t, db.NewSelect().Model(&got).WherePK().Scan(t.Context()))
		require.True(t, row.Data.V.User == got.Data.V.User)
	})
}

func TestSerializedValues(t *testing.T) {
	serializedValue(t, 0)
	serializedValue(t, -5)
	serializedValue(t, math.Inf(1)) // JSON has none
	serializedValue(t, complex(1, 2))
	serializedValue(t, "")
	serializedValue(t, []string(nil))
	serializedValue(t, []string{"b", "a"})
	serializedValue(t, map[int]string(nil))
	serializedValue(t, (*session)(nil))
	serializedValue(t, &session{User: "x"})
	serializedValue(t, session{})
	gob.Register(session{})
	serializedValue[any](t, nil)
	serializedValue[any](t, session{User: "x"})
}

func serializedValue[T any](t *testing.T, want T) {
	t.Helper()
	in := models.Serialized[T]{V: want}
	raw, err := in.Value()
	require.NoError(t, err)
	out := models.Serialized[T]{V: want}
	require.NoError(t, out.Scan(raw))
	require.Equal(t, in, out)
	require.NoError(t, out.Scan(nil))
	require.Zero(t, out)
}

func TestSerializedRefuses(t *testing.T) {
	v := models.Serialized[int]{V: 7}
	for name, test := range map[string]struct {
		src  any
		want string
	}{
		"nothing":         {[]byte{}, "models: read serialized value as int: models: unknown encoding of no bytes: not a serialized value, or a later version's"},
		"a text":          {"x\x02{}", "models: read serialized value as int: models: unknown encoding 7802: not a serialized value, or a later version's"},
		"something else":  {"42", "models: read serialized value as int: models: unknown encoding 3432: not a serialized value, or a later version's"},
		"a later version": {[]byte{0xbd, 9, 1}, "models: read serialized value as int: models: unknown encoding bd09: not a serialized value, or a later version's"},
	} {
		err := v.Scan(test.src)
		var unknown *models.EncodingError
		require.ErrorAs(t, err, &unknown, name)
		require.EqualError(t, err, test.want, name)
		require.Zero(t, v.V)
	}
	for name, src := range map[string]any{
		"no gob":             []byte{0xbd, 1, 1},
		"no JSON":            []byte{0xbd, 2, '{'},
		"another type's gob": mustValue(t, models.Serialized[string]{V: "x"}),
		"a number":           int64(1),
	} {
		var failed *models.DecodeError
		require.ErrorAs(t, v.Scan(src), &failed, name)
	}
	_, err := models.Serialized[chan int]{V: make(chan int)}.Value()
	var failed *models.EncodeError
	require.ErrorAs(t, err, &failed)
}

func mustValue(t *testing.T, v driver.Valuer) any {
	t.Helper()
	raw, err := v.Value()
	require.NoError(t, err)
	return raw
}

func TestSerializedInJSON(t *testing.T) {
	text, err := json.Marshal(models.Serialized[session]{V: session{User: "ada"}})
	require.NoError(t, err)
	require.Contains(t, string(text), `{"User":"ada",`)
	var back models.Serialized[session]
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, "ada", back.V.User)
}

func FuzzSerialized(f *testing.F) {
	f.Add([]byte{0xbd, 2, '1'})
	f.Add([]byte{0xbd, 1, 3, 4, 0, 10})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v models.Serialized[map[string]int]
		if err := v.Scan(data); err != nil {
			var failed *models.DecodeError
			require.ErrorAs(t, err, &failed)
			require.Zero(t, v)
		}
	})
}
