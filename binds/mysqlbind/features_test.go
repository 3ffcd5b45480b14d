package mysqlbind_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/feature"
)

// What the features of both products claim, the server does.
func TestDialectOnServer(t *testing.T) {
	db := articles(t)
	ctx := bounded(t)
	a := &article{Name: "lamp", Price: 1e-300}
	_, err := db.NewInsert().Model(a).Exec(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1, a.ID, "RETURNING brings it, or LAST_INSERT_ID")
	require.NoError(t, db.NewSelect().Model(a).WherePK().Scan(ctx))
	assert.WithinDuration(t, time.Now(), a.At, time.Minute)
	assert.Equal(t, 1e-300, a.Price)

	t.Run("ON DUPLICATE KEY UPDATE", func(t *testing.T) {
		_, err := db.NewInsert().Model(&article{ID: 1, Name: "desk", At: time.Now()}).On("DUPLICATE KEY UPDATE").Exec(ctx)
		require.NoError(t, err)
	})
	t.Run("WITH", func(t *testing.T) {
		var n int
		require.NoError(t, db.NewSelect().With("c", db.NewSelect().Model((*article)(nil)).Column("id")).
			TableExpr("c").ColumnExpr("COUNT(*)").Scan(ctx, &n))
		assert.Equal(t, 1, n)
	})
	t.Run("WITH VALUES", func(t *testing.T) {
		rows := []*article{{ID: 1, Name: "one"}, {ID: 2, Name: "two"}}
		var names []string
		require.NoError(t, db.NewSelect().With("v", db.NewValues(&rows).Column("id", "name")).
			TableExpr("v").ColumnExpr("v.name").OrderExpr("v.id").Scan(ctx, &names))
		assert.Equal(t, []string{"one", "two"}, names)
	})
	t.Run("a bulk UPDATE", func(t *testing.T) { bulkUpdate(ctx, t, db) })
	t.Run("DELETE", func(t *testing.T) { // MariaDB knows no alias there, and Bun then writes none
		id := map[bool]string{true: "a.id", false: "id"}[db.HasFeature(feature.DeleteTableAlias)]
		_, err := db.NewDelete().Model((*article)(nil)).Where(id + " = 99").Exec(ctx)
		require.NoError(t, err)
	})
	t.Run("the rest of the statements", func(t *testing.T) {
		exists, err := db.NewSelect().Model((*article)(nil)).Where("id = 1").Exists(ctx)
		require.NoError(t, err)
		assert.True(t, exists)
		_, err = db.NewUpdate().Model(&article{ID: 1, Name: "table"}).Column("name").WherePK().Exec(ctx)
		require.NoError(t, err)
		_, err = db.NewDelete().Model(&article{ID: 1}).WherePK().Exec(ctx)
		require.NoError(t, err)
		_, err = db.NewTruncateTable().Model((*article)(nil)).Exec(ctx)
		require.NoError(t, err)
	})
}

// bulkUpdate changes rows to several values by one statement. Bun's Bulk puts the values into a WITH before UPDATE,
// for which a dialect says feature.CTE; a subquery with a WITH of its own does the same, and MariaDB knows that.
func bulkUpdate(ctx context.Context, t *testing.T, db *bun.DB) {
	rows := []*article{{ID: 1, Name: "first"}, {ID: 99, Name: "no such row"}}
	_, err := db.NewUpdate().Model(&rows).Column("name").Bulk().Exec(ctx)
	if db.HasFeature(feature.CTE) {
		require.NoError(t, err)
	} else {
		require.ErrorContains(t, err, "1064")
	}
	assert.Equal(t, server() == mySQL, db.HasFeature(feature.CTE))

	rows[0].Name = "second"
	data := db.NewSelect().With("v", db.NewValues(&rows).Column("id", "name")).TableExpr("v")
	_, err = db.NewUpdate().Model((*article)(nil)).TableExpr("(?) AS data", data).
		Set("a.name = data.name").Where("a.id = data.id").Exec(ctx)
	require.NoError(t, err)
	var name string
	require.NoError(t, db.NewSelect().Model((*article)(nil)).Column("name").Where("id = 1").Scan(ctx, &name))
	assert.Equal(t, "second", name)
}

// What MariaDB alone has.
func TestDialectOnMariaDB(t *testing.T) {
	onProduct(t, mariaDB, "MySQL has no RETURNING, and no IF NOT EXISTS on indexes and columns")
	db := articles(t)
	ctx := bounded(t)
	a := &article{Name: "lamp"}
	_, err := db.NewInsert().Model(a).Exec(ctx)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), a.At, time.Minute, "INSERT … RETURNING brings the default")

	chair := &article{Name: "chair"}
	t.Run("INSERT RETURNING", func(t *testing.T) {
		var name string
		require.NoError(t, db.NewInsert().Model(chair).Returning("id, name").Scan(ctx, &chair.ID, &name))
		assert.Equal(t, "chair", name)
	})
	t.Run("DELETE RETURNING", func(t *testing.T) {
		gone := &article{ID: chair.ID}
		_, err := db.NewDelete().Model(gone).WherePK().Returning("*").Exec(ctx)
		require.NoError(t, err)
		assert.Equal(t, "chair", gone.Name)
	})
	t.Run("CREATE INDEX IF NOT EXISTS", func(t *testing.T) {
		for range 2 {
			_, err := db.NewCreateIndex().Model((*article)(nil)).Index("my_name").Column("name").IfNotExists().Exec(ctx)
			require.NoError(t, err)
		}
	})
	t.Run("ADD and DROP COLUMN IF EXISTS", func(t *testing.T) {
		for range 2 {
			_, err := db.NewAddColumn().Model((*article)(nil)).ColumnExpr("extra INT").IfNotExists().Exec(ctx)
			require.NoError(t, err)
		}
		_, err := db.NewDropColumn().Model((*article)(nil)).Column("extra").Exec(ctx)
		require.NoError(t, err)
	})
}
