package integration_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router"
)

// TestWhichServerAnswers is the body that every kind of database goes through: each statement is
// answered by the server where it belongs, as that server itself says, and Explain says the same.
func TestWhichServerAnswers(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		t.Run("reads", func(t *testing.T) { testReads(t, b) })
		t.Run("writes", func(t *testing.T) { testWrites(t, b) })
		t.Run("locks", func(t *testing.T) { testLocks(t, b) })
		t.Run("past the router", func(t *testing.T) { testPastTheRouter(t, b) })
		t.Run("Reader", func(t *testing.T) { testReaderDB(t, b) })
		t.Run("relations", func(t *testing.T) { testRelations(t, b) })
	})
}

// ask selects who answers through a builder of the manager's.
func (b *bench) ask(ctx context.Context, t *testing.T) string {
	t.Helper()
	q := b.NewSelect(shop{}).ColumnExpr(b.whoAmI)
	if b.whoAmIFrom != "" {
		q = q.TableExpr(b.whoAmIFrom)
	}
	var answer int64
	ctx, route := router.Explain(ctx)
	require.NoError(t, q.Scan(ctx, &answer))
	name := b.name(t, answer)
	assert.Equal(t, "shop/"+name, route.Engine(), "Explain and the server agree")
	return name
}

func testReads(t *testing.T, b *bench) {
	answers := map[string]int{}
	const asked = 12
	for range asked {
		answers[b.ask(t.Context(), t)]++
	}
	readers := len(b.bind(t).ReaderEngines())
	assert.Len(t, answers, readers, "every reader serves, and nobody else")
	assert.NotContains(t, answers, "writer")
	for name, n := range answers {
		assert.Equal(t, asked/readers, n, "round robin: %s", name)
	}
	assert.Equal(t, "writer", b.ask(router.OnWriter(t.Context()), t))
	assert.NotEqual(t, "writer", b.ask(router.OnReader(router.OnWriter(t.Context())), t))

	var answer int64
	require.NoError(t, b.NewRaw(shop{}, b.question()).Scan(t.Context(), &answer))
	assert.NotEqual(t, "writer", b.name(t, answer), "a raw read")
	require.NoError(t, b.NewRaw(shop{}, "/* a comment */ "+b.question()).Scan(t.Context(), &answer), "a leading comment, as Bun writes them")
}

// testWrites lets each write note the server that ran it.
func testWrites(t *testing.T, b *bench) {
	ctx := t.Context()
	who := "(" + b.question() + ")"
	if b.cluster == nil {
		who = "0" // a SQLite reader cannot write at all: the row's being there is the proof
	}
	wroteIt := func(name string, id int64) {
		t.Helper()
		var got item
		require.NoError(t, b.bind(t).Writer().NewSelect().Model(&got).Where("id = ?", id).Scan(ctx))
		assert.Equal(t, "writer", b.name(t, got.Server), name)
	}
	one := &item{Name: "one"}
	explained, route := router.Explain(ctx)
	_, err := b.NewInsert(one).Value("server", who).Exec(explained)
	require.NoError(t, err)
	require.NotZero(t, one.ID, "the database's key comes back")
	assert.Equal(t, router.WriteQuery, route.Reason())
	wroteIt("insert", one.ID)

	_, err = b.NewUpdate(one).Set("server = -1").WherePK().Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewUpdate(one).Set("server = " + who).WherePK().Exec(ctx)
	require.NoError(t, err)
	wroteIt("update", one.ID)

	_, err = b.NewRaw(shop{}, "UPDATE items SET server = -1 WHERE id = ?", one.ID).Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewRaw(shop{}, "UPDATE items SET server = "+who+" WHERE id = ?", one.ID).Exec(ctx)
	require.NoError(t, err)
	wroteIt("raw update", one.ID)

	many := []*item{{Name: "two"}, {Name: "three"}}
	_, err = b.NewInsert(&many).Exec(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 2, b.rowsOf(ctx, t, "name IN (?)", bun.List([]string{"two", "three"})))
	_, err = b.NewDelete((*item)(nil)).Where("name <> ?", "one").Exec(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1, b.rowsOf(ctx, t, "1 = 1"))

	_, err = b.NewAddColumn((*item)(nil)).ColumnExpr("extra INT").Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewDropColumn((*item)(nil)).ColumnExpr("extra").Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewCreateIndex((*item)(nil)).Index("items_name").Column("name").Exec(ctx)
	require.NoError(t, err)
}

func testLocks(t *testing.T, b *bench) {
	if !b.forUpdate {
		_, err := b.NewSelect((*item)(nil)).For("UPDATE").Exec(t.Context())
		require.Error(t, err, "SQLite has no locking reads")
		return
	}
	for _, lock := range []string{"UPDATE", "UPDATE NOWAIT", "UPDATE SKIP LOCKED", "SHARE"} {
		if lock == "SHARE" && strings.HasPrefix(b.whoAmI, "@@") {
			continue // MariaDB spells it LOCK IN SHARE MODE: below
		}
		ctx, route := router.Explain(t.Context())
		var answer int64
		require.NoError(t, b.NewSelect((*item)(nil)).ColumnExpr(b.whoAmI).Limit(1).For(lock).Scan(ctx, &answer), lock)
		assert.Equal(t, "writer", b.name(t, answer), lock)
		assert.Equal(t, router.WriteText, route.Reason(), lock)
	}
	locked := "SELECT " + b.whoAmI + " FROM items WHERE id IN (SELECT id FROM items FOR UPDATE)"
	if b.name(t, int64(b.cluster.Primary.Port())) == "writer" && strings.HasPrefix(b.whoAmI, "@@") {
		locked = "SELECT " + b.whoAmI + " FROM items LOCK IN SHARE MODE"
	}
	var answer int64
	require.NoError(t, b.NewRaw(shop{}, locked).Scan(t.Context(), &answer))
	assert.Equal(t, "writer", b.name(t, answer), locked)
}

