package router

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

type auditMarker struct{}

func (auditMarker) BindKey() binds.Key { return "audit" }

type nowhere struct{}

func (nowhere) BindKey() binds.Key { return "nowhere" }

type (
	// author lives in shop, the default bind; its events live in audit.
	author struct {
		ID     int64    `bun:",pk"`
		Events []*event `bun:"rel:has-many,join:id=author_id"`
		Books  []*book  `bun:"rel:has-many,join:id=author_id"`
	}
	book struct {
		ID       int64 `bun:",pk"`
		AuthorID int64
		Author   *author `bun:"rel:belongs-to,join:author_id=id"`
	}
	event struct {
		auditMarker
		ID       int64 `bun:",pk"`
		AuthorID int64
	}
	// Each of the following joins shop with audit.
	hasOneAcross struct {
		ID    int64  `bun:",pk"`
		Event *event `bun:"rel:has-one,join:id=author_id"`
	}
	belongsAcross struct {
		ID      int64 `bun:",pk"`
		EventID int64
		Event   *event `bun:"rel:belongs-to,join:event_id=id"`
	}
	nestedAcross struct {
		ID     int64 `bun:",pk"`
		HereID int64
		Here   *belongsAcross `bun:"rel:belongs-to,join:here_id=id"`
	}
	linked struct {
		ID     int64    `bun:",pk"`
		Events []*event `bun:"m2m:event_links,join:Linked=Event"`
	}
	eventLink struct {
		bun.BaseModel `bun:"table:event_links"`
		LinkedID      int64   `bun:",pk"`
		Linked        *linked `bun:"rel:belongs-to,join:linked_id=id"`
		EventID       int64   `bun:",pk"`
		Event         *event  `bun:"rel:belongs-to,join:event_id=id"`
	}
	stray struct {
		nowhere
		ID int64 `bun:",pk"`
	}
	torn struct {
		auditMarker
		nowhere
		ID int64 `bun:",pk"`
	}
)

// twoBinds opens shop, the default, and audit, which know each other.
func twoBinds(t *testing.T, auditReaders int, audit func(*Config)) (shop, other *bench) {
	peers := map[binds.Key]*Router{}
	withPeers := func(c *Config) { c.Peer = func(k binds.Key) *Router { return peers[k] } }
	shop = newBench(t, "shop", 1, withPeers)
	other = newBench(t, "audit", auditReaders, func(c *Config) {
		withPeers(c)
		if audit != nil {
			audit(c)
		}
	})
	peers["shop"], peers["audit"] = shop.Router, other.Router
	return shop, other
}

func TestWrongBind(t *testing.T) {
	shop, audit := twoBinds(t, 1, nil)
	var wrong *WrongBindError
	err := shop.db.NewSelect().Model(new(event)).Scan(t.Context())
	require.ErrorAs(t, err, &wrong)
	assert.EqualError(t, err, `router: model router.event lives in bind "audit" but was queried on bind "shop": use the manager's own builders, or the DB of bind "audit"`)

	for name, db := range map[string]*bun.DB{
		"DB": shop.db, "Writer": shop.on(shop.WriterOnly()), "Reader": shop.on(shop.ReaderOnly()),
		"Native": shop.on(shop.On(shop.Writer().DB(), NativeDB)),
	} {
		require.ErrorAs(t, db.NewSelect().Model(&[]event{}).Scan(t.Context()), &wrong, name)
	}
	_, err = shop.db.NewInsert().Model(&event{ID: 1}).Exec(t.Context())
	require.ErrorAs(t, err, &wrong, "a write too")
	_, err = shop.db.NewSelect().Model((*event)(nil)).Count(t.Context())
	require.ErrorAs(t, err, &wrong, "through QueryRow too")
	require.ErrorAs(t, audit.db.NewSelect().Model(new(author)).Scan(t.Context()), &wrong, "a model of the default bind")
	assert.Equal(t, binds.Key("shop"), wrong.ModelBind)
	assert.Empty(t, shop.driver.servers(), "nothing was sent")
	assert.Empty(t, audit.driver.servers(), "nothing was sent")

	require.ErrorAs(t, shop.db.NewSelect().Model(new(stray)).Scan(t.Context()), &wrong, "a bind that nobody declares")
	var ambiguous *binds.AmbiguousBindError
	require.ErrorAs(t, shop.db.NewSelect().Model(&torn{auditMarker{}, nowhere{}, 1}).Scan(t.Context()), &ambiguous)
}

