package models_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

// purchase has names that must be quoted.
type purchase struct {
	bun.BaseModel `bun:"table:topn_purchases,alias:p"`

	ID      int64     `bun:",pk"`
	Group   string    `bun:"group,nullzero"`
	Order   int64     `bun:"order"`
	Rank    int64     `bun:",nullzero"`
	Deleted time.Time `bun:",soft_delete,nullzero"`
	Buyer   *buyer    `bun:"rel:belongs-to,join:group=name"`
}

type buyer struct {
	bun.BaseModel `bun:"table:topn_buyers"`

	Name string `bun:",pk"`
	VIP  bool
}

var purchases = []purchase{
	{ID: 1, Group: "a", Order: 5, Rank: 1}, {ID: 2, Group: "a", Order: 7}, {ID: 3, Group: "a", Order: 7, Rank: 2}, {ID: 4, Group: "a", Order: 1, Rank: 2},
	{ID: 5, Group: "b", Order: 2}, {ID: 6, Group: "b", Order: 9, Deleted: time.Unix(1, 0).UTC()}, {ID: 7, Group: "b", Order: 3},
	{ID: 8, Group: "c", Order: 4, Rank: 9}, {ID: 9, Order: 1}, {ID: 10, Order: 2},
}

func withPurchases(t *testing.T, test func(t *testing.T, db bun.IDB)) {
	t.Helper()
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*purchase)(nil), (*buyer)(nil))
		rows := slices.Clone(purchases)
		_, err := db.NewInsert().Model(&rows).Exec(t.Context())
		require.NoError(t, err)
		_, err = db.NewInsert().Model(&[]buyer{{Name: "a", VIP: true}, {Name: "b"}, {Name: "c", VIP: true}}).Exec(t.Context())
		require.NoError(t, err)
		eachIDB(t, db, test)
	})
}

func ids(rows []purchase) []int64 {
	var list []int64
	for _, row := range rows {
		list = append(list, row.ID)
	}
	return list
}

func TestTopN(t *testing.T) {
	withPurchases(t, func(t *testing.T, db bun.IDB) {
		var rows []purchase
		of := func() *bun.SelectQuery { rows = nil; return db.NewSelect().Model(&rows) }
		named := func() *bun.SelectQuery { return of().Where(`? IS NOT NULL`, bun.Ident("p.group")) }

		require.NoError(t, models.TopN(db, named(), 2, []string{"group"}, "order DESC").Scan(t.Context()))
		assert.Equal(t, []int64{2, 3, 7, 5, 8}, ids(rows), "a tie is ordered by key; what is softly deleted is not there")
		assert.Equal(t, purchases[1], rows[0], "all columns")

		require.NoError(t, models.TopN(db, named().WhereAllWithDeleted(), 1, []string{"group"}, "order DESC").Scan(t.Context()))
		assert.Equal(t, []int64{2, 6, 8}, ids(rows))

		require.NoError(t, models.TopN(db, named().Where("? < 7", bun.Ident("order")), 1, []string{"group"}, "order desc").Scan(t.Context()))
		assert.Equal(t, []int64{1, 7, 8}, ids(rows), "conditions come before the ranking")

		require.NoError(t, models.TopN(db, named().Where("id = 1").WhereOr("id = 4").WhereOr("id = 8"), 1, []string{"group"}, "order").Scan(t.Context()))
		assert.Equal(t, []int64{4, 8}, ids(rows), "OR stays where it is")

		require.NoError(t, models.TopN(db, of(), 1, []string{"group"}, "order").Scan(t.Context()))
		assert.ElementsMatch(t, []int64{4, 5, 8, 9}, ids(rows), "NULLs are a group")

		require.NoError(t, models.TopN(db, named(), 1, []string{"group"}).Relation("Buyer").Column("id").Limit(2).Scan(t.Context()))
		assert.Equal(t, []int64{1, 5}, ids(rows))
		assert.Equal(t, "a", rows[0].Buyer.Name, "the query can go on")
		assert.Zero(t, rows[0].Order)

		require.NoError(t, models.TopN(db, named(), 1, []string{"group", "order"}).Scan(t.Context()))
		assert.Equal(t, []int64{4, 1, 2, 5, 7, 8}, ids(rows), "groups of two columns")
	})
}

