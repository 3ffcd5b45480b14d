package models_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/models"
)

// accounts is a marker.
type accounts struct{}

func (accounts) BindKey() binds.Key { return "accounts" }

// AuthorMixin and TenantMixin are mixins of an application, each with a hook of its own that Go promotes from
// neither.
type AuthorMixin struct{ CreatedBy string }

func (a *AuthorMixin) BeforeAppendModel(_ context.Context, q bun.Query) error {
	if _, ok := q.(*bun.InsertQuery); ok {
		a.CreatedBy = "alice"
	}
	return nil
}

type TenantMixin struct{ TenantName string }

func (t *TenantMixin) BeforeAppendModel(context.Context, bun.Query) error {
	t.TenantName = "acme"
	return nil
}

// everything embeds every mixin, two of the application's and a marker side by side.
type everything struct {
	bun.BaseModel `bun:"table:mixin_everything,alias:e"`
	accounts
	models.Timestamps
	models.EpochTimestamps
	models.Version
	AuthorMixin
	TenantMixin

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

var (
	day1 = time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))
	day2 = day1.Add(24 * time.Hour)
)

func clockAt(t *testing.T, moment time.Time) context.Context {
	return models.WithClock(t.Context(), func() time.Time { return moment })
}

func inMicros(moment time.Time) time.Time { return moment.UTC().Truncate(time.Microsecond) }

func inMillis(moment time.Time) time.Time { return moment.UTC().Truncate(time.Millisecond) }

// mixinRow returns the row as the database has it.
func mixinRow(t *testing.T, db bun.IDB, id int64) everything {
	t.Helper()
	var row everything
	require.NoError(t, db.NewSelect().Model(&row).Where("id = ?", id).Scan(t.Context()))
	row.CreatedAt, row.UpdatedAt = row.CreatedAt.UTC(), row.UpdatedAt.UTC()
	row.CreateDate, row.UpdateDate = row.CreateDate.UTC(), row.UpdateDate.UTC()
	return row
}

// wroteMixins checks that a row was created and updated at these times, in the database as in memory.
func wroteMixins(t *testing.T, db bun.IDB, row *everything, created, updated time.Time, version int64) {
	t.Helper()
	got := mixinRow(t, db, row.ID)
	assert.Equal(t, inMicros(created), got.CreatedAt)
	assert.Equal(t, inMicros(updated), got.UpdatedAt)
	assert.Equal(t, created.UnixMilli(), got.CreateTime)
	assert.Equal(t, updated.UnixMilli(), got.UpdateTime)
	assert.Equal(t, inMillis(created), got.CreateDate)
	assert.Equal(t, inMillis(updated), got.UpdateDate)
	assert.Equal(t, version, got.RowVersion)
	assert.Equal(t, "alice", got.CreatedBy)
	assert.Equal(t, "acme", got.TenantName)
	want := *row
	want.RowVersion, want.Name = got.RowVersion, got.Name
	assert.Equal(t, want, got, "in memory")
}

func insertMixins(t *testing.T, db bun.IDB, names ...string) []*everything {
	t.Helper()
	var rows []*everything
	for _, name := range names {
		row := &everything{Name: name}
		_, err := db.NewInsert().Model(row).Exec(clockAt(t, day1))
		require.NoError(t, err)
		rows = append(rows, row)
	}
	return rows
}

func TestMixinsOnEveryKindOfInsert(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*everything)(nil))
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			for name, insert := range map[string]func(rows *[]*everything) *bun.InsertQuery{
				"a slice of pointers": func(rows *[]*everything) *bun.InsertQuery { return idb.NewInsert().Model(rows) },
				"chosen columns": func(rows *[]*everything) *bun.InsertQuery {
					return idb.NewInsert().Model(rows).Column("name", "created_by", "tenant_name").Returning("id")
				},
				"all columns but some": func(rows *[]*everything) *bun.InsertQuery {
					return idb.NewInsert().Model(rows).ExcludeColumn("id", "updated_at").Returning("id")
				},
			} {
				t.Run(name, func(t *testing.T) {
					rows := []*everything{{Name: "a"}, {Name: "b"}}
					_, err := insert(&rows).Exec(clockAt(t, day1))
					require.NoError(t, err)
					wroteMixins(t, idb, rows[0], day1, day1, 1)
					wroteMixins(t, idb, rows[1], day1, day1, 1)
				})
			}
			t.Run("a struct", func(t *testing.T) {
				wroteMixins(t, idb, insertMixins(t, idb, "a")[0], day1, day1, 1)
			})
			t.Run("a slice of structs", func(t *testing.T) {
				rows := []everything{{Name: "a"}, {Name: "b"}}
				_, err := idb.NewInsert().Model(&rows).Exec(clockAt(t, day1))
				require.NoError(t, err)
				wroteMixins(t, idb, &rows[0], day1, day1, 1)
				wroteMixins(t, idb, &rows[1], day1, day1, 1)
			})
		})
	})
}