// testPastTheRouter asks where Bun's own ways past its resolver lead: to the writer.
func testPastTheRouter(t *testing.T, b *bench) {
	ctx, db := t.Context(), b.bind(t).DB()
	answers := func(name string, answer int64, err error) {
		t.Helper()
		require.NoError(t, err, name)
		assert.Equal(t, "writer", b.name(t, answer), name)
	}
	var answer int64
	err := db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := tx.NewRaw(b.question()).Scan(ctx, &answer); err != nil {
			return err
		}
		return tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { // a savepoint
			_, err := tx.NewInsert().Model(&item{Name: "in a savepoint"}).Exec(ctx)
			return err
		})
	})
	answers("RunInTx", answer, err)
	assert.EqualValues(t, 1, b.rowsOf(ctx, t, "name = ?", "in a savepoint"))

	err = db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&item{Name: "rolled back"}).Exec(ctx); err != nil {
			return err
		}
		return sql.ErrNoRows
	})
	require.ErrorIs(t, err, sql.ErrNoRows)
	assert.Zero(t, b.rowsOf(ctx, t, "name = ?", "rolled back"))

	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	err = conn.NewRaw(b.question()).Scan(ctx, &answer)
	require.NoError(t, conn.Close())
	answers("Conn", answer, err)

	stmt, err := db.PrepareContext(ctx, b.question())
	require.NoError(t, err)
	err = stmt.QueryRowContext(ctx).Scan(&answer)
	require.NoError(t, stmt.Close())
	answers("Prepare", answer, err)

	answers("QueryRowContext", answer, db.QueryRowContext(ctx, b.question()).Scan(&answer))
	answers("the bare sql.DB", answer, db.DB.QueryRowContext(ctx, b.question()).Scan(&answer))
	answers("Writer", answer, b.bind(t).Writer().NewRaw(b.question()).Scan(ctx, &answer))
	answers("Native", answer, b.bind(t).Native().NewRaw(b.question()).Scan(ctx, &answer))
}

// testReaderDB shows that no way through Reader() leads to the writer or writes.
func testReaderDB(t *testing.T, b *bench) {
	ctx, db := t.Context(), b.bind(t).Reader()
	var answer int64
	for range 4 {
		require.NoError(t, db.NewRaw(b.question()).Scan(ctx, &answer))
		assert.NotEqual(t, "writer", b.name(t, answer))
	}
	err := db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return tx.NewRaw(b.question()).Scan(ctx, &answer)
	})
	require.NoError(t, err)
	assert.NotEqual(t, "writer", b.name(t, answer), "a transaction")

	_, err = db.NewInsert().Model(&item{Name: "stray"}).Exec(ctx)
	var refused *router.WriteOnReaderError
	require.ErrorAs(t, err, &refused)
	for name, write := range map[string]func() error{
		"ExecContext": func() error {
			_, err := db.ExecContext(ctx, "INSERT INTO items (name) VALUES ('stray')")
			return err
		},
		"a transaction": func() error {
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewInsert().Model(&item{Name: "stray"}).Exec(ctx)
				return err
			})
		},
		"a connection": func() error {
			conn, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			_, err = conn.NewInsert().Model(&item{Name: "stray"}).Exec(ctx)
			_ = conn.Close()
			return err
		},
	} {
		require.Error(t, write(), "the server refuses: %s", name)
	}
	assert.Zero(t, b.rowsOf(ctx, t, "name = ?", "stray"))
	b.sync(t)
	assert.NotEqual(t, "writer", b.ask(ctx, t), "the readers are well")
}

func testRelations(t *testing.T, b *bench) {
	ctx := t.Context()
	it := &item{Name: "with relations"}
	_, err := b.NewInsert(it).Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewInsert(&[]*part{{ItemID: it.ID}, {ItemID: it.ID}}).Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewInsert(&note{ItemID: it.ID, Text: "in another database"}).Exec(ctx)
	require.NoError(t, err)
	b.sync(t)

	got := &item{ID: it.ID}
	explained, route := router.Explain(ctx)
	require.NoError(t, b.NewSelect(got).WherePK().Relation("Parts").Relation("Notes").Scan(explained))
	assert.Len(t, got.Parts, 2)
	require.Len(t, got.Notes, 1)
	assert.Equal(t, "in another database", got.Notes[0].Text)
	var ran []string
	for _, d := range route.Decisions() {
		ran = append(ran, d.Bind.String())
		assert.Contains(t, d.Engine, "/reader-")
	}
	assert.ElementsMatch(t, []string{"shop", "shop", "audit"}, ran)

	var parts []*part
	require.NoError(t, b.NewSelect(&parts).Relation("Item").Where("item_id = ?", it.ID).Scan(ctx))
	require.Len(t, parts, 2)
	assert.Equal(t, "with relations", parts[0].Item.Name, "a join within the bind")

	n, err := b.NewSelect(&parts).Where("item_id = ?", it.ID).Limit(1).ScanAndCount(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
	assert.Len(t, parts, 1)

	var wrong *router.WrongBindError
	err = b.bind(t).DB().NewSelect().Model(&note{}).Scan(ctx)
	require.ErrorAs(t, err, &wrong)
}
