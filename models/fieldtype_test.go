package models_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dbfixture"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/models"
)

type address struct {
	City string `json:"city"`
	Zip  string `json:"zip,omitempty"`
}

type status string

func (status) Values() []status { return []status{"draft", "live", "it's gone"} }

type level int16

func (level) Values() []level { return []level{0, 1, 2} }

type everyCard struct{}

func (everyCard) Encryption() models.Encryption {
	return models.Encryption{Table: "every_fields", Column: "card", Keys: testKeys}
}

// everyField has a field of every type: as a value, as a pointer and with nullzero.
type everyField struct {
	bun.BaseModel `bun:"table:every_fields"`

	ID      int64 `bun:",pk"`
	OwnerID int64
	Owner   *fieldOwner `bun:"rel:belongs-to,join:owner_id=id"`

	Body    models.LongText
	Address models.JSON[address]
	Tags    models.List[string]
	Cache   models.Serialized[map[string]int]
	State   models.SerializedAs[address, models.AsJSON]
	Card    models.Encrypted[string, everyCard]
	Status  models.Enum[status]
	Level   models.Enum[level]

	BodyPtr    *models.LongText
	AddressPtr *models.JSON[address]
	TagsPtr    *models.List[int64]
	CachePtr   *models.Serialized[[]float64]
	LevelPtr   *models.Enum[level]

	BodyNull    models.LongText                      `bun:",nullzero"`
	AddressNull models.JSON[address]                 `bun:",nullzero"`
	TagsNull    models.List[string]                  `bun:",nullzero"`
	CacheNull   models.Serialized[map[string]string] `bun:",nullzero"`
	LevelNull   models.Enum[level]                   `bun:",nullzero"`
}

type fieldOwner struct {
	bun.BaseModel `bun:"table:field_owners"`

	ID    int64 `bun:",pk"`
	Bio   models.LongText
	Likes models.List[string]
	Rows  []*everyField `bun:"rel:has-many,join:id=owner_id"`
}

// everyType is what CREATE TABLE says of each field, on PostgreSQL, MySQL and SQLite.
var everyType = map[string][3]string{
	"body":         {"TEXT", "LONGTEXT", "TEXT"},
	"address":      {"JSONB", "JSON", "TEXT"},
	"tags":         {"JSONB", "JSON", "TEXT"},
	"cache":        {"BYTEA", "LONGBLOB", "BLOB"},
	"state":        {"BYTEA", "LONGBLOB", "BLOB"},
	"card":         {"BYTEA", "LONGBLOB", "BLOB"},
	"status":       {"VARCHAR", "VARCHAR(255)", "VARCHAR"},
	"level":        {"BIGINT", "BIGINT", "INTEGER"},
	"body_ptr":     {"TEXT", "LONGTEXT", "TEXT"},
	"address_ptr":  {"JSONB", "JSON", "TEXT"},
	"tags_ptr":     {"JSONB", "JSON", "TEXT"},
	"cache_ptr":    {"BYTEA", "LONGBLOB", "BLOB"},
	"level_ptr":    {"BIGINT", "BIGINT", "INTEGER"},
	"body_null":    {"TEXT", "LONGTEXT", "TEXT"},
	"address_null": {"JSONB", "JSON", "TEXT"},
	"tags_null":    {"JSONB", "JSON", "TEXT"},
	"cache_null":   {"BYTEA", "LONGBLOB", "BLOB"},
	"level_null":   {"BIGINT", "BIGINT", "INTEGER"},
}

var dialectIndex = map[dialect.Name]int{dialect.PG: 0, dialect.MySQL: 1, dialect.SQLite: 2}

func everyRow(t *testing.T, id int64) *everyField {
	t.Helper()
	row := &everyField{ID: id, OwnerID: 1,
		Body:    models.LongText(`it's "long" \ ünï ` + strings.Repeat("x", 300)),
		Address: models.JSON[address]{V: address{City: `O'Fallon \ "IL" ☃`}},
		Tags:    models.List[string]{"z", "a", "it's \\", ""},
		Cache:   models.Serialized[map[string]int]{V: map[string]int{"a": 1}},
		State:   models.SerializedAs[address, models.AsJSON]{V: address{City: "Bonn"}},
		Status:  models.MustEnum[status]("it's gone"),
		Level:   models.MustEnum[level](2),

		BodyPtr:    new(models.LongText("pointed")),
		AddressPtr: &models.JSON[address]{V: address{Zip: "53111"}},
		TagsPtr:    &models.List[int64]{3, 1, 1 << 60},
		CachePtr:   &models.Serialized[[]float64]{V: []float64{0.1, 1e300}},
		LevelPtr:   new(models.MustEnum[level](1)),

		BodyNull:    "set",
		AddressNull: models.JSON[address]{V: address{City: "set"}},
		TagsNull:    models.List[string]{"set"},
		CacheNull:   models.Serialized[map[string]string]{V: map[string]string{"set": ""}},
		LevelNull:   models.MustEnum[level](2),
	}
	require.NoError(t, row.Card.Set(t.Context(), "4111", row.ID))
	return row
}

