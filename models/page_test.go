package models_test

import (
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// pageRow has a column of each kind that a page can be ordered by. Plain and Zeroed cannot tell NULL
// from zero in memory.
type pageRow struct {
	bun.BaseModel `bun:"table:page_rows,alias:pr"`

	ID     int64 `bun:",pk"`
	Name   *string
	Plain  string
	Zeroed int64 `bun:",nullzero"`
	N      int   `bun:",notnull"`
	Size   uint32
	F      float64
	R      float32
	B      bool
	Data   []byte        `bun:"type:bytes_of_the_dialect"`
	At     time.Time     `bun:",nullzero"`
	Seen   sql.NullInt64 `models:"epoch"`
	Kind   models.Enum[filterStatus]
}

type pagePair struct {
	bun.BaseModel `bun:"table:page_pairs,alias:pp"`

	A    int64  `bun:",pk"`
	B    string `bun:",pk,type:varchar(20)"`
	Name string `bun:",notnull"`
}

var pageColumns = []string{"id", "name", "plain", "zeroed", "n", "size", "f", "r", "b", "data", "at", "seen", "kind"}

func one[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func randomRow(rng *rand.Rand, id int64) *pageRow {
	row := &pageRow{ID: id, Plain: one(rng, "", "x", "X", "y "), Zeroed: one[int64](rng, 0, 0, -1, 7), N: rng.IntN(4),
		Size: one[uint32](rng, 0, 1, 1<<30), F: one(rng, 0.1, -2.5, 1e15, 0), R: one[float32](rng, 0.1, 1.1, -3.3), B: rng.IntN(2) == 0,
		Data: one(rng, nil, []byte{}, []byte{0, 255}, []byte("a'\\")), Kind: one(rng, models.Enum[filterStatus]{}, models.MustEnum[filterStatus]("draft"), models.MustEnum[filterStatus]("live"))}
	if name := one(rng, "", "NULL", "a", "A", "b", `q'"\`, "é"); name != "NULL" {
		row.Name = &name
	}
	if s := rng.IntN(4); s > 0 {
		row.At = time.Date(2024, 1, s, 10, 0, s, 0, time.UTC)
		row.Seen = sql.NullInt64{Int64: row.At.UnixMilli(), Valid: true}
	}
	return row
}

// pageRows makes n random rows, full of duplicates, of NULLs that read as zero, and of zeros.
func pageRows(t *testing.T, db *bun.DB, rng *rand.Rand, n int) {
	t.Helper()
	require.NoError(t, models.Register(db, (*pageRow)(nil)))
	data := map[string]string{"pg": "BYTEA", "mysql": "VARBINARY(20)", "sqlite": "BLOB"}[db.Dialect().Name().String()]
	db.Table(typeOf[pageRow]()).FieldMap["data"].CreateTableSQLType = data
	createTables(t, db, (*pageRow)(nil))
	var rows []*pageRow
	for i := range n {
		rows = append(rows, randomRow(rng, int64(i*10)))
	}
	rng.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	_, err := db.NewInsert().Model(&rows).Exec(t.Context())
	require.NoError(t, err)
	for _, set := range []string{"plain = NULL WHERE id % 30 = 0", "zeroed = 0 WHERE id % 50 = 0"} {
		_, err := db.NewRaw("UPDATE page_rows SET " + set).Exec(t.Context())
		require.NoError(t, err)
	}
}

func randomOrder(rng *rand.Rand, columns []string) models.Order {
	columns = slices.Clone(columns)
	rng.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
	var order models.Order
	same, desc := rng.IntN(3) == 0, rng.IntN(2) == 0
	for _, c := range columns[:rng.IntN(4)] {
		order = append(order, models.SortKey{Column: c, Desc: desc, Nulls: models.NullsPlacement(rng.IntN(3))})
		if !same {
			desc = rng.IntN(2) == 0
		}
	}
	return order
}

func rowIDs(rows []pageRow) []int64 {
	var ids []int64
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids
}

// whole is all rows in an order that ends in the primary key.
func whole(t *testing.T, db *bun.DB, order models.Order, where models.Condition) []int64 {
	t.Helper()
	if !slices.ContainsFunc(order, func(k models.SortKey) bool { return k.Column == "id" }) {
		order = append(slices.Clone(order), models.SortKey{Column: "id", Desc: len(order) > 0 && order[len(order)-1].Desc})
	}
	var ids []int64
	require.NoError(t, db.NewSelect().Model((*pageRow)(nil)).Column("id").ApplyQueryBuilder(models.Where(where)).
		Apply(models.OrderBy(order...)).Scan(t.Context(), &ids))
	return ids
}

// forward and backward read all pages and return the ids in the order of the rows.
func forward(t *testing.T, order models.Order, size int, query func() *bun.SelectQuery) (ids []int64) {
	t.Helper()
	for cursor, n := "", 0; ; n++ {
		require.Less(t, n, 200, "pages without an end by %v", order)
		page, err := models.FetchPage[pageRow](t.Context(), query(), order, models.After(cursor), size)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), size)
		require.Equal(t, cursor != "" && len(page.Items) > 0, page.Prev != "")
		ids = append(ids, rowIDs(page.Items)...)
		if cursor = page.Next; cursor == "" {
			return ids
		}
		require.Len(t, page.Items, size)
	}
}

func backward(t *testing.T, order models.Order, size int, query func() *bun.SelectQuery) (ids []int64) {
	t.Helper()
	for cursor, n := "", 0; ; n++ {
		require.Less(t, n, 200, "pages without an end by %v", order)
		page, err := models.FetchPage[pageRow](t.Context(), query(), order, models.Before(cursor), size)
		require.NoError(t, err)
		ids = append(rowIDs(page.Items), ids...)
		if cursor = page.Prev; cursor == "" {
			return ids
		}
	}
}

// TestFetchPageReadsAll is the property that pages are for: put together they are the whole result, in any
// order, of any size, forwards and backwards.
func TestFetchPageReadsAll(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		rng := rand.New(rand.NewPCG(6, 1))
		pageRows(t, db, rng, 40)
		orders := []models.Order{nil}
		for _, c := range pageColumns {
			for _, key := range []models.SortKey{models.Asc(c), models.Desc(c)} {
				orders = append(orders, models.Order{key}, models.Order{key.NullsFirst()}, models.Order{key.NullsLast()})
			}
		}
		for range 25 {
			orders = append(orders, randomOrder(rng, pageColumns))
		}
		everything := func() *bun.SelectQuery { return db.NewSelect() }
		for _, order := range orders {
			size := 3 + rng.IntN(15)
			want := whole(t, db, order, models.Condition{})
			require.Len(t, want, 40)
			require.Equal(t, want, forward(t, order, size, everything), "by %v, %d a page", order, size)
			require.Equal(t, want, backward(t, order, size, everything), "backwards by %v, %d a page", order, size)
		}
	})
}

// TestFetchPageColumns reads chosen columns only, of which none is in the order, with conditions.
func TestFetchPageColumns(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		rng := rand.New(rand.NewPCG(6, 2))
		pageRows(t, db, rng, 30)
		where := models.Or(models.Gt("n", 1), models.IsNull("name"))
		for range 20 {
			order := randomOrder(rng, pageColumns)
			got := forward(t, order, 4, func() *bun.SelectQuery {
				var rows []pageRow
				return db.NewSelect().Model(&rows).Column("id", "b").ApplyQueryBuilder(models.Where(where)).
					WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("1 = 0").WhereOr("1 = 1") })
			})
			require.Equal(t, whole(t, db, order, where), got, "by %v", order)
		}
	})
}

// TestFetchPageWhileRowsCome inserts and deletes between pages: rows that stay are read once, in order.
func TestFetchPageWhileRowsCome(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		rng := rand.New(rand.NewPCG(6, 3))
		for range 6 {
			pageRows(t, db, rng, 30)
			order := randomOrder(rng, pageColumns)
			before := whole(t, db, order, models.Condition{})
			var got []int64
			gone := map[int64]bool{}
			for cursor, id := "", int64(1); ; {
				page, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), order, models.After(cursor), 4)
				require.NoError(t, err)
				got = append(got, rowIDs(page.Items)...)
				if cursor = page.Next; cursor == "" {
					break
				}
				if id < 200 { // else the inserts could keep ahead of the pages for ever
					rows := []*pageRow{randomRow(rng, id), randomRow(rng, id+10)}
					_, err = db.NewInsert().Model(&rows).Exec(t.Context())
					require.NoError(t, err)
				}
				last := page.Items[len(page.Items)-1].ID // the row that the cursor is made of, too
				_, err = db.NewDelete().Model((*pageRow)(nil)).ApplyQueryBuilder(models.Where(models.Eq("id", last))).Exec(t.Context())
				require.NoError(t, err)
				gone[last] = true
				id += 20
			}
			seen := map[int64]bool{}
			for _, id := range got {
				require.False(t, seen[id], "row %d twice by %v", id, order)
				seen[id] = true
			}
			inserted := func(id int64) bool { return id%10 != 0 }
			require.Equal(t, before, slices.DeleteFunc(got, inserted), "by %v", order)
		}
	})
}

// TestOrderPlacesNulls compares with an order that is made here.
func TestOrderPlacesNulls(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*filterPost)(nil)))
		filterRows(t, db)
		for reason, row := range map[string]struct {
			key  models.SortKey
			want []int64
		}{
			"ascending, first":  {models.Asc("views").NullsFirst(), []int64{2, 5, 1, 3, 4}},
			"ascending, last":   {models.Asc("views").NullsLast(), []int64{1, 3, 4, 2, 5}},
			"descending, first": {models.Desc("views").NullsFirst(), []int64{2, 5, 4, 3, 1}},
			"descending, last":  {models.Desc("views").NullsLast(), []int64{4, 3, 1, 2, 5}},
		} {
			var ids []int64
			q := db.NewSelect().Model((*filterPost)(nil)).Column("id").Apply(models.OrderBy(row.key, models.Asc("id")))
			require.NoError(t, q.Scan(t.Context(), &ids))
			assert.Equal(t, row.want, ids, "%s: %s", reason, q)
		}
	})
}

func TestFetchPageCompositeKey(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*pagePair)(nil))
		var rows []pagePair
		for a := range int64(4) {
			for _, b := range []string{"x", "y", "z"} {
				rows = append(rows, pagePair{A: a, B: b, Name: fmt.Sprint(a % 2)})
			}
		}
		_, err := db.NewInsert().Model(&rows).Exec(t.Context())
		require.NoError(t, err)
		var got []string
		for cursor := ""; ; {
			page, err := models.FetchPage[*pagePair](t.Context(), db.NewSelect(), models.Order{models.Desc("name")}, models.After(cursor), 5)
			require.NoError(t, err)
			for _, p := range page.Items {
				got = append(got, fmt.Sprint(p.A)+p.B)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		assert.Equal(t, "3z,3y,3x,1z,1y,1x,2z,2y,2x,0z,0y,0x", strings.Join(got, ","))
	})
}

func TestFetchPageRelation(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		var posts []filterPost
		page, err := models.FetchPage[filterPost](t.Context(), db.NewSelect().Model(&posts).Relation("Author"), models.Order{models.Desc("title")}, models.Position{}, 2)
		require.NoError(t, err)
		require.Len(t, page.Items, 2)
		assert.NotEmpty(t, page.Items[0].Author.Name)
		page, err = models.FetchPage[filterPost](t.Context(), db.NewSelect().Model(&posts).Relation("Author"), models.Order{models.Desc("title")}, models.After(page.Next), 9)
		require.NoError(t, err)
		assert.Len(t, page.Items, 3)
	})
}

// TestFetchPageHasMany loads what Bun reads by further queries.
func TestFetchPageHasMany(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		filterRows(t, db)
		var authors []filterAuthor
		posts := map[int64]int{}
		for cursor := ""; ; {
			page, err := models.FetchPage[filterAuthor](t.Context(), db.NewSelect().Model(&authors).Relation("Posts"), models.Order{models.Desc("name")}, models.After(cursor), 1)
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			posts[page.Items[0].ID] = len(page.Items[0].Posts)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		for id, n := range posts {
			want, err := db.NewSelect().Model((*filterPost)(nil)).Where("author_id = ?", id).Count(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, want, n, "posts of author %d", id)
		}
		assert.Greater(t, len(posts), 1)
	})
}

func TestFetchPageOnAnyIDB(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		pageRows(t, db, rand.New(rand.NewPCG(6, 4)), 10)
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			order := models.Order{models.Asc("plain"), models.Desc("zeroed")}
			assert.Equal(t, whole(t, db, order, models.Condition{}), forward(t, order, 3, idb.NewSelect))
		})
	})
}

func TestFetchPageRefused(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		pageRows(t, db, rand.New(rand.NewPCG(6, 5)), 3)
		var wrong []filterPost
		for reason, q := range map[string]*bun.SelectQuery{
			"an order of its own":       db.NewSelect().Order("n"),
			"a limit of its own":        db.NewSelect().Limit(3),
			"an offset of its own":      db.NewSelect().Offset(3),
			"a group":                   db.NewSelect().Group("n"),
			"distinct":                  db.NewSelect().Distinct(),
			"a union":                   db.NewSelect().Union(db.NewSelect()),
			"an or outside a group":     db.NewSelect().Where("n = 1").WhereOr("n = 2"),
			"a model of another type":   db.NewSelect().Model(&wrong),
			"a model without somewhere": db.NewSelect().Model((*pageRow)(nil)),
		} {
			_, err := models.FetchPage[pageRow](t.Context(), q, nil, models.Position{}, 2)
			var refused *models.PageError
			require.ErrorAs(t, err, &refused, reason)
		}
		for reason, order := range map[string]models.Order{
			"an unknown column":   {models.Asc("nmae")},
			"a column twice":      {models.Asc("n"), models.Desc("n")},
			"SQL":                 {models.Asc("n; DROP TABLE page_rows")},
			"a key column twice":  {models.Asc("id"), models.Asc("id")},
			"a quote in the name": {models.Asc(`n" DESC --`)},
		} {
			_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), order, models.Position{}, 2)
			var refused *models.FilterError
			require.ErrorAs(t, err, &refused, reason)
		}
		for _, size := range []int{0, -1} {
			_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.Position{}, size)
			require.ErrorContains(t, err, "at least 1")
		}
	})
}

func TestPaginate(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		rng := rand.New(rand.NewPCG(6, 6))
		pageRows(t, db, rng, 25)
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			for range 5 {
				order := randomOrder(rng, pageColumns)
				var got []int64
				for n := 1; ; n++ {
					page, err := models.Paginate[pageRow](t.Context(), idb.NewSelect(), order, n, 10)
					require.NoError(t, err)
					require.EqualValues(t, 25, page.Total)
					require.Equal(t, 3, page.Pages)
					got = append(got, rowIDs(page.Items)...)
					if len(page.Items) == 0 {
						require.Equal(t, 4, n)
						break
					}
				}
				require.Equal(t, whole(t, db, order, models.Condition{}), got)
			}
		})
		for _, row := range [][2]int{{0, 10}, {-1, 10}, {1, 0}, {math.MaxInt/2 + 1, math.MaxInt/2 + 1}} {
			_, err := models.Paginate[pageRow](t.Context(), db.NewSelect(), nil, row[0], row[1])
			var refused *models.PageError
			require.ErrorAs(t, err, &refused)
		}
	})
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
