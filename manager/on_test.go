package manager_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/router"
)

// A family lives in several binds, whatever its markers say: its children name another one than itself.
type (
	parent struct {
		accounts
		ID       int64    `bun:",pk,autoincrement"`
		Name     string   `bun:",notnull"`
		Children []*child `bun:"rel:has-many,join:id=parent_id"`
	}
	child struct {
		audit
		ID       int64 `bun:",pk,autoincrement"`
		ParentID int64
		Name     string
		Parent   *parent `bun:"rel:belongs-to,join:parent_id=id"`
	}
)

const shard1, shard2 = binds.Key("shard1"), binds.Key("shard2")

// openShards opens two binds that no marker names, beside those that do.
func openShards(t *testing.T, opts ...manager.Option) *manager.DBManager {
	t.Helper()
	m := open(t, opts...)
	for _, key := range []binds.Key{shard1, shard2} {
		_, err := m.Add(t.Context(), tenantFile(t, key))
		require.NoError(t, err)
		require.NoError(t, m.On(key).CreateTables(t.Context(), (*parent)(nil), (*child)(nil)))
	}
	return m
}

func addFamily(t *testing.T, on manager.On, name string) {
	t.Helper()
	p := &parent{Name: name}
	_, err := on.NewInsert(p).Exec(t.Context())
	require.NoError(t, err)
	_, err = on.NewInsert(&child{ParentID: p.ID, Name: name + "'s"}).Exec(t.Context())
	require.NoError(t, err)
}

func TestOnLoadsTheWholeFamily(t *testing.T) {
	m := openShards(t)
	addFamily(t, m.On(shard1), "one")
	addFamily(t, m.On(shard2), "two")
	for key, name := range map[binds.Key]string{shard1: "one", shard2: "two"} {
		var parents []parent
		ctx, route := router.Explain(t.Context())
		require.NoError(t, m.On(key).NewSelect(&parents).Relation("Children").Scan(ctx))
		require.Len(t, parents, 1)
		assert.Equal(t, name, parents[0].Name)
		require.Len(t, parents[0].Children, 1, "a has-many relation is loaded from the bind that On names")
		assert.Equal(t, name+"'s", parents[0].Children[0].Name)
		for _, d := range route.Decisions() {
			assert.Equal(t, key, d.Bind)
		}
		var children []child
		require.NoError(t, m.On(key).NewSelect(&children).Relation("Parent").Scan(t.Context()), "a join of models of two markers")
		assert.Equal(t, name, children[0].Parent.Name)
	}
	var wrong *router.WrongBindError
	b, err := m.Bind(shard1)
	require.NoError(t, err)
	require.ErrorAs(t, b.DB().NewSelect().Model((*user)(nil)).Scan(t.Context()), &wrong, "markers stay the default")
}

func TestPartsOfQueriesOn(t *testing.T) {
	m := openShards(t)
	addFamily(t, m.On(shard1), "one")
	ids := func(on manager.On) *bun.SelectQuery { return on.NewSelect((*parent)(nil)).Column("id") }
	own, err := m.Bind(shard1)
	require.NoError(t, err)
	count := func(q *bun.SelectQuery, part *bun.SelectQuery) error {
		_, err := q.Where("id IN (?)", part).Count(t.Context())
		return err
	}
	on := m.On(shard1)
	assert.NoError(t, count(on.NewSelect((*child)(nil)), ids(on)))
	assert.NoError(t, count(own.DB().NewSelect().Table("children"), ids(on)), "in a query of the bind's own")
	assert.NoError(t, count(on.NewSelect(nil).Table("children"), own.DB().NewSelect().Table("parents").Column("id")), "the bind's own in it")
	assert.NoError(t, on.NewSelect(&[]parent{}).Relation("Children", func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("parent_id IN (?)", ids(on))
	}).Scan(t.Context()), "beside a relation")
	for reason, err := range map[string]error{
		"of another On":              count(on.NewSelect((*child)(nil)), ids(m.On(shard2))),
		"of a marker's bind":         count(on.NewSelect((*child)(nil)), m.NewSelect((*user)(nil)).Column("id")),
		"in a marker's bind":         count(m.NewSelect((*user)(nil)), ids(on)),
		"of the bind's DB, misnamed": count(on.NewSelect((*child)(nil)), own.DB().NewSelect().Model((*user)(nil)).Column("id")),
		"beside a relation": on.NewSelect(&[]parent{}).Relation("Children", func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("parent_id IN (?)", ids(m.On(shard2)))
		}).Scan(t.Context()),
	} {
		var wrong *router.WrongBindError
		assert.ErrorAs(t, err, &wrong, reason)
	}
	var wrong *router.WrongBindError
	require.ErrorAs(t, count(on.NewSelect((*child)(nil)), ids(m.On(shard2))), &wrong)
	assert.Equal(t, shard2, wrong.ModelBind)
	assert.Equal(t, shard1, wrong.Bind)
	other := openShards(t)
	require.ErrorAs(t, count(on.NewSelect((*child)(nil)), ids(other.On(shard1))), &wrong, "the same key, of another manager")
	assert.True(t, wrong.Elsewhere)
}

