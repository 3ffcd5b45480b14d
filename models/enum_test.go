package models_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type ticket struct {
	bun.BaseModel `bun:"table:enum_tickets"`

	ID     int64               `bun:",pk"`
	Status models.Enum[status] `bun:",notnull"`
	Level  models.Enum[level]
}

func enumTable(t *testing.T, db *bun.DB) {
	t.Helper()
	require.NoError(t, models.Register(db, (*ticket)(nil)))
	exec(t, db.NewDropTable().Model((*ticket)(nil)).IfExists())
	exec(t, db.NewCreateTable().Model((*ticket)(nil)).
		ColumnExpr("CONSTRAINT enum_ticket_status CHECK (?)", models.EnumCheck[status]("status")).
		ColumnExpr("CHECK (?)", models.EnumCheck[level]("level")))
	t.Cleanup(func() { _, _ = db.NewDropTable().Model((*ticket)(nil)).Exec(t.Context()) })
}

func TestEnumChecksWhatIsRead(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*ticket)(nil)))
		createTables(t, db, (*ticket)(nil)) // without the constraints
		exec(t, db.NewRaw("INSERT INTO enum_tickets (id, status, level) VALUES (1, 'closed', 1), (2, 'live', 3), (3, 'it''s gone', 2)"))
		for id, want := range map[int64]models.EnumError{
			1: {Value: "closed", Allowed: []string{"draft", "live", "it's gone"}},
			2: {Value: "3", Allowed: []string{"0", "1", "2"}},
		} {
			var row ticket
			err := db.NewSelect().Model(&row).Where("id = ?", id).Scan(t.Context())
			var failed *models.EnumError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, want.Value, failed.Value)
			require.Equal(t, want.Allowed, failed.Allowed)
			require.ErrorContains(t, err, map[int64]string{1: `name "status"`, 2: `name "level"`}[id]) // database/sql's word
		}
		var row ticket
		require.NoError(t, db.NewSelect().Model(&row).Where("id = 3").Scan(t.Context()))
		require.Equal(t, status("it's gone"), row.Status.Get())
		require.Equal(t, level(2), row.Level.Get())
	})
}

func TestEnumChecksWhatIsWritten(t *testing.T) {
	_, err := models.EnumOf[status]("closed")
	require.EqualError(t, err, `models: "closed" is no models_test.status (have draft, live, it's gone)`)
	e := models.MustEnum[level](1)
	require.EqualError(t, e.Set(-1), `models: "-1" is no models_test.level (have 0, 1, 2)`)
	require.Equal(t, level(1), e.Get(), "a refused value changes nothing")
	require.Panics(t, func() { models.MustEnum[level](3) })

	eachDB(t, func(t *testing.T, db *bun.DB) {
		enumTable(t, db)
		exec(t, db.NewCreateIndex().Model((*ticket)(nil)).Index("enum_tickets_status").Column("status", "level"))
		_, err := db.NewInsert().Model(&ticket{ID: 1}).Exec(t.Context())
		require.Error(t, err, "no value, in a column that is never NULL")
		exec(t, db.NewInsert().Model(&ticket{ID: 1, Status: models.MustEnum[status]("it's gone")}))
		require.Equal(t, "0", scalar(t, db, "SELECT level FROM enum_tickets"), "zero is a value")
		for _, set := range []string{"status = 'closed'", "level = 7"} { // by other programs
			_, err = db.NewRaw("UPDATE enum_tickets SET " + set).Exec(t.Context())
			require.Error(t, err, set)
		}
		exec(t, db.NewRaw("UPDATE enum_tickets SET status = 'live', level = NULL"))
	})
}

func TestEnumWithoutValue(t *testing.T) {
	var e models.Enum[status]
	require.True(t, e.IsZero())
	require.Empty(t, e.String())
	v, err := e.Value()
	require.NoError(t, err)
	require.Nil(t, v)
	text, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, "null", string(text))

	e = models.MustEnum[status]("live")
	require.NoError(t, e.Scan(nil))
	require.True(t, e.IsZero())
	e = models.MustEnum[status]("live")
	require.Error(t, e.Scan("LIVE"))
	require.True(t, e.IsZero())
	require.EqualError(t, e.Scan(""), `models: "" is no models_test.status (have draft, live, it's gone)`)
	require.EqualError(t, e.Scan(1.5), `models: "1.5" is no models_test.status (have draft, live, it's gone)`)
}

func TestEnumInJSON(t *testing.T) {
	type payload struct {
		S models.Enum[status]
		L models.Enum[level]
		M map[models.Enum[status]]int
	}
	p := payload{models.MustEnum[status]("live"), models.MustEnum[level](2), map[models.Enum[status]]int{models.MustEnum[status]("draft"): 1}}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.Equal(t, `{"S":"live","L":2,"M":{"draft":1}}`, string(text))
	var back payload
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, p, back)
	require.NoError(t, json.Unmarshal([]byte(`{"S":null}`), &back))
	require.True(t, back.S.IsZero())
	for _, text := range []string{`{"S":"closed"}`, `{"L":3}`, `{"L":1.5}`, `{"L":"1"}`, `{"M":{"x":1}}`} {
		var failed *models.EnumError
		require.True(t, errors.As(json.Unmarshal([]byte(text), &payload{}), &failed), text)
	}
	require.Error(t, json.Unmarshal([]byte(`{"S":5}`), &payload{}))
}

type huge uint64

func (huge) Values() []huge { return []huge{math.MaxUint64} }

type ratio float64

func (ratio) Values() []ratio { return []ratio{0.5} }

func TestEnumUnusableTypes(t *testing.T) {
	_, err := models.EnumOf(ratio(0.5))
	require.EqualError(t, err, "models: enum models_test.ratio: not made of a string or an integer")
	_, err = models.EnumOf(huge(1))
	require.EqualError(t, err, "models: enum models_test.huge: value 18446744073709551615 does not fit a BIGINT")
}