func everyTable(t *testing.T, db *bun.DB) {
	t.Helper()
	require.NoError(t, models.Register(db, (*fieldOwner)(nil))) // its relation brings everyField
	createTables(t, db, (*fieldOwner)(nil), (*everyField)(nil))
	exec(t, db.NewInsert().Model(&fieldOwner{ID: 1, Bio: "about", Likes: models.List[string]{"tea"}}))
}

type execer interface {
	Exec(ctx context.Context, dest ...any) (sql.Result, error)
}

func exec(t *testing.T, q execer) {
	t.Helper()
	_, err := q.Exec(t.Context())
	require.NoError(t, err)
}

// scalar runs a query of the database's own and returns its one value as text; "NULL" is NULL.
func scalar(t *testing.T, db *bun.DB, query string, args ...any) string {
	t.Helper()
	var v sql.NullString
	require.NoError(t, db.NewRaw(query, args...).Scan(t.Context(), &v))
	if !v.Valid {
		return "NULL"
	}
	return v.String
}

func TestColumnTypes(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db) // the server takes it
		ddl := db.NewCreateTable().Model((*everyField)(nil)).String()
		t.Log(strings.ReplaceAll(ddl, ", ", ",\n\t"))
		for column, types := range everyType {
			def := string(db.QueryGen().AppendIdent(nil, column)) + " " + types[dialectIndex[db.Dialect().Name()]]
			require.Contains(t, ddl, ", "+def)
			require.Regexp(t, regexp.QuoteMeta(def)+"[,)]", ddl)
		}
	})
}

func TestFieldsRoundTrip(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			exec(t, idb.NewDelete().Model((*everyField)(nil)).Where("1 = 1"))
			full, other, zero := everyRow(t, 1), everyRow(t, 2), &everyField{ID: 3, OwnerID: 1}
			exec(t, idb.NewInsert().Model(full))
			exec(t, idb.NewInsert().Model(&[]*everyField{other, zero}))
			want := []*everyField{full, other, zero}

			var got everyField
			require.NoError(t, idb.NewSelect().Model(&got).Where("id = 1").Scan(t.Context()))
			sameFields(t, full, &got)
			var ptrs []*everyField
			require.NoError(t, idb.NewSelect().Model(&ptrs).Order("id").Scan(t.Context()))
			var values []everyField
			require.NoError(t, idb.NewSelect().Model(&values).Order("id").Scan(t.Context()))
			owner := fieldOwner{ID: 1}
			require.NoError(t, idb.NewSelect().Model(&owner).WherePK().Relation("Rows", func(q *bun.SelectQuery) *bun.SelectQuery {
				return q.Order("id")
			}).Scan(t.Context()))
			for i := range want {
				sameFields(t, want[i], ptrs[i])
				sameFields(t, want[i], &values[i])
				sameFields(t, want[i], owner.Rows[i])
			}

			// A value that is read over another leaves nothing of it.
			again := everyRow(t, 3)
			again.BodyPtr, again.AddressPtr, again.TagsPtr, again.CachePtr, again.LevelPtr = nil, nil, nil, nil, nil
			require.NoError(t, idb.NewSelect().Model(again).WherePK().Scan(t.Context()))
			sameFields(t, zero, again)
		})
	})
}

// sameFields compares the columns: nil and empty are one where the type says so.
func sameFields(t *testing.T, want, got *everyField) {
	t.Helper()
	w, g := *want, *got
	w.Owner, g.Owner = nil, nil
	if w.Tags == nil {
		w.Tags = models.List[string]{} // it is never NULL by default
	}
	require.Equal(t, w, g)
	card, err := g.Card.Get(t.Context(), g.ID)
	require.NoError(t, err)
	require.Equal(t, g.Card.IsZero(), card == "")
}

func TestFieldsInJoin(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		exec(t, db.NewInsert().Model(everyRow(t, 1)))
		var got everyField
		require.NoError(t, db.NewSelect().Model(&got).Relation("Owner").Where("every_field.id = 1").Scan(t.Context()))
		require.Equal(t, models.LongText("about"), got.Owner.Bio)
		require.Equal(t, models.List[string]{"tea"}, got.Owner.Likes)
		require.Equal(t, everyRow(t, 1).Address, got.Address)

		exec(t, db.NewInsert().Model(&everyField{ID: 2, OwnerID: 99}))
		got = everyField{}
		require.NoError(t, db.NewSelect().Model(&got).Relation("Owner").Where("every_field.id = 2").Scan(t.Context()))
		require.Nil(t, got.Owner, "NULLs of a row that is not there make none")
	})
}