func TestOnInTransactions(t *testing.T) {
	m := openShards(t)
	undone := errors.New("undone")
	err := m.On(shard1).InTx(t.Context(), func(ctx context.Context) error {
		_, err := m.On(shard1).NewInsert(&parent{Name: "mine"}).Exec(ctx)
		require.NoError(t, err)
		var cross *router.CrossBindWriteError
		_, err = m.On(shard2).NewInsert(&parent{Name: "theirs"}).Exec(ctx)
		require.ErrorAs(t, err, &cross, "it is judged by the bind that On names")
		assert.Equal(t, shard2, cross.Bind)
		n, err := m.On(shard1).NewSelect((*parent)(nil)).Count(ctx)
		require.NoError(t, err)
		assert.Equal(t, int64(1), int64(n))
		return undone
	})
	require.ErrorIs(t, err, undone)
	n, err := m.On(shard1).NewSelect((*parent)(nil)).Count(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
	require.NoError(t, m.On(shard1).WithLock(t.Context(), "one", func(ctx context.Context) error {
		_, err := m.On(shard1).Lock(ctx, "one", manager.TryOnly())
		assert.ErrorIs(t, err, manager.ErrLockTimeout)
		return m.On(shard2).WithLock(ctx, "one", func(context.Context) error { return nil })
	}))
}

// TestModelsOn gives the functions of package models the Bun DB of an On, and its transactions.
func TestModelsOn(t *testing.T) {
	for guarded, opts := range map[string][]manager.Option{"plain": nil, "guarded": {manager.WithGuard()}} {
		t.Run(guarded, func(t *testing.T) {
			m := openShards(t, opts...)
			on := m.On(shard1)
			rows := []parent{{Name: "a"}, {Name: "b"}, {Name: "c"}}
			_, err := models.BulkInsert(t.Context(), on.DB(), rows)
			require.NoError(t, err)
			require.NoError(t, on.DB().RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewInsert().Model(&parent{Name: "d"}).Exec(ctx)
				return err
			}))
			page, err := models.FetchPage[parent](t.Context(), on.NewSelect(nil), models.Order{models.Asc("id")}, models.After(""), 3)
			require.NoError(t, err)
			assert.Len(t, page.Items, 3)
			_, err = models.BulkInsert(t.Context(), m.On(accounts{}).DB(), []entry{{Text: "no such table"}})
			require.ErrorContains(t, err, "entries")
			b, err := m.Bind(shard1)
			require.NoError(t, err)
			var wrong *router.WrongBindError
			_, err = models.BulkInsert(t.Context(), b.DB(), rows)
			require.ErrorAs(t, err, &wrong, "the bind's own DB keeps to markers")
		})
	}
}

