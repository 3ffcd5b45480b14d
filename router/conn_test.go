package router

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

type item struct {
	ID    int64 `bun:",pk"`
	Count int64
}

// run is a way to run a statement; the tables below name where it must go and why.
type run func(ctx context.Context, db *bun.DB) error

func selectItem(ctx context.Context, db *bun.DB) error {
	return db.NewSelect().Model(new(item)).Limit(1).Scan(ctx)
}

func selectForUpdate(ctx context.Context, db *bun.DB) error {
	return db.NewSelect().Model(new(item)).Limit(1).For("UPDATE").Scan(ctx)
}

func insertItem(ctx context.Context, db *bun.DB) error {
	_, err := db.NewInsert().Model(&item{ID: 1}).Exec(ctx)
	return err
}

func raw(query string) run {
	return func(ctx context.Context, db *bun.DB) error {
		_, err := db.NewRaw(query).Exec(ctx)
		return err
	}
}

const (
	writer = "shop/writer"
	reader = "shop/reader-1"
)

func TestRoutedStatements(t *testing.T) {
	for name, row := range map[string]struct {
		run    run
		engine string
		kind   sqlkind.Kind
		reason Reason
	}{
		"a plain select reads":               {selectItem, reader, sqlkind.Read, PlainRead},
		"a locking select needs the writer":  {selectForUpdate, writer, sqlkind.Write, WriteText},
		"an insert builder is not even read": {insertItem, writer, sqlkind.Write, WriteQuery},
		"a count reads": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewSelect().Model((*item)(nil)).Count(ctx)
			return err
		}, reader, sqlkind.Read, PlainRead},
		"exists reads": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewSelect().Model((*item)(nil)).Exists(ctx)
			return ignoreScan(err)
		}, reader, sqlkind.Read, PlainRead},
		"rows read":                        {rowsOfItems, reader, sqlkind.Read, PlainRead},
		"a raw select reads":               {raw("SELECT 1"), reader, sqlkind.Read, PlainRead},
		"a raw update writes":              {raw("UPDATE items SET id = 2"), writer, sqlkind.Write, WriteText},
		"a sequence moves on":              {raw("SELECT nextval('s')"), writer, sqlkind.Write, WriteText},
		"a CTE that deletes":               {raw("WITH d AS (DELETE FROM items RETURNING id) SELECT * FROM d"), writer, sqlkind.Write, WriteText},
		"an advisory lock binds a session": {raw("SELECT pg_advisory_lock(1)"), writer, sqlkind.Write, WriteText},
		"nonsense is a write":              {raw("FROBNICATE"), writer, sqlkind.Write, WriteText},
		"an update builder writes": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewUpdate().Model(&item{ID: 1}).WherePK().Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"a delete builder writes": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewDelete().Model(&item{ID: 1}).WherePK().Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"insert … returning through Scan": {func(ctx context.Context, db *bun.DB) error {
			return db.NewInsert().Model(&item{}).Returning("id").Scan(ctx, new(int64))
		}, writer, sqlkind.Write, WriteQuery},
		"create table": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewCreateTable().Model((*item)(nil)).Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"drop table": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewDropTable().Model((*item)(nil)).Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"truncate": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewTruncateTable().Model((*item)(nil)).Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"create index": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewCreateIndex().Model((*item)(nil)).Index("i").Column("id").Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"drop index": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewDropIndex().Index("i").Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"add column": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewAddColumn().Model((*item)(nil)).ColumnExpr("x int").Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
		"drop column": {func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewDropColumn().Model((*item)(nil)).Column("x").Exec(ctx)
			return err
		}, writer, sqlkind.Write, WriteQuery},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "shop", 1, nil)
			ctx, route := Explain(t.Context())
			require.NoError(t, row.run(ctx, b.db))
			assert.Equal(t, row.engine, route.Engine())
			assert.Equal(t, row.kind, route.Kind())
			assert.Equal(t, row.reason, route.Reason())
			assert.Equal(t, []string{row.engine[len("shop/"):]}, b.driver.servers(), "where it was really sent")
		})
	}
}

func ignoreScan(err error) error { // the fake's row is a number, not a bool
	if err != nil && errors.Unwrap(err) != nil {
		return nil
	}
	return err
}

func rowsOfItems(ctx context.Context, db *bun.DB) error {
	rows, err := db.NewSelect().Model((*item)(nil)).Rows(ctx)
	if err != nil {
		return err
	}
	return rows.Close()
}

