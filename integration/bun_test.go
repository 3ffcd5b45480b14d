package integration_test

import (
	"bytes"
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dbfixture"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// TestBunKeepsWorking uses what takes a *bun.DB with a bind's.
func TestBunKeepsWorking(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		t.Run("fixtures", func(t *testing.T) { testFixtures(t, b) })
		t.Run("query hooks", func(t *testing.T) { testQueryHooks(t, b) })
		t.Run("named arguments", func(t *testing.T) { testNamedArguments(t, b) })
		t.Run("builders", func(t *testing.T) { testBuilders(t, b) })
	})
}

func testFixtures(t *testing.T, b *bench) {
	ctx, db := t.Context(), b.bind(t).DB()
	db.RegisterModel((*item)(nil), (*part)(nil))
	files := fstest.MapFS{"items.yml": &fstest.MapFile{Data: []byte(`
- model: Item
  rows:
    - _id: lamp
      name: lamp
- model: Part
  rows:
    - item_id: '{{ $.Item.lamp.ID }}'
`)}}
	fixture := dbfixture.New(db)
	require.NoError(t, fixture.Load(ctx, files, "items.yml"))
	lamp := fixture.MustRow("Item.lamp").(*item)
	require.NotZero(t, lamp.ID)
	n, err := b.bind(t).Writer().NewSelect().Model((*part)(nil)).Where("item_id = ?", lamp.ID).Count(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

// spy counts the statements it is shown.
type spy struct {
	mu      sync.Mutex // guards queries
	queries []string
}

func (s *spy) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (s *spy) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, e.Query)
}

func testQueryHooks(t *testing.T, b *bench) {
	b.sync(t)
	own := new(spy)
	ctx, route := router.Explain(t.Context())
	var answer int64
	require.NoError(t, b.bind(t).DB().WithQueryHook(own).NewRaw(b.question()).Scan(ctx, &answer))
	assert.Equal(t, []string{b.question()}, own.queries)
	assert.NotEqual(t, "writer", b.name(t, answer), "a DB with a hook routes like the one without")
	assert.Equal(t, router.PlainRead, route.Reason())
}

func testNamedArguments(t *testing.T, b *bench) {
	var got string
	db := b.bind(t).DB().WithNamedArg("word", "it's")
	require.NoError(t, db.NewSelect().ColumnExpr("?word").Scan(t.Context(), &got))
	assert.Equal(t, "it's", got)
}

// testBuilders goes through the builders that the other tests leave out.
func testBuilders(t *testing.T, b *bench) {
	ctx := t.Context()
	it := &item{Name: "builder"}
	_, err := b.NewInsert(it).Exec(ctx)
	require.NoError(t, err)
	b.sync(t)

	exists, err := b.NewSelect((*item)(nil)).Where("name = ?", "builder").Exists(ctx)
	require.NoError(t, err)
	assert.True(t, exists)

	rows, err := b.NewSelect((*item)(nil)).Where("name = ?", "builder").Rows(ctx)
	require.NoError(t, err)
	var scanned []int64
	for rows.Next() {
		var row item
		require.NoError(t, b.bind(t).DB().ScanRow(ctx, rows, &row))
		scanned = append(scanned, row.ID)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	assert.Equal(t, []int64{it.ID}, scanned)

	var missing item
	require.ErrorIs(t, b.NewSelect(&missing).Where("name = ?", "nobody").Scan(ctx), sql.ErrNoRows)

	explained, route := router.Explain(ctx)
	sub := b.NewSelect((*item)(nil)).Column("id").Where("name = ?", "builder")
	var names []string
	require.NoError(t, b.NewSelect(shop{}).With("chosen", sub).TableExpr("items").Column("name").
		Where("id IN (SELECT id FROM chosen)").Scan(explained, &names), "a CTE that reads")
	assert.Equal(t, []string{"builder"}, names)
	assert.Equal(t, router.PlainRead, route.Reason())

	values := []*item{{ID: it.ID, Name: "renamed"}}
	_, err = b.NewUpdate(&values).Column("name").Bulk().Exec(ctx)
	if b.bind(t).DB().HasFeature(feature.CTE) {
		require.NoError(t, err, "a bulk update")
		assert.EqualValues(t, 1, b.rowsOf(ctx, t, "name = ?", "renamed"))
	} else {
		require.ErrorContains(t, err, "1064", "Bun writes WITH … UPDATE all the same, which MariaDB does not know")
	}

	_, err = b.NewCreateTable((*scratch)(nil)).Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewInsert(&scratch{ID: 1}).Ignore().Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewTruncateTable((*scratch)(nil)).Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewDropTable((*scratch)(nil)).Exec(ctx)
	require.NoError(t, err)
}

type scratch struct {
	shop
	ID int64 `bun:",pk"`
}

// TestHooksOfTheManager sees that the option reaches every DB of every bind.
func TestHooksOfTheManager(t *testing.T) {
	dir := t.TempDir()
	seen := new(spy)
	m := openManager(t, config(map[string]string{"shop": "sqlite://" + dir + "/a.db", "audit": "sqlite://" + dir + "/b.db"}, nil, ""),
		manager.WithQueryHook(seen), manager.WithBunOptions(bun.WithDiscardUnknownColumns()))
	for _, bind := range m.Binds() {
		for _, db := range []*bun.DB{bind.DB(), bind.Writer(), bind.Reader(), bind.Native()} {
			var row struct{ A int }
			require.NoError(t, db.NewRaw("SELECT 1 AS a, 2 AS unknown").Scan(t.Context(), &row))
		}
	}
	assert.Len(t, seen.queries, 8)
}

// TestNativeCopies sends rows with COPY, which needs the driver's own connection.
func TestNativeCopies(t *testing.T) {
	b := newBench(t, postgresKind(t))
	conn, err := b.bind(t).Native().Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	rows := strings.NewReader("copied\ncopied\n")
	_, err = pgdriver.CopyFrom(t.Context(), conn, rows, "COPY items (name) FROM STDIN")
	require.NoError(t, err)
	assert.EqualValues(t, 2, b.rowsOf(t.Context(), t, "name = ?", "copied"))
	var out bytes.Buffer
	_, err = pgdriver.CopyTo(t.Context(), conn, &out, "COPY (SELECT name FROM items) TO STDOUT")
	require.NoError(t, err)
	assert.Equal(t, "copied\ncopied\n", out.String())
}
