package models_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/models/fixtures"
	"github.com/bindery-go/bindery/router"
)

type elsewhere struct{}

func (elsewhere) BindKey() binds.Key { return "elsewhere" }

// strayRow lives in another bind than the one whose database has a table of that name, too.
type strayRow struct {
	bun.BaseModel `bun:"table:stray_rows,alias:s"`
	elsewhere
	ID   int64  `bun:",pk"`
	Kind string `bun:",type:varchar(20)"`
	models.Version
}

// helpers are all functions of models that take a bun.IDB, by name, as calls with a model of the wrong
// bind.
var helpers = map[string]func(ctx context.Context, db bun.IDB) error{
	"BulkInsert": func(ctx context.Context, db bun.IDB) error {
		_, err := models.BulkInsert(ctx, db, []strayRow{{ID: 7, Kind: "x"}})
		return err
	},
	"BulkInsertSeq": func(ctx context.Context, db bun.IDB) error {
		_, err := models.BulkInsertSeq(ctx, db, slices.Values([]*strayRow{{ID: 7, Kind: "x"}}))
		return err
	},
	"Claim": func(ctx context.Context, db bun.IDB) error {
		_, err := models.Claim[strayRow](ctx, db, 1,
			func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("kind = 'free'") },
			func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("kind = 'taken'") })
		return err
	},
	"UpdateVersioned": func(ctx context.Context, db bun.IDB) error {
		return models.UpdateVersioned(ctx, db, &strayRow{ID: 1, Kind: "changed", Version: models.Version{RowVersion: 1}})
	},
	"DeleteVersioned": func(ctx context.Context, db bun.IDB) error {
		return models.DeleteVersioned(ctx, db, &strayRow{ID: 1, Version: models.Version{RowVersion: 1}})
	},
	"Register": func(_ context.Context, db bun.IDB) error { return models.Register(db, (*strayRow)(nil)) },
	"PrimaryKeys": func(_ context.Context, db bun.IDB) error {
		_, err := models.PrimaryKeys(db, (*strayRow)(nil))
		return err
	},
	"KeysInUse": func(ctx context.Context, db bun.IDB) error {
		_, err := models.KeysInUse(ctx, db, (*strayRow)(nil))
		return err
	},
	"Latest": func(ctx context.Context, db bun.IDB) error {
		return models.Latest(db, db.NewSelect().Model(&[]strayRow{}), []string{"kind"}, "id").Scan(ctx)
	},
	"TopN": func(ctx context.Context, db bun.IDB) error {
		return models.TopN(db, db.NewSelect().Model(&[]strayRow{}), 1, []string{"kind"}).Scan(ctx)
	},
	"TopNOf": func(ctx context.Context, db bun.IDB) error {
		groups := db.NewSelect().Model((*strayRow)(nil)).Column("kind")
		return models.TopNOf(db, groups, db.NewSelect().Model(&[]product{}), 1, []string{"code"}).Scan(ctx)
	},
}

// TestHelpersKeepToTheBind calls every helper on the DB, a connection and a transaction of a bind with a
// model of another bind. The bind's database has a table of the model's name, and nothing happens to it.
func TestHelpersKeepToTheBind(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*strayRow)(nil))
		_, err := db.NewInsert().Model(&strayRow{ID: 1, Kind: "free", Version: models.Version{RowVersion: 1}}).Exec(t.Context())
		require.NoError(t, err)
		var before []strayRow
		require.NoError(t, db.NewSelect().Model(&before).Scan(t.Context()))
		m := openManager(t, map[string]string{
			"main": databaseOf(db).uri, "elsewhere": "sqlite://" + filepath.Join(t.TempDir(), "elsewhere.db"),
		})
		bind, err := m.Bind(binds.Key("main"))
		require.NoError(t, err)

		refused := func(t *testing.T, err error) {
			t.Helper()
			var wrong *router.WrongBindError
			require.ErrorAs(t, err, &wrong)
			assert.Equal(t, binds.Key("elsewhere"), wrong.ModelBind)
			assert.Equal(t, binds.Key("main"), wrong.Bind)
		}
		for name, call := range helpers {
			t.Run(name, func(t *testing.T) {
				eachIDB(t, bind.DB(), func(t *testing.T, idb bun.IDB) { refused(t, call(t.Context(), idb)) })
			})
		}
		t.Run("pages", func(t *testing.T) {
			eachIDB(t, bind.DB(), func(t *testing.T, idb bun.IDB) {
				_, err := models.FetchPage[strayRow](t.Context(), idb.NewSelect(), nil, models.Position{}, 2)
				refused(t, err)
				_, err = models.Paginate[strayRow](t.Context(), idb.NewSelect(), nil, 1, 2)
				refused(t, err)
			})
		})
		t.Run("parts", func(t *testing.T) {
			strays := m.NewSelect((*strayRow)(nil)).Column("id")
			_, err := bind.DB().NewDelete().Model((*product)(nil)).ApplyQueryBuilder(models.Where(models.NotIn("id", strays))).Exec(t.Context())
			refused(t, err)
			_, err = bind.DB().NewDelete().Model((*product)(nil)).ApplyQueryBuilder(models.Where(models.Filter(map[string]any{"id": strays}, "id"))).Exec(t.Context())
			refused(t, err)
			eachIDB(t, bind.DB(), func(t *testing.T, idb bun.IDB) {
				_, err := models.Claim[product](t.Context(), idb, 1,
					func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id NOT IN (?)", strays) },
					func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("price = 0") })
				refused(t, err)
				refused(t, models.TopNOf(idb, m.NewSelect(elsewhere{}).Table("stray_rows").ColumnExpr("kind AS code"),
					idb.NewSelect().Model(&[]product{}), 1, []string{"code"}).Scan(t.Context()))
			})
		})
		t.Run("fixtures", func(t *testing.T) {
			_, err := fixtures.New(func(any) (*bun.DB, error) { return bind.DB(), nil }, []any{(*strayRow)(nil)})
			refused(t, err)
		})
		var after []strayRow
		require.NoError(t, db.NewSelect().Model(&after).Scan(t.Context()))
		assert.Equal(t, before, after)
	})
}

// TestHelpersAreAll finds the exported functions that take a bun.IDB in the source: each must be among
// helpers.
func TestHelpersAreAll(t *testing.T) {
	sources := token.NewFileSet()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var found int
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(sources, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || !takesIDB(f) {
				continue
			}
			found++
			assert.Contains(t, helpers, f.Name.Name, "%s", sources.Position(f.Pos()))
		}
	}
	assert.Len(t, helpers, found)
}

func takesIDB(f *ast.FuncDecl) bool {
	for _, p := range f.Type.Params.List {
		if s, ok := p.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "IDB" {
			return true
		}
	}
	return false
}