func TestZeroFieldsInTheDatabase(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		exec(t, db.NewInsert().Model(&everyField{ID: 1}))
		for column, want := range map[string]string{
			"body": "", "address": `{"city": ""}`, "tags": "[]", "level": "0",
			"status": "NULL", "card": "NULL", // no value: none is made up
			"body_ptr": "NULL", "address_ptr": "NULL", "tags_ptr": "NULL", "cache_ptr": "NULL", "level_ptr": "NULL",
			"body_null": "NULL", "address_null": "NULL", "tags_null": "NULL", "cache_null": "NULL", "level_null": "NULL",
		} {
			got := scalar(t, db, "SELECT ? FROM every_fields", bun.Ident(column))
			require.Equal(t, strings.ReplaceAll(want, " ", ""), strings.ReplaceAll(got, " ", ""), column)
		}
		for _, column := range []string{"cache", "state"} {
			require.Equal(t, "\xbd\x00", scalar(t, db, "SELECT ? FROM every_fields", bun.Ident(column)))
		}
	})
}

func TestNullFieldsReadAsZero(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		exec(t, db.NewInsert().Model(everyRow(t, 1)))
		q := db.NewUpdate().Table("every_fields").Where("id = 1")
		for column := range everyType {
			q.Set("? = NULL", bun.Ident(column))
		}
		exec(t, q)
		var got everyField
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		require.Equal(t, everyField{ID: 1, OwnerID: 1}, got)
	})
}

func TestFieldsInUpdates(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		exec(t, db.NewInsert().Model(&[]*everyField{{ID: 1, OwnerID: 1}, {ID: 2, OwnerID: 1}}))
		one, two := everyRow(t, 1), everyRow(t, 2)
		exec(t, db.NewUpdate().Model(one).WherePK())
		if db.HasFeature(feature.WithValues) { // the casts of the values are the columns' types
			rows := []*everyField{two}
			q := db.NewUpdate().With("_data", db.NewValues(&rows)).Model((*everyField)(nil)).TableExpr("_data").
				Where("every_field.id = _data.id")
			for _, column := range []string{"body", "address", "cache", "card", "tags", "level"} {
				target := bun.Safe(column)
				if db.HasFeature(feature.UpdateMultiTable) { // MySQL takes a column of any of the tables
					target = "every_field." + target
				}
				q.Set("? = _data.?", target, bun.Safe(column))
			}
			exec(t, q)
			var got everyField
			require.NoError(t, db.NewSelect().Model(&got).Where("id = 2").Scan(t.Context()))
			require.Equal(t, []any{two.Body, two.Address, two.Cache, two.Tags, two.Level}, []any{got.Body, got.Address, got.Cache, got.Tags, got.Level})
		}
		exec(t, db.NewUpdate().Model(two).WherePK())
		var got []*everyField
		require.NoError(t, db.NewSelect().Model(&got).Order("id").Scan(t.Context()))
		sameFields(t, one, got[0])
		sameFields(t, two, got[1])
	})
}

func TestFieldsInMapsAndSingly(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		row := everyRow(t, 7)
		exec(t, db.NewInsert().Model(&map[string]any{
			"id": row.ID, "body": row.Body, "address": row.Address, "tags": row.Tags, "cache": &row.Cache,
			"card": row.Card, "status": row.Status, "level": &row.Level,
		}).Table("every_fields"))

		var got everyField
		require.NoError(t, db.NewSelect().Table("every_fields").Column("body", "address", "tags", "cache", "card", "status", "level").
			Scan(t.Context(), &got.Body, &got.Address, &got.Tags, &got.Cache, &got.Card, &got.Status, &got.Level))
		require.Equal(t, []any{row.Body, row.Address, row.Tags, row.Cache, row.Card, row.Status, row.Level},
			[]any{got.Body, got.Address, got.Tags, got.Cache, got.Card, got.Status, got.Level})

		// Bun takes a slice of structs for rows, so this is for the types that are none.
		var all []models.LongText
		require.NoError(t, db.NewSelect().Table("every_fields").Column("body").Scan(t.Context(), &all))
		require.Equal(t, []models.LongText{row.Body}, all)

		var m map[string]any
		require.NoError(t, db.NewSelect().Table("every_fields").Column("id", "level").Scan(t.Context(), &m))
		require.EqualValues(t, 2, m["level"])

		// Without Bun: database/sql's own arguments and destinations.
		var tags models.List[string]
		require.NoError(t, db.DB.QueryRowContext(t.Context(), "SELECT tags FROM every_fields").Scan(&tags))
		require.Equal(t, row.Tags, tags)
	})
}

