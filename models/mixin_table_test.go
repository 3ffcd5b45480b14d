package models_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type indexed struct {
	bun.BaseModel `bun:"table:mixin_indexed"`
	models.EpochTimestamps

	ID int64 `bun:",pk,autoincrement"`
}

// indexes returns the names of a table's indexes.
func indexes(t *testing.T, db *bun.DB, table string) []string {
	t.Helper()
	var names []string
	query := "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = database() AND table_name = ?"
	switch db.Dialect().Name() {
	case dialect.PG:
		query = "SELECT indexname FROM pg_indexes WHERE tablename = ?"
	case dialect.SQLite:
		query = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
	}
	require.NoError(t, db.NewRaw(query, table).Scan(t.Context(), &names))
	return names
}

func TestEpochTimestampsAreIndexed(t *testing.T) {
	long := "mixin_indexed_" + strings.Repeat("x", 45)
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*indexed)(nil))
		want := []string{"mixin_indexed_create_time_idx", "mixin_indexed_update_time_idx", "mixin_indexed_create_date_idx", "mixin_indexed_update_date_idx"}
		assert.Subset(t, indexes(t, db, "mixin_indexed"), want)
		_, err := db.NewCreateTable().Model((*indexed)(nil)).IfNotExists().Exec(t.Context())
		require.NoError(t, err, "they may be there")

		defer func() {
			_, err := db.NewDropTable().Table(long).Exec(t.Context())
			require.NoError(t, err)
		}()
		_, err = db.NewCreateTable().Model((*indexed)(nil)).ModelTableExpr("?", bun.Ident(long)).Exec(t.Context())
		require.NoError(t, err)
		names := strings.Join(indexes(t, db, long), " ")
		assert.Equal(t, 4, strings.Count(names, "_idx"), names)
		assert.NotContains(t, names, "create_time", "too long for that")
	})
}

func TestColumnTypesOfMixins(t *testing.T) {
	want := map[dialect.Name]string{
		dialect.PG: "TIMESTAMPTZ NOT NULL", dialect.MySQL: "DATETIME(6) NOT NULL", dialect.SQLite: "TIMESTAMP NOT NULL",
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		q := db.NewCreateTable().Model((*everything)(nil))
		require.NoError(t, models.BeforeCreateTable(t.Context(), q))
		for _, column := range []string{"created_at", "updated_at", "create_date", "update_date"} {
			assert.Contains(t, strings.NewReplacer("`", "", `"`, "").Replace(q.String()), column+" "+want[db.Dialect().Name()])
		}
	})
}
