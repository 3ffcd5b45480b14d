package bunlayout_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/bunlayout"
)

type book struct {
	ID       int64 `bun:",pk"`
	Title    string
	AuthorID int64
	Author   *author   `bun:"rel:belongs-to,join:author_id=id"`
	Sold     []sale    `bun:"rel:has-many,join:id=book_id"`
	At       time.Time `bun:",soft_delete"`
}

type author struct {
	ID     int64 `bun:",pk"`
	Name   string
	LandID int64
	Land   *land `bun:"rel:belongs-to,join:land_id=id"`
}

type land struct {
	ID int64 `bun:",pk"`
}

type sale struct {
	ID     int64 `bun:",pk"`
	BookID int64
}

// inList is what applications use that were written before Bun's List.
func inList(slice any) schema.QueryAppender {
	//lint:ignore SA1019 as inList says
	return bun.In(slice)
}

// own appends a builder that it keeps in a field.
type own struct {
	text  string
	inner schema.QueryAppender
}

func (o own) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return o.inner.AppendQuery(gen, append(b, o.text...))
}

// keepsFar keeps builders behind pointers.
type keepsFar struct{ nodes []*node }

type node struct{ query *bun.SelectQuery }

func (k keepsFar) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return k.nodes[0].query.AppendQuery(gen, b)
}

// namedArgs are arguments by name, as applications write them.
type namedArgs map[string]any

func (n namedArgs) AppendNamedArg(gen schema.QueryGen, b []byte, name string) ([]byte, bool) {
	v, ok := n[name]
	if !ok {
		return b, false
	}
	return gen.AppendQuery(b, "?", v), true
}

// row has fields for expressions.
type row struct {
	ID    int64 `bun:",pk"`
	Any   any
	Expr  schema.QueryAppender `bun:",nullzero"`
	Plain string
}

// wrapped is a builder of the caller's type.
type wrapped struct{ *bun.SelectQuery }

var db = bun.NewDB(nil, pgdialect.New())

// marked is a builder whose text can be recognised in another's.
func marked() *bun.SelectQuery { return db.NewSelect().ColumnExpr("'found'") }