func TestMixinsKeepWhatTheCallerSet(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*everything)(nil))
		row := &everything{Name: "imported"}
		row.CreatedAt, row.CreateTime, row.RowVersion = day1, day1.UnixMilli(), 7
		_, err := db.NewInsert().Model(row).Exec(clockAt(t, day2))
		require.NoError(t, err)
		wroteMixins(t, db, row, day1, day2, 7)

		row = &everything{Name: "imported by date"}
		row.CreatedAt, row.UpdatedAt, row.CreateDate, row.UpdateDate = day1, day1, day1, day1
		_, err = db.NewInsert().Model(row).Exec(clockAt(t, day2))
		require.NoError(t, err)
		wroteMixins(t, db, row, day1, day1, 1)
	})
}

func TestMixinsOnEveryKindOfUpdate(t *testing.T) {
	type update = func(db bun.IDB, row *everything) *bun.UpdateQuery
	cases := map[string]update{
		"all columns": func(db bun.IDB, row *everything) *bun.UpdateQuery { return db.NewUpdate().Model(row).WherePK() },
		"chosen columns": func(db bun.IDB, row *everything) *bun.UpdateQuery {
			return db.NewUpdate().Model(row).Column("name").WherePK()
		},
		"but some columns": func(db bun.IDB, row *everything) *bun.UpdateQuery {
			return db.NewUpdate().Model(row).ExcludeColumn("updated_at").WherePK()
		},
		"set": func(db bun.IDB, row *everything) *bun.UpdateQuery {
			return db.NewUpdate().Model(row).Set("name = ?", "changed").WherePK()
		},
		"column and set": func(db bun.IDB, row *everything) *bun.UpdateQuery {
			return db.NewUpdate().Model(row).Column("tenant_name").Set("name = ?", "changed").WherePK()
		},
		"value": func(db bun.IDB, row *everything) *bun.UpdateQuery {
			return db.NewUpdate().Model(row).Value("name", "upper(?)", "changed").WherePK()
		},
		"no zero values": func(db bun.IDB, row *everything) *bun.UpdateQuery {
			return db.NewUpdate().Model(row).OmitZero().WherePK()
		},
		"a slice": func(db bun.IDB, row *everything) *bun.UpdateQuery {
			return db.NewUpdate().Model(&[]*everything{row}).Set("name = ?", "changed").WherePK()
		},
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*everything)(nil))
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			for name, update := range cases {
				t.Run(name, func(t *testing.T) {
					row := insertMixins(t, idb, "a")[0]
					row.Name = "changed"
					_, err := update(idb, row).Exec(clockAt(t, day2))
					require.NoError(t, err)
					assert.Equal(t, "changed", strings.ToLower(mixinRow(t, idb, row.ID).Name))
					wroteMixins(t, idb, row, day1, day2, 2)
				})
			}
			t.Run("no more than a type", func(t *testing.T) {
				row := insertMixins(t, idb, "a")[0]
				_, err := idb.NewUpdate().Model((*everything)(nil)).Set("name = ?", "changed").Where("id = ?", row.ID).Exec(clockAt(t, day2))
				require.NoError(t, err)
				row.UpdatedAt, row.UpdateTime, row.UpdateDate = inMicros(day2), day2.UnixMilli(), inMillis(day2)
				wroteMixins(t, idb, row, day1, day2, 2)
			})
		})
	})
}

func TestMixinsOnBulkUpdates(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*everything)(nil))
		for name, columns := range map[string][]string{"all columns": nil, "chosen columns": {"name"}} {
			t.Run(name, func(t *testing.T) {
				rows := insertMixins(t, db, "a", "b")
				rows[0].Name, rows[1].Name = "c", "d"
				q := db.NewUpdate().Model(&rows).Column(columns...).Bulk()
				if databaseOf(db).server.Product == "MariaDB" { // it has no WITH before UPDATE, and Bun no other way
					sql := q.String()
					_, err := q.Exec(clockAt(t, day2))
					require.Error(t, err)
					require.Contains(t, sql, "WITH `_data`")
					require.Contains(t, q.String(), "`e`.`version` = `e`.`version` + 1")
					require.Contains(t, q.String(), "2024-03-01 11:00:00.123456")
					return
				}
				_, err := q.Exec(clockAt(t, day2))
				require.NoError(t, err)
				wroteMixins(t, db, rows[0], day1, day2, 2)
				wroteMixins(t, db, rows[1], day1, day2, 2)
				assert.Equal(t, "d", mixinRow(t, db, rows[1].ID).Name)
			})
		}
	})
}

func TestMixinsOfABuilderThatIsUsedTwice(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*everything)(nil))
		for name, update := range map[string]func(row *everything) *bun.UpdateQuery{
			"all columns":    func(row *everything) *bun.UpdateQuery { return db.NewUpdate().Model(row).WherePK() },
			"chosen columns": func(row *everything) *bun.UpdateQuery { return db.NewUpdate().Model(row).Column("name").WherePK() },
			"set":            func(row *everything) *bun.UpdateQuery { return db.NewUpdate().Model(row).Set("name = 'a'").WherePK() },
		} {
			row := insertMixins(t, db, "a")[0]
			q := update(row)
			for i, moment := range []time.Time{day2, day2.Add(time.Hour)} {
				_, err := q.Exec(clockAt(t, moment))
				require.NoError(t, err, name)
				wroteMixins(t, db, row, day1, moment, int64(2+i))
			}
		}
	})
}
