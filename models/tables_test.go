package models_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/models"
)

// measurement lies in one table a month.
type measurement struct {
	ID    int64 `bun:",pk,autoincrement"`
	Place string
	At    time.Time
	Value float64
}

// monthly is the name of a month's table.
func monthly(at time.Time) bun.Ident { return bun.Ident("measurements_" + at.Format("2006_01")) }

// TestDynamicTables goes through what an application does with one table a month, on every
// database.
func TestDynamicTables(t *testing.T) {
	february := time.Date(2026, 2, 10, 12, 0, 0, 0, time.UTC)
	name := monthly(february)
	eachDB(t, func(t *testing.T, db *bun.DB) {
		ctx := t.Context()
		_, err := db.NewCreateTable().Model((*measurement)(nil)).ModelTableExpr("?", name).IfNotExists().Exec(ctx)
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := db.NewDropTable().Model((*measurement)(nil)).ModelTableExpr("?", name).Exec(context.WithoutCancel(ctx))
			require.NoError(t, err)
		})
		_, err = db.NewCreateIndex().Model((*measurement)(nil)).ModelTableExpr("?", name).
			Index(string(name)+"_at").Column("place", "at").Exec(ctx)
		require.NoError(t, err)

		row := &measurement{Place: "roof", At: february, Value: 1}
		_, err = db.NewInsert().Model(row).ModelTableExpr("?", name).Exec(ctx)
		require.NoError(t, err)
		require.NotZero(t, row.ID)
		rows := []measurement{{Place: "roof", At: february.Add(time.Hour), Value: 2}, {Place: "cellar", At: february, Value: 3}}
		_, err = models.BulkInsert(ctx, db, rows, models.IntoTable("?", name))
		require.NoError(t, err)
		if !comeBack(db) {
			require.Zero(t, rows[1].ID)
			q := db.NewSelect().Model(&rows[1]).ModelTableExpr("? AS ?TableAlias", name).Where("place = ?", "cellar")
			require.NoError(t, q.Scan(ctx))
		}
		assert.NotZero(t, rows[1].ID)

		// With an alias, the conditions that name the model's columns go on working.
		_, err = db.NewUpdate().Model((*measurement)(nil)).ModelTableExpr("? AS ?TableAlias", name).
			Set("value = value * 10").Where("measurement.place = ?", "roof").Exec(ctx)
		require.NoError(t, err)
		_, err = db.NewDelete().Model(&rows[1]).ModelTableExpr("?", name).Where("id = ?", rows[1].ID).Exec(ctx)
		require.NoError(t, err)

		var latest []measurement
		q := db.NewSelect().Model(&latest).ModelTableExpr("? AS ?TableAlias", name)
		require.NoError(t, models.Latest(db, q, []string{"place"}, "at").Scan(ctx))
		require.Len(t, latest, 1)
		assert.InDelta(t, 20, latest[0].Value, 0)

		months := db.NewSelect().Model((*measurement)(nil)).ModelTableExpr("? AS ?TableAlias", name)
		var both []measurement
		require.NoError(t, months.UnionAll(months.Clone()).Scan(ctx, &both))
		assert.Len(t, both, 4, "several months at once")
	})
}

// One table a month: Bun's ModelTableExpr names it in every query, the rest stays as it is. The name
// goes in as a bun.Ident, which quotes it, so that a tenant's name may be part of it too.
func Example_dynamicTables() {
	ctx := context.Background()
	db := openExampleDB()
	defer closeExampleDB(db)

	at := time.Date(2026, 2, 10, 12, 0, 0, 0, time.UTC)
	table := bun.Ident("measurements_" + at.Format("2006_01"))

	_, err := db.NewCreateTable().Model((*measurement)(nil)).ModelTableExpr("?", table).IfNotExists().Exec(ctx)
	check(err)
	_, err = db.NewInsert().Model(&measurement{Place: "roof", At: at, Value: 1.5}).ModelTableExpr("?", table).Exec(ctx)
	check(err)

	var rows []measurement
	q := db.NewSelect().Model(&rows).
		ModelTableExpr("? AS ?TableAlias", table). // the alias keeps the model's columns apart in joins
		Where("place = ?", "roof")
	check(q.Scan(ctx))
	fmt.Println(rows[0].Place, rows[0].Value)
	fmt.Println(q)
	// Output:
	// roof 1.5
	// SELECT "measurement"."id", "measurement"."place", "measurement"."at", "measurement"."value" FROM "measurements_2026_02" AS "measurement" WHERE (place = 'roof')
}

// openExampleDB opens a database in memory, for examples.
func openExampleDB() *bun.DB {
	sqlDB, err := sql.Open("sqlite", ":memory:")
	check(err)
	sqlDB.SetMaxOpenConns(1) // each connection would have a database of its own
	return bun.NewDB(sqlDB, sqlitedialect.New())
}

func closeExampleDB(db *bun.DB) { check(db.Close()) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}
