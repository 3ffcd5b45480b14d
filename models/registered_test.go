package models_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/models"
)

type metOwner struct {
	bun.BaseModel `bun:"table:met_owners,alias:mo"`

	ID    uuid.UUID       `bun:",pk"`
	Notes models.LongText `bun:",notnull"`
	Items []*metItem      `bun:"rel:has-many,join:id=owner_id"`
}

type metItem struct {
	bun.BaseModel `bun:"table:met_items,alias:mi"`

	ID      int64     `bun:",pk"`
	OwnerID uuid.UUID `bun:",notnull"`
	Owner   *metOwner `bun:"rel:belongs-to,join:owner_id=id"`
	Body    models.LongText
	Data    models.JSON[map[string]any]
	Tags    models.List[string]
	Cache   models.Serialized[[]string]
	Kind    models.Enum[filterStatus]
	Raw     [16]byte
	Tagged  models.LongText `bun:"type:varchar(40)"`
}

var metColumns = map[string]map[string][3]string{ // PostgreSQL, MySQL, SQLite
	"met_owners": {"id": {"uuid", "char(36)", "TEXT"}, "notes": {"text", "longtext", "TEXT"}},
	"met_items": {
		"owner_id": {"uuid", "char(36)", "TEXT"}, "body": {"text", "longtext", "TEXT"}, "data": {"jsonb", "json", "TEXT"}, "tags": {"jsonb", "json", "TEXT"},
		"cache": {"bytea", "longblob", "BLOB"}, "kind": {"character varying", "varchar(255)", "VARCHAR"}, "raw": {"bytea", "binary(16)", "BLOB"},
		"tagged": {"character varying(40)", "varchar(40)", "varchar(40)"},
	},
}

// TestManagerSetsUpFieldTypes makes tables and rows in each way that a manager has, and nobody has called Register.
func TestManagerSetsUpFieldTypes(t *testing.T) {
	ways := map[string]func(t *testing.T, m *manager.DBManager, b *manager.Bind){
		"CreateTables": func(t *testing.T, m *manager.DBManager, _ *manager.Bind) {
			require.NoError(t, m.CreateTables(t.Context(), (*metItem)(nil), (*metOwner)(nil)))
		},
		"NewCreateTable": func(t *testing.T, m *manager.DBManager, _ *manager.Bind) {
			for _, model := range []any{(*metOwner)(nil), (*metItem)(nil)} {
				_, err := m.NewCreateTable(model).WithForeignKeys().Exec(t.Context())
				require.NoError(t, err)
			}
		},
		"the bind's DB": func(t *testing.T, _ *manager.DBManager, b *manager.Bind) {
			for _, model := range []any{(*metOwner)(nil), (*metItem)(nil)} {
				_, err := b.DB().NewCreateTable().Model(model).Exec(t.Context())
				require.NoError(t, err)
			}
		},
		"after a select": func(t *testing.T, m *manager.DBManager, b *manager.Bind) {
			require.NotEmpty(t, m.NewSelect((*metItem)(nil)).Relation("Owner").String())
			require.NoError(t, models.Register(b.DB(), (*metItem)(nil)), "as before")
			require.NoError(t, m.CreateTables(t.Context(), (*metItem)(nil), (*metOwner)(nil)))
		},
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		for name, create := range ways {
			t.Run(name, func(t *testing.T) {
				dropMet(t, db)
				m := openManager(t, map[string]string{"main": databaseOf(db).uri})
				b, err := m.Bind(binds.Key("main"))
				require.NoError(t, err)
				create(t, m, b)
				requireMetColumns(t, db)
				useMet(t, m)
			})
		}
	})
}

// dropMet drops the tables, now and at the test's end.
func dropMet(t *testing.T, db *bun.DB) {
	t.Helper()
	drop := func() {
		for _, model := range []any{(*metItem)(nil), (*metOwner)(nil)} {
			require.NoError(t, dropFirst(t, db, model))
		}
	}
	drop()
	t.Cleanup(drop)
}