func TestHints(t *testing.T) {
	for name, row := range map[string]struct {
		hint   func(context.Context) context.Context
		run    run
		engine string
		reason Reason
	}{
		"a read asked onto the writer":  {OnWriter, selectItem, writer, HintWriter},
		"a read asked onto a reader":    {OnReader, selectItem, reader, HintReader},
		"the inner hint counts: reader": {func(ctx context.Context) context.Context { return OnReader(OnWriter(ctx)) }, selectItem, reader, HintReader},
		"the inner hint counts: writer": {func(ctx context.Context) context.Context { return OnWriter(OnReader(ctx)) }, selectItem, writer, HintWriter},
		"no hint moves a write":         {OnReader, insertItem, writer, WriteQuery},
		"no hint moves a lock":          {OnReader, selectForUpdate, writer, WriteText},
		"no hint moves a raw write":     {OnReader, raw("DELETE FROM items"), writer, WriteText},
		"a write asked onto the writer": {OnWriter, insertItem, writer, WriteQuery},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "shop", 1, nil)
			ctx, route := Explain(row.hint(t.Context()))
			require.NoError(t, row.run(ctx, b.db))
			assert.Equal(t, row.engine, route.Engine())
			assert.Equal(t, row.reason, route.Reason())
		})
	}
}

func TestHintsAndExplainNest(t *testing.T) {
	b := newBench(t, "shop", 1, nil)
	ctx, outer := Explain(t.Context())
	ctx = OnWriter(ctx)
	require.NoError(t, selectItem(ctx, b.db))
	assert.Equal(t, HintWriter, outer.Reason(), "a hint keeps the route around it")
	inner, route := Explain(ctx)
	require.NoError(t, selectItem(inner, b.db))
	assert.Equal(t, HintWriter, route.Reason(), "a route keeps the hint around it")
	assert.Len(t, outer.Decisions(), 2, "the inner route hides nothing from the outer one")
}

func TestWithoutReaders(t *testing.T) {
	b := newBench(t, "shop", 0, nil)
	ctx, route := Explain(t.Context())
	require.NoError(t, selectItem(ctx, b.db))
	assert.Equal(t, "shop/writer (read, no_reader)", route.String())

	strict := newBench(t, "shop", 0, func(c *Config) { c.NoFallback = true })
	err := selectItem(t.Context(), strict.db)
	require.ErrorIs(t, err, ErrNoReader)
	assert.Empty(t, strict.driver.servers())
	assert.NoError(t, insertItem(t.Context(), strict.db), "writes need no reader")
}

func TestWriterFunctions(t *testing.T) {
	b := newBench(t, "shop", 1, func(c *Config) { c.WriterFunctions = []string{"charge_*"} })
	ctx, route := Explain(t.Context())
	require.NoError(t, raw("SELECT charge_card(1)")(ctx, b.db))
	assert.Equal(t, writer, route.Engine())
	require.NoError(t, raw("SELECT price_of(1)")(ctx, b.db))
	assert.Equal(t, reader, route.Engine())
}

func TestFixedDBs(t *testing.T) {
	b := newBench(t, "shop", 1, nil)
	for name, row := range map[string]struct {
		db     *bun.DB
		run    run
		engine string
		reason Reason
	}{
		"Writer reads on the writer":              {b.on(b.WriterOnly()), selectItem, writer, WriterDB},
		"Writer writes":                           {b.on(b.WriterOnly()), insertItem, writer, WriterDB},
		"Reader reads on a reader":                {b.on(b.ReaderOnly()), selectItem, reader, ReaderDB},
		"Native runs on the writer's second pool": {b.on(b.On(b.Writer().DB(), NativeDB)), selectItem, writer, NativeDB},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, route := Explain(OnReader(t.Context()))
			require.NoError(t, row.run(ctx, row.db))
			assert.Equal(t, row.engine, route.Engine())
			assert.Equal(t, row.reason, route.Reason())
		})
	}
	t.Run("Reader ignores a hint to the writer", func(t *testing.T) {
		ctx, route := Explain(OnWriter(t.Context()))
		require.NoError(t, selectItem(ctx, b.on(b.ReaderOnly())))
		assert.Equal(t, reader, route.Engine())
	})
	t.Run("Reader refuses what is no plain read", func(t *testing.T) {
		b.driver.servers()
		for _, run := range []run{insertItem, selectForUpdate, raw("DELETE FROM items")} {
			var refused *WriteOnReaderError
			require.ErrorAs(t, run(t.Context(), b.on(b.ReaderOnly())), &refused)
			assert.Equal(t, binds.Key("shop"), refused.Bind)
		}
		assert.Empty(t, b.driver.servers(), "nothing was sent")
	})
}

// TestConcurrentUse lets the race detector look at one router under every kind of statement.
func TestConcurrentUse(t *testing.T) {
	b := newBench(t, "shop", 3, nil)
	done := make(chan error)
	const workers, rounds = 8, 50
	ctx, route := Explain(t.Context())
	for range workers {
		go func() {
			var errs []error
			for range rounds {
				errs = append(errs, selectItem(ctx, b.db), insertItem(ctx, b.db))
			}
			done <- errors.Join(errs...)
		}()
	}
	for range workers {
		require.NoError(t, <-done)
	}
	assert.Len(t, route.Decisions(), workers*rounds*2)
	for _, r := range b.Readers() {
		assert.Zero(t, r.InFlight())
	}
}