// places are all the ways by which a builder becomes a part of another one.
func places(in *bun.SelectQuery) map[string]bun.Query {
	type args struct{ Sub *bun.SelectQuery }
	type anyArgs struct{ Sub any }
	s := func() *bun.SelectQuery { return db.NewSelect().Model((*book)(nil)) }
	u := func() *bun.UpdateQuery { return db.NewUpdate().Model(&book{ID: 1}).WherePK() }
	raw := db.NewRaw("(?)", in)
	expr := bun.SafeQuery("(?)", in)
	type embedded struct{ *args }
	return map[string]bun.Query{
		"where":                  s().Where("id IN (?)", in),
		"second argument":        s().Where("id = ? OR id IN (?)", 1, in),
		"where or":               s().Where("id = 1").WhereOr("id IN (?)", in),
		"where group":            s().WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id IN (?)", in) }),
		"query builder":          s().ApplyQueryBuilder(func(q bun.QueryBuilder) bun.QueryBuilder { return q.Where("id IN (?)", in) }),
		"having":                 s().Group("id").Having("count(*) > (?)", in),
		"group":                  s().GroupExpr("(?)", in),
		"order":                  s().OrderExpr("(?)", in),
		"distinct on":            s().DistinctOn("(?)", in),
		"column":                 s().ColumnExpr("(?) AS n", in),
		"with":                   s().With("w", in),
		"with recursive":         s().WithRecursive("w", in),
		"with query":             s().WithQuery(bun.NewWithQuery("w", in)),
		"with below with":        s().With("w", db.NewSelect().With("v", in).Table("v")),
		"with of an update":      s().With("w", u().Set("title = (?)", in)),
		"with of a raw query":    s().With("w", raw),
		"union":                  s().Union(in),
		"union of a union":       s().UnionAll(db.NewSelect().Table("x").Except(in)),
		"intersect":              s().Intersect(in),
		"table":                  s().TableExpr("(?) AS t", in),
		"model table":            s().ModelTableExpr("(?) AS book", in),
		"join":                   s().Join("JOIN (?) AS j ON TRUE", in),
		"join on":                s().Join("JOIN books AS j").JoinOn("j.id IN (?)", in),
		"join on or":             s().Join("JOIN books AS j").JoinOn("TRUE").JoinOnOr("j.id IN (?)", in),
		"for":                    s().For("UPDATE OF ?", in),
		"numbered argument":      s().Where("id IN (?0)", in),
		"named argument":         s().Where("id IN (?sub)", args{in}),
		"named by a pointer":     s().Where("id IN (?sub)", &args{in}),
		"named, in an interface": s().Where("id IN (?sub)", anyArgs{in}),
		"of the DB":              db.WithNamedArg("sub", in).NewSelect().TableExpr("(?sub) AS t"),
		"of the DB, earlier":     db.WithNamedArg("sub", in).WithNamedArg("n", 1).NewSelect().TableExpr("(?sub) AS t"),
		"raw":                    raw,
		"raw in where":           s().Where("id IN ?", raw),
		"safe query":             s().Where("?", bun.SafeQuery("id IN (?)", in)),
		"in":                     s().Where("id IN (?)", inList([]any{1, in})),
		"in of builders":         s().Where("id IN (?)", inList([]*bun.SelectQuery{in})),
		"list":                   s().Where("id IN (?)", bun.List([]any{1, in})),
		"tuple":                  s().Where("id IN (?)", bun.Tuple([][]any{{1, in}})),
		"null zero":              s().Where("id IN (?)", bun.NullZero(in)),
		"own appender":           s().Where("id IN (?)", own{"", in}),
		"own appender's pointer": s().Where("id IN (?)", &own{"", in}),
		"own appenders, nested":  s().Where("id IN (?)", own{"", own{"", in}}),
		"own builder":            s().Where("id IN (?)", wrapped{in}),
		"in a builder's where":   s().Where("id IN (?)", db.NewSelect().Model((*author)(nil)).Where("id IN (?)", in)),
		"relation's condition": s().RelationWithOpts("Author", bun.RelationOpts{
			AdditionalJoinOnConditions: []schema.QueryWithArgs{bun.SafeQuery("author.id IN (?)", in)}}),
		"inner relation's condition": s().Relation("Author.Land").RelationWithOpts("Author.Land", bun.RelationOpts{
			AdditionalJoinOnConditions: []schema.QueryWithArgs{bun.SafeQuery("land.id IN (?)", in)}}),
		"relation's filter": s().Relation("Author", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("author.id IN (?)", in) }),
		"relation's column": s().Relation("Author", func(q *bun.SelectQuery) *bun.SelectQuery { return q.ColumnExpr("(?) AS author__name", in) }),

		"arguments in a map":   s().Where("id IN (?sub)", namedArgs{"sub": in}),
		"named by an embedded": s().Where("id IN (?sub)", embedded{&args{in}}),
		"pointer to a pointer": s().Where("id IN (?)", &in),
		"list of pointers":     s().Where("id IN (?)", bun.List([]**bun.SelectQuery{&in})),
		"own appender, far":    s().Where("id IN (?)", keepsFar{[]*node{{query: in}}}),
		"has-many's condition": s().RelationWithOpts("Sold", bun.RelationOpts{
			AdditionalJoinOnConditions: []schema.QueryWithArgs{bun.SafeQuery("id IN (?)", in)}}),
		"row's any":            db.NewInsert().Model(&row{ID: 1, Any: expr}),
		"row's expression":     db.NewInsert().Model(&[]row{{ID: 1}, {ID: 2, Expr: expr}}),
		"row by pointer":       db.NewInsert().Model(&[]*row{{ID: 1, Any: in}}),
		"update's row":         db.NewUpdate().Model(&row{ID: 1, Any: expr}).WherePK(),
		"map":                  db.NewInsert().Model(&map[string]any{"id": 1, "x": expr}).Table("x"),
		"update's map":         db.NewUpdate().Model(&map[string]any{"x": expr}).Table("x").Where("TRUE"),
		"values' row":          s().With("v", db.NewValues(&[]row{{ID: 1, Any: expr}})),
		"insert from":          db.NewInsert().Model((*book)(nil)).Table("x").With("x", in),
		"insert's source":      db.NewInsert().Model((*book)(nil)).TableExpr("(?)", in),
		"insert's value":       db.NewInsert().Model(&book{ID: 1}).Value("title", "(?)", in),
		"insert's conflict":    db.NewInsert().Model(&book{ID: 1}).On("CONFLICT (id) DO UPDATE").Set("title = (?)", in),
		"insert's returning":   db.NewInsert().Model(&book{ID: 1}).Returning("(?)", in),
		"insert's where":       db.NewInsert().Model(&book{ID: 1}).On("CONFLICT (id) DO UPDATE").Set("title = 1").Where("book.id IN (?)", in),
		"update's set":         u().Set("title = (?)", in),
		"update's column":      u().SetColumn("title", "(?)", in),
		"update's value":       u().Value("title", "(?)", in),
		"update's source":      u().TableExpr("(?) AS t", in),
		"update's where":       u().Where("id IN (?)", in),
		"update's returning":   u().Returning("(?)", in),
		"update's join":        u().Join("JOIN (?) AS j", in).JoinOn("TRUE"),
		"update of values":     db.NewUpdate().With("v", db.NewValues(&[]book{{ID: 1}})).Model((*book)(nil)).Table("v").Set("title = (?)", in).Where("TRUE"),
		"delete's where":       db.NewDelete().Model((*book)(nil)).Where("id NOT IN (?)", in),
		"delete's with":        db.NewDelete().Model((*book)(nil)).With("w", in).Where("TRUE"),
		"delete's source":      db.NewDelete().Model((*book)(nil)).TableExpr("(?) AS t", in).Where("TRUE"),
		"delete, forced":       db.NewDelete().Model(&book{ID: 1}).ForceDelete().Where("id IN (?)", in),
		"delete's returning":   db.NewDelete().Model((*book)(nil)).Where("TRUE").Returning("(?)", in),
		"merge's source":       db.NewMerge().Model((*book)(nil)).Using("(?) AS s", in).On("TRUE").WhenDelete("MATCHED"),
		"merge's condition":    db.NewMerge().Model((*book)(nil)).Using("s").On("s.id IN (?)", in).WhenDelete("MATCHED"),
		"merge's update":       db.NewMerge().Model((*book)(nil)).Using("s").On("TRUE").WhenUpdate("MATCHED", func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("title = (?)", in) }),
		"merge's insert":       db.NewMerge().Model(&book{ID: 1}).Using("s").On("TRUE").WhenInsert("NOT MATCHED", func(q *bun.InsertQuery) *bun.InsertQuery { return q.Value("title", "(?)", in) }),
		"create table's key":   db.NewCreateTable().Model((*book)(nil)).ForeignKey("(?)", in),
		"create index's where": db.NewCreateIndex().Model((*book)(nil)).Index("i").Column("id").Where("id IN (?)", in),
		"create index's expr":  db.NewCreateIndex().Model((*book)(nil)).Index("i").ColumnExpr("(?)", in),
		"add column":           db.NewAddColumn().Model((*book)(nil)).ColumnExpr("x (?)", in),
		"drop column":          db.NewDropColumn().Model((*book)(nil)).ColumnExpr("x (?)", in),
		"truncate":             db.NewTruncateTable().TableExpr("(?)", in),
		"drop table":           db.NewDropTable().TableExpr("(?)", in),
	}
}

