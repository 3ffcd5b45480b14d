package models_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type upserted struct {
	bun.BaseModel `bun:"table:mixin_upserted,alias:u"`
	models.Timestamps
	models.EpochTimestamps
	models.Version

	Code  string `bun:",pk"`
	Name  string
	Other string
}

// conflict is the ON clause of an upsert by code.
func conflict(db bun.IDB) string {
	if db.Dialect().Name() == dialect.MySQL {
		return "DUPLICATE KEY UPDATE"
	}
	return "CONFLICT (code) DO UPDATE"
}

// excluded is the value that the insert of an upsert would have written.
func excluded(db bun.IDB, column string) string {
	if db.Dialect().Name() == dialect.MySQL {
		return "VALUES(" + column + ")"
	}
	return "EXCLUDED." + column
}

func TestMixinsOnUpserts(t *testing.T) {
	for name, upsert := range map[string]func(*bun.InsertQuery, bun.IDB) *bun.InsertQuery{
		"of all columns": func(q *bun.InsertQuery, db bun.IDB) *bun.InsertQuery { return q.On(conflict(db)) },
		"of chosen columns": func(q *bun.InsertQuery, db bun.IDB) *bun.InsertQuery {
			return q.Column("code", "name").On(conflict(db))
		},
		"by set": func(q *bun.InsertQuery, db bun.IDB) *bun.InsertQuery {
			return q.On(conflict(db)).Set("name = " + excluded(db, "name"))
		},
		"by set with arguments": func(q *bun.InsertQuery, db bun.IDB) *bun.InsertQuery {
			return q.On(conflict(db)).Set("? = ?", bun.Ident("name"), "new")
		},
		"by the text of the clause": func(q *bun.InsertQuery, db bun.IDB) *bun.InsertQuery {
			if db.Dialect().Name() == dialect.MySQL {
				return q.On("DUPLICATE KEY UPDATE name = ?", "new")
			}
			return q.On("CONFLICT (code) DO UPDATE SET name = ? WHERE u.name <> ?", "new", "?")
		},
	} {
		eachDB(t, func(t *testing.T, db *bun.DB) {
			t.Run(name, func(t *testing.T) {
				createTables(t, db, (*upserted)(nil))
				old := []*upserted{{Code: "a", Name: "old"}, {Code: "b", Name: "old"}}
				_, err := db.NewInsert().Model(&old).Exec(clockAt(t, day1))
				require.NoError(t, err)

				rows := []*upserted{{Code: "b", Name: "new"}, {Code: "c", Name: "new"}}
				_, err = upsert(db.NewInsert().Model(&rows), db).Exec(clockAt(t, day2))
				require.NoError(t, err)

				var got []upserted
				require.NoError(t, db.NewSelect().Model(&got).Order("code").Scan(t.Context()))
				require.Len(t, got, 3)
				assert.Equal(t, []string{"old", "new", "new"}, []string{got[0].Name, got[1].Name, got[2].Name})
				assert.Equal(t, []int64{1, 2, 1}, []int64{got[0].RowVersion, got[1].RowVersion, got[2].RowVersion})
				for i, when := range [][]int64{
					{day1.UnixMilli(), day1.UnixMilli()}, // untouched
					{day1.UnixMilli(), day2.UnixMilli()}, // updated: created when it was
					{day2.UnixMilli(), day2.UnixMilli()}, // inserted
				} {
					row := got[i]
					assert.Equal(t, when[0], row.CreatedAt.UnixMilli(), "row %d", i)
					assert.Equal(t, when[1], row.UpdatedAt.UnixMilli(), "row %d", i)
					assert.Equal(t, when, []int64{row.CreateTime, row.UpdateTime}, "row %d", i)
					assert.Equal(t, when, []int64{row.CreateDate.UnixMilli(), row.UpdateDate.UnixMilli()}, "row %d", i)
				}
				assert.True(t, rows[0].UpdatedAt.Equal(got[1].UpdatedAt), "in memory")
				assert.True(t, rows[1].CreatedAt.Equal(got[2].CreatedAt), "in memory")
			})
		})
	}
}

func TestUpsertThatDoesNothingLeavesTheRow(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*upserted)(nil))
		for _, when := range []int{1, 2} {
			moment := day1
			if when == 2 {
				moment = day2
			}
			_, err := db.NewInsert().Model(&upserted{Code: "a"}).Ignore().Exec(clockAt(t, moment))
			require.NoError(t, err)
		}
		var got upserted
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		assert.Equal(t, day1.UnixMilli(), got.UpdateTime)
		assert.Equal(t, int64(1), got.RowVersion)
	})
}

func TestWhatTheCallerAssignsStays(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*upserted)(nil))
		row := &upserted{Code: "a"}
		_, err := db.NewInsert().Model(row).Exec(clockAt(t, day1))
		require.NoError(t, err)

		_, err = db.NewUpdate().Model(row).Set("name = ?, updated_at = ?", "a", inMicros(day1)).
			Set("version = version").WherePK().Exec(clockAt(t, day2))
		require.NoError(t, err)
		var got upserted
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		assert.True(t, inMicros(day1).Equal(got.UpdatedAt), got.UpdatedAt)
		assert.Equal(t, day2.UnixMilli(), got.UpdateTime)
		assert.Equal(t, int64(1), got.RowVersion)

		_, err = db.NewUpdate().Model(row).Value("updated_at", "?", inMicros(day1)).WherePK().Exec(clockAt(t, day2))
		require.NoError(t, err)
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		assert.True(t, inMicros(day1).Equal(got.UpdatedAt), got.UpdatedAt)

		_, err = db.NewUpdate().Model(row).Set("update_time = 5").WherePK().Exec(clockAt(t, day2))
		var half *models.HalfAssignedError
		require.ErrorAs(t, err, &half)
		assert.EqualError(t, err, `models: update of models_test.upserted assigns "update_time" but not "update_date", which is kept equal to it: assign both or neither`)
		_, err = db.NewInsert().Model(row).On(conflict(db)).Set("update_date = ?", inMicros(day1)).Exec(clockAt(t, day2))
		require.ErrorAs(t, err, &half)

		_, err = db.NewUpdate().Model(row).Set("created_at = ?", inMicros(day2)).WherePK().Exec(clockAt(t, day2))
		require.NoError(t, err)
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		assert.True(t, inMicros(day2).Equal(got.CreatedAt), "by set, created_at can be changed")
	})
}

func TestInsertFromSelectIsLeftAlone(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*upserted)(nil))
		sql := db.NewInsert().Model((*upserted)(nil)).Column("code", "name").TableExpr("old_codes")
		before := sql.String()
		require.NoError(t, models.BeforeInsert(t.Context(), sql))
		assert.Equal(t, before, sql.String())
	})
}
