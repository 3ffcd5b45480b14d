package binds_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	_ "modernc.org/sqlite"

	"github.com/bindery-go/bindery/binds"
)

// The same table with each form of marker.
type (
	thingByValue struct {
		bun.BaseModel `bun:"table:things"`
		Accounts
		ID   int64 `bun:",pk"`
		Name string
	}
	thingByPointer struct {
		bun.BaseModel `bun:"table:things"`
		*Accounts
		ID   int64 `bun:",pk"`
		Name string
	}
	valueMixin    struct{ Accounts }
	pointerMixin  struct{ *Accounts }
	thingInMixins struct {
		bun.BaseModel `bun:"table:things"`
		valueMixin
		*pointerMixin
		ID   int64 `bun:",pk"`
		Name string
	}
	thingUnexported struct {
		bun.BaseModel `bun:"table:things"`
		hidden
		ID   int64 `bun:",pk"`
		Name string
	}
)

var things = map[string]any{
	"by value":   (*thingByValue)(nil),
	"by pointer": (*thingByPointer)(nil),
	"in mixins":  (*thingInMixins)(nil),
	"unexported": (*thingUnexported)(nil),
}

func TestMarkerIsNoColumn(t *testing.T) {
	for name, row := range map[string]struct {
		dialect schema.Dialect
		want    string
	}{
		"PostgreSQL": {pgdialect.New(), `CREATE TABLE "things" ("id" BIGINT NOT NULL, "name" VARCHAR, PRIMARY KEY ("id"))`},
		"MySQL":      {mysqldialect.New(), "CREATE TABLE `things` (`id` BIGINT NOT NULL, `name` VARCHAR(255), PRIMARY KEY (`id`))"},
		"SQLite":     {sqlitedialect.New(), `CREATE TABLE "things" ("id" INTEGER NOT NULL, "name" VARCHAR, PRIMARY KEY ("id"))`},
	} {
		db := bun.NewDB(sql.OpenDB(&fakeConnector{driver: &fakeDriver{}}), row.dialect)
		for form, model := range things {
			text, err := db.NewCreateTable().Model(model).AppendQuery(db.QueryGen(), nil)
			require.NoError(t, err)
			assert.Equal(t, row.want, string(text), "%s, marker %s", name, form)
		}
		require.NoError(t, db.Close())
	}
}

// An embedded marker pointer stays nil: Bun never follows it, since it leads to no column.
func TestMarkerPointerIsNeverFollowed(t *testing.T) {
	ctx := context.Background()
	sqlDB, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	sqlDB.SetMaxOpenConns(1)
	db := bun.NewDB(sqlDB, sqlitedialect.New())
	defer func() { require.NoError(t, db.Close()) }()

	for form, model := range things {
		_, err := db.NewCreateTable().Model(model).IfNotExists().Exec(ctx)
		require.NoError(t, err, form)
	}
	_, err = db.NewInsert().Model(&[]*thingByPointer{{ID: 1, Name: "one"}, {ID: 2, Name: "two"}}).Exec(ctx)
	require.NoError(t, err)
	_, err = db.NewUpdate().Model(&thingInMixins{ID: 2, Name: "zwei"}).WherePK().Exec(ctx)
	require.NoError(t, err)

	var pointers []thingByPointer
	require.NoError(t, db.NewSelect().Model(&pointers).Order("id").Scan(ctx))
	assert.Equal(t, []thingByPointer{{ID: 1, Name: "one"}, {ID: 2, Name: "zwei"}}, pointers)
	var mixed thingInMixins
	require.NoError(t, db.NewSelect().Model(&mixed).Where("id = 2").Scan(ctx))
	assert.Equal(t, thingInMixins{ID: 2, Name: "zwei"}, mixed)
	_, err = binds.KeyOf(pointers)
	require.NoError(t, err)
}