func TestPartsOfAnotherBind(t *testing.T) {
	shop, audit := twoBinds(t, 1, nil)
	byModel := func() *bun.SelectQuery { return shop.db.NewSelect().Model((*event)(nil)).Column("id") }
	byDB := func() *bun.SelectQuery { return audit.db.NewSelect().Table("authors").Column("id") }
	both := func() *bun.SelectQuery { return audit.db.NewSelect().Model((*event)(nil)).Column("id") }
	homesModel := func() *bun.SelectQuery { return audit.db.NewSelect().Model((*author)(nil)).Column("id") }

	for name, part := range map[string]func() *bun.SelectQuery{
		"by its model": byModel, "by its DB": byDB, "by both": both, "by its DB, with a model of this bind": homesModel,
	} {
		for place, run := range map[string]func(in *bun.SelectQuery) error{
			"argument": func(in *bun.SelectQuery) error {
				_, err := shop.db.NewDelete().Model((*author)(nil)).Where("id NOT IN (?)", in).Exec(t.Context())
				return err
			},
			"common table expression": func(in *bun.SelectQuery) error {
				return shop.db.NewSelect().With("w", in).Model((*author)(nil)).Where("id IN (SELECT id FROM w)").Scan(t.Context())
			},
			"source of an insert": func(in *bun.SelectQuery) error {
				_, err := shop.db.NewInsert().Model((*author)(nil)).TableExpr("(?) AS w", in).Exec(t.Context())
				return err
			},
			"raw query": func(in *bun.SelectQuery) error {
				_, err := shop.db.NewRaw("DELETE FROM authors WHERE id IN (?)", in).Exec(t.Context())
				return err
			},
			"count": func(in *bun.SelectQuery) error {
				_, err := shop.db.NewSelect().Model((*author)(nil)).Where("id IN (?)", in).Count(t.Context())
				return err
			},
			"existence": func(in *bun.SelectQuery) error {
				_, err := shop.db.NewSelect().Model((*author)(nil)).Where("id IN (?)", in).Exists(t.Context())
				return err
			},
			"rows": func(in *bun.SelectQuery) error {
				_, err := shop.db.NewSelect().Model((*author)(nil)).Where("id IN (?)", in).Rows(t.Context())
				return err
			},
			"three levels down": func(in *bun.SelectQuery) error {
				books := shop.db.NewSelect().Table("books").Where("author_id IN (?)", in)
				return shop.db.NewSelect().Model((*author)(nil)).Union(shop.db.NewSelect().Table("x").Where("id IN (?)", books)).Scan(t.Context())
			},
			"on the writer alone": func(in *bun.SelectQuery) error {
				return shop.on(shop.WriterOnly()).NewSelect().Model((*author)(nil)).Where("id IN (?)", in).Scan(t.Context())
			},
			"on a reader alone": func(in *bun.SelectQuery) error {
				return shop.on(shop.ReaderOnly()).NewSelect().Model((*author)(nil)).Where("id IN (?)", in).Scan(t.Context())
			},
			"native": func(in *bun.SelectQuery) error {
				return shop.on(shop.On(shop.Writer().DB(), NativeDB)).NewSelect().Model((*author)(nil)).Where("id IN (?)", in).Scan(t.Context())
			},
			"in a transaction": func(in *bun.SelectQuery) error {
				return shop.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
					_, err := shop.db.NewDelete().Model((*author)(nil)).Where("id NOT IN (?)", in).Exec(ctx)
					return err
				})
			},
		} {
			t.Run(name+"/"+place, func(t *testing.T) {
				var wrong *WrongBindError
				require.ErrorAs(t, run(part()), &wrong)
				assert.Equal(t, binds.Key("audit"), wrong.ModelBind)
				assert.Equal(t, binds.Key("shop"), wrong.Bind)
				assert.True(t, wrong.Part)
				assert.Empty(t, audit.driver.servers(), "nothing was sent")
				assert.Empty(t, shop.driver.servers(), "nothing was sent")
			})
		}
	}
	t.Run("of the same bind", func(t *testing.T) {
		in := shop.on(shop.WriterOnly()).NewSelect().Model((*author)(nil)).Column("id")
		require.NoError(t, shop.db.NewSelect().Model(&[]author{}).Where("id IN (?)", in).Scan(t.Context()))
		_, err := audit.db.NewDelete().Model((*event)(nil)).Where("id IN (?)", both()).Exec(t.Context())
		require.NoError(t, err)
	})
	t.Run("of a has-many relation across binds", func(t *testing.T) {
		load := func(where func(q *bun.SelectQuery) *bun.SelectQuery, on ...schema.QueryWithArgs) error {
			return shop.db.NewSelect().Model(&author{ID: 1}).WherePK().RelationWithOpts("Events",
				bun.RelationOpts{Apply: where, AdditionalJoinOnConditions: on}).Scan(t.Context())
		}
		shops := shop.db.NewSelect().Table("authors").Column("id")
		refused := func(err error) {
			t.Helper()
			var wrong *WrongBindError
			require.ErrorAs(t, err, &wrong)
			assert.Equal(t, binds.Key("audit"), wrong.Bind)
			assert.Equal(t, binds.Key("shop"), wrong.ModelBind)
		}
		require.NoError(t, load(func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id IN (?)", both()) }))
		require.NoError(t, load(func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("id IN (?)", q.NewSelect().Model((*event)(nil)).Column("id")) // of the parent's DB, for want of another
		}))
		require.NoError(t, load(nil, bun.SafeQuery("id IN (?)", both())))
		refused(load(func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id IN (?)", shops) }))
		refused(load(nil, bun.SafeQuery("id IN (?)", shops)))
		refused(load(nil, bun.SafeQuery("id IN (?)", homesModel())))
	})
	t.Run("as values", func(t *testing.T) {
		type patch struct{ ID, AuthorID int64 } // lives nowhere
		_, err := audit.db.NewUpdate().With("_data", audit.db.NewValues(&[]patch{{1, 2}})).Model((*event)(nil)).TableExpr("_data").
			Set("author_id = _data.author_id").Where("event.id = _data.id").Exec(t.Context())
		require.NoError(t, err)
	})
	t.Run("in a row", func(t *testing.T) {
		type note struct {
			ID   int64 `bun:",pk"`
			Text any
		}
		var wrong *WrongBindError
		_, err := shop.db.NewInsert().Model(&note{1, bun.SafeQuery("(?)", byDB())}).Exec(t.Context())
		require.ErrorAs(t, err, &wrong)
		_, err = shop.db.NewUpdate().Model(&map[string]any{"text": bun.SafeQuery("(?)", byModel())}).Table("notes").Where("id = 1").Exec(t.Context())
		require.ErrorAs(t, err, &wrong)
		_, err = shop.db.NewInsert().Model(&note{1, map[string]any{"a": 1}}).Exec(t.Context())
		require.NoError(t, err)
	})
	t.Run("of another manager", func(t *testing.T) {
		other := newBench(t, "shop", 1, nil)
		err := shop.db.NewSelect().Model((*author)(nil)).Where("id IN (?)", other.db.NewSelect().Table("authors").Column("id")).Scan(t.Context())
		var wrong *WrongBindError
		require.ErrorAs(t, err, &wrong)
		assert.True(t, wrong.Elsewhere)
		assert.EqualError(t, err, `router: a query of bind "shop" of another manager is part of a query on bind "shop", and would run there: run it by itself and pass on what it finds`)
	})
	t.Run("counted beside a relation", func(t *testing.T) { // two goroutines of Bun's
		for range 50 {
			_, err := shop.db.NewSelect().Model(&[]author{}).Relation("Books", func(q *bun.SelectQuery) *bun.SelectQuery {
				return q.Column("id", "author_id")
			}).Limit(5).ScanAndCount(t.Context())
			require.NoError(t, err)
		}
	})
	t.Run("of no bind", func(t *testing.T) {
		elsewhere := bun.NewDB(nil, pgdialect.New())
		require.NoError(t, shop.db.NewSelect().Model(&[]author{}).Where("id IN (?)", elsewhere.NewSelect().Table("books")).Scan(t.Context()))
		var wrong *WrongBindError
		require.ErrorAs(t, shop.db.NewSelect().Model((*author)(nil)).Where("id IN (?)", elsewhere.NewSelect().Model((*event)(nil))).Scan(t.Context()), &wrong)
	})
	t.Run("of two binds", func(t *testing.T) {
		err := shop.db.NewSelect().Model((*author)(nil)).Where("id IN (?)", shop.db.NewSelect().Model((*torn)(nil))).Scan(t.Context())
		var ambiguous *binds.AmbiguousBindError
		require.ErrorAs(t, err, &ambiguous)
	})
}

func TestHomeModels(t *testing.T) {
	shop, audit := twoBinds(t, 1, nil)
	for range 2 { // the second time from the hot table
		require.NoError(t, shop.db.NewSelect().Model(new(author)).Limit(1).Scan(t.Context()))
		require.NoError(t, audit.db.NewSelect().Model(new(event)).Limit(1).Scan(t.Context()))
	}
	var n int64
	require.NoError(t, shop.db.NewSelect().Table("anything").Scan(t.Context(), &n), "no model, no question")
}

func TestJoinsAcrossBinds(t *testing.T) {
	for name, row := range map[string]struct {
		model    any
		relation string
		field    string
	}{
		"has-one is a join":                 {new(hasOneAcross), "has-one", "Event"},
		"belongs-to is a join":              {new(belongsAcross), "belongs-to", "Event"},
		"a join behind a join":              {new(nestedAcross), "belongs-to", "Event"},
		"many-to-many joins its link table": {new(linked), "m2m", "Events"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, _ := twoBinds(t, 1, nil)
			shop.db.RegisterModel((*eventLink)(nil))
			var cross *CrossBindRelationError
			err := shop.db.NewSelect().Model(row.model).Scan(t.Context())
			require.ErrorAs(t, err, &cross)
			assert.Equal(t, row.relation, cross.Relation)
			assert.Equal(t, row.field, cross.Field)
			assert.Equal(t, binds.Key("shop"), cross.Bind)
			assert.Equal(t, binds.Key("audit"), cross.RelatedBind)
			assert.Contains(t, err.Error(), `"shop"`)
			assert.Contains(t, err.Error(), `"audit"`)
			assert.Empty(t, shop.driver.servers(), "nothing was sent")
		})
	}
}

func TestHasManyAcrossBinds(t *testing.T) {
	shop, audit := twoBinds(t, 1, nil)
	ctx, route := Explain(t.Context())
	require.NoError(t, shop.db.NewSelect().Model(&author{ID: 1}).WherePK().Relation("Events").Relation("Books").Scan(ctx))
	var engines []string
	for _, d := range route.Decisions() {
		engines = append(engines, d.Engine)
	}
	assert.ElementsMatch(t, []string{"shop/reader-1", "audit/reader-1", "shop/reader-1"}, engines)
	assert.Equal(t, []string{"reader-1"}, audit.driver.servers())

	t.Run("in the mode of the DB that was asked", func(t *testing.T) {
		ctx, route := Explain(t.Context())
		require.NoError(t, shop.on(shop.WriterOnly()).NewSelect().Model(&author{ID: 1}).WherePK().Relation("Events").Scan(ctx))
		assert.Equal(t, "audit/writer", route.Engine())
		require.NoError(t, shop.on(shop.ReaderOnly()).NewSelect().Model(&author{ID: 1}).WherePK().Relation("Events").Scan(ctx))
		assert.Equal(t, "audit/reader-1", route.Engine())
	})
	t.Run("hints reach the other bind", func(t *testing.T) {
		ctx, route := Explain(OnWriter(t.Context()))
		require.NoError(t, shop.db.NewSelect().Model(&author{ID: 1}).WherePK().Relation("Events").Scan(ctx))
		assert.Equal(t, "audit/writer", route.Engine())
	})
}

func TestHasManyIntoAnotherDialect(t *testing.T) {
	shop, audit := twoBinds(t, 1, withSQLite)
	err := shop.db.NewSelect().Model(&author{ID: 1}).WherePK().Relation("Events").Scan(t.Context())
	var dialects *CrossDialectRelationError
	require.ErrorAs(t, err, &dialects)
	assert.Contains(t, err.Error(), `bind "shop" (pg) loads router.event from bind "audit" (sqlite)`)
	assert.Empty(t, audit.driver.servers())
}

func TestHasManyIntoAnUnknownBind(t *testing.T) {
	shop := newBench(t, "shop", 1, nil)
	err := shop.db.NewSelect().Model(&author{ID: 1}).WherePK().Relation("Events").Scan(context.Background())
	var unknown *binds.UnknownBindError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, binds.Key("audit"), unknown.Key)
}