func TestNested(t *testing.T) {
	for name, q := range places(marked()) {
		t.Run(name, func(t *testing.T) {
			text, err := q.AppendQuery(q.(interface{ DB() *bun.DB }).DB().QueryGen(), nil)
			require.NoError(t, err)
			if name != "has-many's condition" { // which is written into another query
				require.Equal(t, 1, strings.Count(string(text), "'found'"), "Bun writes it: %s", text)
			}

			m, _ := q.GetModel().(bun.TableModel)
			assert.True(t, bunlayout.Nests(q, m))
			var visits int
			require.NoError(t, bunlayout.Nested(q, func(part bun.Query, _ reflect.Type) error {
				if text, err := part.AppendQuery(db.QueryGen(), nil); err == nil && string(text) == "SELECT 'found'" {
					visits++
				}
				return nil
			}))
			assert.Positive(t, visits)

			refused := errors.New("refused")
			assert.ErrorIs(t, bunlayout.Nested(q, func(bun.Query, reflect.Type) error { return refused }), refused)
		})
	}
}

// plain are queries without parts.
func plain() map[string]bun.Query {
	text := "text"
	return map[string]bun.Query{
		"point":          db.NewSelect().Model((*book)(nil)).Where("id = ?", 1),
		"primary key":    db.NewSelect().Model(&book{ID: 1}).WherePK(),
		"columns":        db.NewSelect().Model((*book)(nil)).Column("id", "title").ColumnExpr("count(*)").Order("id DESC").Group("id").Limit(1),
		"arguments":      db.NewSelect().Table("x").Where("a = ? AND b = ? AND c = ? AND d = ?", "x", time.Time{}, []byte{1}, &text),
		"identifiers":    db.NewSelect().TableExpr("? AS ?TableAlias", bun.Ident("x")).Where("? = ?", bun.Name("x"), 1.5),
		"lists":          db.NewSelect().Table("x").Where("a IN (?) AND b IN (?)", inList([]int64{1}), bun.List([]string{"x"})),
		"tuples":         db.NewSelect().Table("x").Where("(a, b) IN ?", bun.Tuple([][]int{{1, 2}})),
		"named":          db.NewSelect().Table("x").Where("a = ?id", book{}),
		"a list of any":  db.NewSelect().Table("x").Where("a = ?", [3]int{}),
		"joins":          db.NewSelect().Model((*book)(nil)).Join("JOIN x ON x.id = ?", 1).JoinOn("x.id = ?", 1),
		"relations":      db.NewSelect().Model((*book)(nil)).Relation("Author.Land").Relation("Sold"),
		"with arguments": db.WithNamedArg("x", 1).NewSelect().Table("x"),
		"has-many":       db.NewSelect().Model((*book)(nil)).Relation("Sold", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "book_id").Where("id > 1") }),
		"an array":       db.NewSelect().Table("x").Where("a = ANY(?)", [2]int{1, 2}),
		"a value":        db.NewSelect().Table("x").Where("a = ?", &lazy{}),
		"insert":         db.NewInsert().Model(&[]book{{ID: 1}, {ID: 2}}).On("CONFLICT DO NOTHING").Returning("id"),
		"update":         db.NewUpdate().Model(&book{ID: 1}).Column("title").Set("at = ?", time.Time{}).WherePK(),
		"delete":         db.NewDelete().Model((*book)(nil)).Where("id = ?", 1),
		"raw":            db.NewRaw("SELECT ?", 1),
	}
}