func requireMetColumns(t *testing.T, db *bun.DB) {
	t.Helper()
	for table, columns := range metColumns {
		for column, types := range columns {
			want := types[dialectIndex[db.Dialect().Name()]]
			if want == "json" && databaseOf(db).server.Product == "MariaDB" {
				want = "longtext"
			}
			require.Equal(t, want, columnTypeOf(t, db, table, column), "%s.%s", table, column)
		}
	}
}

// useMet writes and reads what no VARCHAR(255) holds.
func useMet(t *testing.T, m *manager.DBManager) {
	t.Helper()
	owner := metOwner{ID: uuids[1], Notes: models.LongText(strings.Repeat("n", 1000))}
	item := metItem{ID: 1, OwnerID: owner.ID, Body: models.LongText(strings.Repeat("b", 70000)), Kind: models.MustEnum[filterStatus]("live"), Raw: uuids[2]}
	item.Data.V = map[string]any{"a": strings.Repeat("d", 1000)}
	item.Tags = models.List[string]{strings.Repeat("t", 1000)}
	item.Cache.V = []string{strings.Repeat("c", 1000)}
	_, err := m.NewInsert(&owner).Exec(t.Context())
	require.NoError(t, err)
	_, err = m.NewInsert(&item).Exec(t.Context())
	require.NoError(t, err)
	var read []metItem
	require.NoError(t, m.NewSelect(&read).Relation("Owner").Scan(t.Context()))
	require.Len(t, read, 1)
	require.Equal(t, owner, *read[0].Owner)
	read[0].Owner = nil
	require.Equal(t, item, read[0])
	var owners []metOwner
	require.NoError(t, m.NewSelect(&owners).Relation("Items").Scan(t.Context()))
	require.Len(t, owners[0].Items, 1)
	_, err = m.NewUpdate(&read).Column("body").Bulk().Exec(t.Context())
	if m.Binds()[0].Dialect().Name() != dialect.MySQL { // MariaDB has no bulk update of Bun's
		require.NoError(t, err)
	}
}

// TestManagerRefusesFields says what is wrong with a model's fields in its first query and in each after it.
func TestManagerRefusesFields(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		m := openManager(t, map[string]string{"main": databaseOf(db).uri})
		var mismatch *models.ColumnMismatchError
		for range 2 {
			require.ErrorAs(t, m.NewSelect(&[]misplacedField{}).Scan(t.Context()), &mismatch)
			_, err := m.NewInsert(&misplacedField{}).Exec(t.Context())
			require.ErrorAs(t, err, &mismatch)
			require.ErrorAs(t, m.CreateTables(t.Context(), (*misplacedField)(nil)), &mismatch)
		}
		_, err := m.NewInsert(&valuelessField{}).Exec(t.Context())
		require.ErrorContains(t, err, "no values")
	})
}

// TestManagerSetsUpFieldTypesAtOnce meets models first in many goroutines.
func TestManagerSetsUpFieldTypesAtOnce(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		dropMet(t, db)
		setUp := openManager(t, map[string]string{"main": databaseOf(db).uri})
		require.NoError(t, setUp.CreateTables(t.Context(), (*metItem)(nil), (*metOwner)(nil)))
		m := openManager(t, map[string]string{"main": databaseOf(db).uri})
		var all sync.WaitGroup
		for n := range 16 {
			all.Go(func() {
				if n%2 == 0 {
					var items []metItem
					require.NoError(t, m.NewSelect(&items).Relation("Owner").Scan(t.Context()))
					return
				}
				var owners []metOwner
				require.NoError(t, m.NewSelect(&owners).Relation("Items").Scan(t.Context()))
			})
		}
		all.Wait()
	})
}

// A bun.DB without a manager has it by its dialect.
func TestWithFieldTypes(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		other := bun.NewDB(db.DB, models.WithFieldTypes(newDialect(db)))
		require.Same(t, other.Dialect(), models.WithFieldTypes(other.Dialect()))
		createTables(t, other, (*metOwner)(nil), (*metItem)(nil))
		requireMetColumns(t, db)
	})
}

// newDialect returns a dialect as the database's, which has met no models.
func newDialect(db *bun.DB) schema.Dialect {
	switch db.Dialect().Name() {
	case dialect.PG:
		return pgdialect.New()
	case dialect.MySQL:
		return mysqldialect.New()
	}
	return sqlitedialect.New()
}