func TestFieldsInConditions(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		row := everyRow(t, 7)
		exec(t, db.NewInsert().Model(&[]*everyField{row, {ID: 8, OwnerID: 1}}))
		for name, q := range map[string]*bun.SelectQuery{
			"long text":          db.NewSelect().Where("body = ?", row.Body),
			"JSON":               db.NewSelect().Where("address = "+jsonArgument(db), row.Address),
			"a pointer to JSON":  db.NewSelect().Where("address = "+jsonArgument(db), &row.Address),
			"list":               db.NewSelect().Where("tags = "+jsonArgument(db), row.Tags),
			"an element":         db.NewSelect().Where("?", models.ListHas("tags", `it's \`)),
			"serialized JSON":    db.NewSelect().Where("state = ?", row.State),
			"encrypted presence": db.NewSelect().Where("card IS NOT NULL"),
			"enum":               db.NewSelect().Where("status = ?", row.Status),
			"enum's own type":    db.NewSelect().Where("status = ?", status("it's gone")),
			"enums":              db.NewSelect().Where("level IN (?)", bun.List([]models.Enum[level]{row.Level})),
			"long texts":         db.NewSelect().Where("body IN (?)", bun.List([]models.LongText{row.Body, "x"})),
		} {
			var ids []int64
			require.NoError(t, q.Model((*everyField)(nil)).Column("id").Scan(t.Context(), &ids), name)
			require.Equal(t, []int64{7}, ids, name)
		}
		for column, value := range map[string]any{
			"body": row.Body, "address": row.Address, "tags": row.Tags, "cache": row.Cache, "state": row.State, "status": row.Status, "level": row.Level,
			"body_ptr": row.BodyPtr, "address_ptr": row.AddressPtr, "tags_ptr": row.TagsPtr, "cache_ptr": row.CachePtr, "level_ptr": row.LevelPtr,
		} {
			for name, is := range map[string]models.Condition{
				"equal": models.Eq(column, value), "list": models.In(column, value), "map": models.Filter(map[string]any{column: value}, column),
			} {
				var ids []int64
				q := db.NewSelect().Model((*everyField)(nil)).Column("id").ApplyQueryBuilder(models.Where(is))
				require.NoError(t, q.Scan(t.Context(), &ids), "%s: %s", column, name)
				require.Equal(t, []int64{7}, ids, "%s: %s: %s", column, name, q)
			}
		}
	})
}

// newSQLite opens a database of the test's own, with a schema that no other test has touched.
func newSQLite(tb testing.TB) *bun.DB {
	tb.Helper()
	sqlDB, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(tb.TempDir(), "own.db")))
	require.NoError(tb, err)
	db := bun.NewDB(sqlDB, sqlitedialect.New())
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func TestFieldsInFixtures(t *testing.T) {
	db := newSQLite(t)
	require.NoError(t, models.Register(db, (*everyField)(nil)))
	createTables(t, db, (*everyField)(nil))
	load := func(row string) error {
		text := "- model: EveryField\n  rows:\n    - {id: 1, " + row + "}\n"
		return dbfixture.New(db).Load(t.Context(), fstest.MapFS{"f.yaml": {Data: []byte(text)}}, "f.yaml")
	}
	require.NoError(t, load(`body: text, address: {city: Bonn}, tags: [b, a], cache: {x: 1}, state: {city: Rome}, status: live, level: 2`))
	var got everyField
	require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
	require.Equal(t, everyField{ID: 1, Body: "text", Address: models.JSON[address]{V: address{City: "Bonn"}},
		Tags: models.List[string]{"b", "a"}, Cache: models.Serialized[map[string]int]{V: map[string]int{"x": 1}},
		State:  models.SerializedAs[address, models.AsJSON]{V: address{City: "Rome"}},
		Status: models.MustEnum[status]("live"), Level: models.MustEnum[level](2)}, got)

	require.ErrorIs(t, load("card: plaintext"), models.ErrNotEncrypted)
	require.ErrorIs(t, load("card: 4111"), models.ErrRedacted)
	var unknown *models.EnumError
	require.ErrorAs(t, load("status: closed"), &unknown)
}

// A manager's DBs, whose dialects are bindery's own, do the same.
func TestFieldsThroughManager(t *testing.T) {
	eachBind(t, func(t *testing.T, db *bun.DB) {
		everyTable(t, db)
		row := everyRow(t, 1)
		exec(t, db.NewInsert().Model(row))
		var got everyField
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		sameFields(t, row, &got)
		ddl := db.NewCreateTable().Model((*everyField)(nil)).String()
		require.Contains(t, ddl, everyType["cache"][dialectIndex[db.Dialect().Name()]])
	})
}