// lazy is a value whose fields Bun does not look at.
type lazy struct {
	mu     sync.Mutex
	cached any
}

func (l *lazy) Value() (driver.Value, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cached = "x"
	return "x", nil
}

// What is no builder's part is looked at once, however often it stands there.
func TestNested_many(t *testing.T) {
	many := make([]any, 100_000)
	for i := range many {
		many[i] = &own{inner: bun.Safe("1")}
	}
	q := db.NewSelect().Table("x").Where("id IN (?)", bun.List(many))
	visits := 0
	require.NoError(t, bunlayout.Nested(q, func(bun.Query, reflect.Type) error { visits++; return nil }))
	assert.Zero(t, visits)
}

// A reflect.Value of an unexported field, and a builder that wraps none, are passed over.
func TestNested_odd(t *testing.T) {
	type hidden struct{ in any }
	type holdsValue struct {
		own
		v reflect.Value
	}
	for _, v := range []any{
		holdsValue{own{inner: bun.Safe("1")}, reflect.ValueOf(hidden{1}).Field(0)},
		own{inner: bun.NullZero(wrapped{})},
	} {
		require.NoError(t, bunlayout.Nested(db.NewSelect().Table("x").Where("id IN (?)", v), func(q bun.Query, _ reflect.Type) error {
			return fmt.Errorf("%T", q)
		}))
	}
}

func TestNests_nothing(t *testing.T) {
	for name, q := range plain() {
		t.Run(name, func(t *testing.T) {
			_, err := q.AppendQuery(db.QueryGen(), nil) // which makes the joins
			require.NoError(t, err)
			require.NoError(t, bunlayout.Nested(q, func(part bun.Query, _ reflect.Type) error { return fmt.Errorf("%T", part) }))
			m, _ := q.GetModel().(bun.TableModel)
			if name == "with arguments" {
				return // these are looked at one by one
			}
			assert.False(t, bunlayout.Nests(q, m), "needs no search")
			assert.Zero(t, testing.AllocsPerRun(100, func() {
				if bunlayout.Nests(q, m) {
					t.Error("nests")
				}
			}))
		})
	}
}

// A builder that holds itself cannot be written; it must not be walked through for ever either.
func TestNested_circle(t *testing.T) {
	q := db.NewSelect().Table("x")
	q.Where("id IN (?)", q)
	visits := 0
	require.NoError(t, bunlayout.Nested(q, func(bun.Query, reflect.Type) error { visits++; return nil }))
	assert.LessOrEqual(t, visits, 1)
}

func BenchmarkNested(b *testing.B) {
	q := db.NewSelect().Model((*book)(nil)).Where("id IN (?)", db.NewSelect().Model((*sale)(nil)).Column("book_id"))
	b.Run("written", func(b *testing.B) {
		for b.Loop() {
			if _, err := q.AppendQuery(db.QueryGen(), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("looked at", func(b *testing.B) {
		for b.Loop() {
			if err := bunlayout.Nested(q, func(bun.Query, reflect.Type) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNests(b *testing.B) {
	q := db.NewSelect().Model((*book)(nil)).Where("id = ?", 1)
	m := q.GetModel().(bun.TableModel)
	for b.Loop() {
		if bunlayout.Nests(q, m) {
			b.Fatal("nests")
		}
	}
}