func TestTopNOf(t *testing.T) {
	withPurchases(t, func(t *testing.T, db bun.IDB) {
		var rows []purchase
		of := func() *bun.SelectQuery { rows = nil; return db.NewSelect().Model(&rows) }
		vips := func() *bun.SelectQuery {
			return db.NewSelect().Model((*buyer)(nil)).ColumnExpr("name AS ?", bun.Ident("group")).Where("vip = ?", true)
		}
		require.NoError(t, models.TopNOf(db, vips(), of(), 2, []string{"group"}, "order DESC").Scan(t.Context()))
		assert.Equal(t, []int64{2, 3, 8}, ids(rows))
		require.NoError(t, models.TopNOf(db, vips(), of().Where("id = 1").WhereOr("id = 5"), 2, []string{"group"}, "order DESC").Scan(t.Context()))
		assert.Equal(t, []int64{1}, ids(rows))
		twice := vips().UnionAll(vips())
		require.NoError(t, models.TopNOf(db, twice, of(), 1, []string{"group"}, "order DESC").Scan(t.Context()))
		assert.Equal(t, []int64{2, 8}, ids(rows), "a group that is named twice")
		everybody := db.NewSelect().Model((*buyer)(nil)).ColumnExpr("name AS ?", bun.Ident("group"))
		require.NoError(t, models.TopNOf(db, everybody, of(), 1, []string{"group"}, "order DESC").Scan(t.Context()))
		assert.Equal(t, []int64{2, 7, 8}, ids(rows), "softly deleted rows are not there")
	})
}

func TestLatest(t *testing.T) {
	withPurchases(t, func(t *testing.T, db bun.IDB) {
		var rows []purchase
		of := func() *bun.SelectQuery {
			rows = nil
			return db.NewSelect().Model(&rows).Where("? IS NOT NULL", bun.Ident("group"))
		}
		require.NoError(t, models.Latest(db, of(), []string{"group"}, "order").Scan(t.Context()))
		assert.Equal(t, []int64{3, 7, 8}, ids(rows), "of a tie, the later key")
		require.NoError(t, models.Latest(db, of(), []string{"group"}, "rank").Where("id > 0").Limit(5).Scan(t.Context()))
		assert.Equal(t, []int64{4, 7, 8}, ids(rows), "NULL is not the latest")
		require.NoError(t, models.Latest(db, of(), []string{"group"}, "rank").Where("id <> 4").Scan(t.Context()))
		assert.Equal(t, []int64{7, 8}, ids(rows), "what is added looks at the result")
	})
}

func TestTopNRefuses(t *testing.T) {
	db := databases[0].get(t)
	of := func() *bun.SelectQuery { return db.NewSelect().Model((*purchase)(nil)) }
	for reason, row := range map[string]struct {
		q    *bun.SelectQuery
		want string
	}{
		"no model":      {models.TopN(db, db.NewSelect().Table("x"), 1, []string{"id"}), "the query has no model"},
		"no rows":       {models.TopN(db, of(), 0, []string{"group"}), "n is 0, not 1 or more"},
		"no group":      {models.TopN(db, of(), 1, nil), "no column to group by"},
		"group":         {models.TopN(db, of(), 1, []string{"grp"}), `no column "grp"`},
		"injection":     {models.TopN(db, of(), 1, []string{"group"}, `id" DESC; --`), `no column "id\""`},
		"direction":     {models.TopN(db, of(), 1, []string{"group"}, "id sideways"), `order by "id": the direction is ASC or DESC`},
		"groups of":     {models.TopNOf(db, of(), of(), 1, []string{"grp"}), `no column "grp"`},
		"latest group":  {models.Latest(db, of(), []string{"grp"}, "id"), `no column "grp"`},
		"latest column": {models.Latest(db, of(), []string{"group"}, "odrer"), `no column "odrer"`},
	} {
		require.ErrorContains(t, row.q.Scan(t.Context(), new([]purchase)), row.want, reason)
	}
}

// TestTopNOfFindsTheIndex sees that PostgreSQL can look a group up, not only scan for it.
func TestTopNOfFindsTheIndex(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if db.Dialect().Name() != dialect.PG {
			return // the others rank
		}
		createTables(t, db, (*purchase)(nil), (*buyer)(nil))
		_, err := db.NewCreateIndex().Model((*purchase)(nil)).Index("topn_purchases_group").Column("group", "order", "id").Exec(t.Context())
		require.NoError(t, err)
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		_, err = conn.ExecContext(t.Context(), "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off")
		require.NoError(t, err)
		vips := conn.NewSelect().Model((*buyer)(nil)).ColumnExpr("name AS ?", bun.Ident("group")).Where("vip")
		q := models.TopNOf(conn, vips, conn.NewSelect().Model((*purchase)(nil)), 2, []string{"group"}, "order")
		var plan []string
		require.NoError(t, conn.NewRaw("EXPLAIN ?", q).Scan(t.Context(), &plan))
		assert.Contains(t, strings.Join(plan, "\n"), "Index Scan using topn_purchases_group")
		_, err = conn.ExecContext(t.Context(), "RESET ALL")
		require.NoError(t, err)
	})
}