func TestOnAnUnknownBind(t *testing.T) {
	m := openShards(t)
	on := m.On(binds.Key("shard9"))
	var unknown *binds.UnknownBindError
	check := func(what string, err error) {
		t.Helper()
		require.ErrorAs(t, err, &unknown, what)
		assert.Equal(t, binds.Key("shard9"), unknown.Key, what)
	}
	check("Err", on.Err())
	check("select", on.NewSelect((*parent)(nil)).Scan(t.Context()))
	_, err := on.NewInsert(&parent{}).Exec(t.Context())
	check("insert", err)
	_, err = on.NewUpdate(&parent{}).WherePK().Exec(t.Context())
	check("update", err)
	_, err = on.NewDelete(&parent{}).WherePK().Exec(t.Context())
	check("delete", err)
	_, err = on.NewRaw("SELECT 1").Exec(t.Context())
	check("raw", err)
	_, err = on.NewCreateTable((*parent)(nil)).Exec(t.Context())
	check("create table", err)
	_, err = on.NewDropTable((*parent)(nil)).Exec(t.Context())
	check("drop table", err)
	_, err = on.NewCreateIndex((*parent)(nil)).Index("i").Column("name").Exec(t.Context())
	check("index", err)
	_, err = on.DB().NewSelect().Model((*parent)(nil)).Count(t.Context())
	check("DB", err)
	_, err = on.DB().ExecContext(t.Context(), "SELECT 1")
	check("the DB's own pool", err)
	check("InTx", on.InTx(t.Context(), func(context.Context) error { return nil }))
	_, err = on.Lock(t.Context(), "l")
	check("Lock", err)
	check("CreateTables", on.CreateTables(t.Context(), (*parent)(nil)))
	_, err = on.Migrator(migrate.NewMigrations()).Up(t.Context())
	check("Migrator", err)
	_, err = on.Migrator(migrate.NewMigrations()).Status(t.Context())
	check("Status", err)
	require.NoError(t, m.Remove(t.Context(), shard2))
	var removed *router.RemovedBindError
	require.ErrorAs(t, m.On(shard2).NewSelect((*parent)(nil)).Scan(t.Context()), &removed)
}

// TestBuildersOn runs each builder once.
func TestBuildersOn(t *testing.T) {
	m := openShards(t)
	on := m.On(shard1)
	for _, q := range []interface {
		Exec(context.Context, ...any) (sql.Result, error)
	}{
		on.NewCreateTable((*user)(nil)),
		on.NewInsert(&user{Name: "x"}), on.NewCreateIndex((*user)(nil)).Index("by_name").Column("name"), on.NewDropIndex((*user)(nil)).Index("by_name"),
		on.NewAddColumn((*user)(nil)).ColumnExpr("more TEXT"), on.NewDropColumn((*user)(nil)).Column("more"),
		on.NewUpdate(&user{ID: 1, Name: "y"}).WherePK(), on.NewDelete(&user{ID: 1}).WherePK(),
		on.NewRaw("SELECT count(*) FROM users"),
	} {
		_, err := q.Exec(t.Context())
		require.NoError(t, err, "%T", q)
	}
	values := []user{{ID: 1}, {ID: 2}}
	n, err := on.NewSelect(nil).With("v", on.NewValues(&values)).TableExpr("v").Count(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, int(n))
	_, err = on.NewTruncateTable((*user)(nil)).Exec(t.Context())
	require.NoError(t, err)
	_, err = on.NewDropTable((*user)(nil)).Exec(t.Context())
	require.NoError(t, err)
	_, err = on.NewMerge((*user)(nil)).Exec(t.Context())
	require.Error(t, err, "SQLite has none")
}

// TestMigrateOn runs a Go migration that uses a model without a marker in a bind that is not the default one.
func TestMigrateOn(t *testing.T) {
	m := openShards(t)
	migrations := migrate.NewMigrations()
	migrations.Add(migrate.Migration{Name: "1", Up: func(ctx context.Context, _ *migrate.Migrator, _ *migrate.Migration) error { return nil }})
	up := func(ctx context.Context, g *migrate.Migrator, _ *migrate.Migration) error {
		_, err := g.DB().NewCreateTable().Model((*setting)(nil)).Exec(ctx)
		return err
	}
	migrations.Add(migrate.Migration{Name: "2", Up: up})
	b, err := m.Bind(shard2)
	require.NoError(t, err)
	_, err = b.Migrator(migrations).Up(t.Context())
	var wrong *router.WrongBindError
	require.ErrorAs(t, err, &wrong, "the bind's own migrator keeps to markers")
	group, err := m.On(shard1).Migrator(migrations).Up(t.Context())
	require.NoError(t, err)
	assert.Len(t, group.Migrations, 2)
	_, err = m.On(shard1).NewInsert(&setting{Value: "x"}).Exec(t.Context())
	require.NoError(t, err)
}
