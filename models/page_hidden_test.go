package models_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type HiddenPay struct {
	Salary int64
	Bonus  *int64
}

type HiddenDates struct {
	Born time.Time `bun:",nullzero"`
}

type hiddenReview struct {
	Grade sql.NullString
}

// hiddenRow has a column in each place where Bun finds a field.
type hiddenRow struct {
	bun.BaseModel `bun:"table:page_hidden,alias:ph"`
	HiddenPay
	*HiddenDates

	ID     int64 `bun:",pk"`
	Name   string
	Rank   *int64
	Review hiddenReview `bun:"embed:review_"`
	BossID int64
	Boss   *hiddenRow   `bun:"rel:belongs-to,join:boss_id=id"`
	Team   []*hiddenRow `bun:"rel:has-many,join:id=boss_id"`

	seen []string // by the hook
}

var _ bun.AfterScanRowHook = (*hiddenRow)(nil)

func (h *hiddenRow) AfterScanRow(context.Context) error {
	if h.Salary != 0 || h.Bonus != nil || h.HiddenDates != nil || h.Rank != nil || h.Review.Grade.Valid || h.ID != 0 || h.BossID != 0 {
		h.seen = append(h.seen, "a column that was not selected")
	}
	return nil
}

func hiddenRows(t *testing.T, db *bun.DB) {
	t.Helper()
	createTables(t, db, (*hiddenRow)(nil))
	var rows []hiddenRow
	for i := range int64(6) {
		n := 7 - i%3
		row := hiddenRow{ID: 100 + i, Name: string(rune('a' + i)), Rank: &n, BossID: 100 + i/2}
		row.Salary, row.Bonus = 5000+i, &n
		row.HiddenDates = &HiddenDates{Born: time.Date(2000, 1, int(i)+1, 0, 0, 0, 0, time.UTC)}
		row.Review.Grade = sql.NullString{String: "good", Valid: true}
		rows = append(rows, row)
	}
	_, err := db.NewInsert().Model(&rows).Exec(t.Context())
	require.NoError(t, err)
}

var hiddenOrders = map[string]models.Order{
	"the key alone":         nil,
	"embedded":              {models.Desc("salary")},
	"a pointer":             {models.Asc("rank")},
	"an embedded pointer":   {models.Asc("bonus").NullsLast()},
	"an embedded struct's":  {models.Desc("born")},
	"embedded with a name":  {models.Asc("review_grade"), models.Desc("salary")},
	"what is selected, too": {models.Asc("name"), models.Desc("salary")},
}

// TestFetchPageHidesWhatOrders selects one column and orders by others: these are in no row, and no hook has seen them.
func TestFetchPageHidesWhatOrders(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		hiddenRows(t, db)
		for reason, order := range hiddenOrders {
			var names, pointed []string
			for cursor := ""; ; {
				page, err := models.FetchPage[hiddenRow](t.Context(), db.NewSelect().Model(new([]hiddenRow)).Column("name"), order, models.After(cursor), 2)
				require.NoError(t, err, reason)
				pointers, err := models.FetchPage[*hiddenRow](t.Context(), db.NewSelect().Model(new([]*hiddenRow)).Column("name"), order, models.After(cursor), 2)
				require.NoError(t, err, reason)
				for i, row := range page.Items {
					require.Equal(t, hiddenRow{Name: row.Name}, row, reason)
					require.Equal(t, &hiddenRow{Name: pointers.Items[i].Name}, pointers.Items[i], reason)
					names, pointed = append(names, row.Name), append(pointed, pointers.Items[i].Name)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			require.ElementsMatch(t, []string{"a", "b", "c", "d", "e", "f"}, names, reason)
			require.Equal(t, names, pointed)
		}
	})
}

// TestFetchPageShowsWhatIsSelected sees that pages have neither more nor less than the query's own columns.
func TestFetchPageShowsWhatIsSelected(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		hiddenRows(t, db)
		order := models.Order{models.Desc("salary")}
		first := func(q *bun.SelectQuery) hiddenRow {
			t.Helper()
			page, err := models.FetchPage[hiddenRow](t.Context(), q.Model(new([]hiddenRow)), order, models.Position{}, 1)
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			require.NotEmpty(t, page.Next)
			return page.Items[0]
		}
		all := first(db.NewSelect())
		require.EqualValues(t, 5005, all.Salary)
		require.EqualValues(t, 105, all.ID)
		require.NotNil(t, all.HiddenDates)

		chosen := first(db.NewSelect().Column("salary", "id"))
		require.EqualValues(t, 5005, chosen.Salary)
		require.EqualValues(t, 105, chosen.ID)
		require.Empty(t, chosen.Name)

		without := first(db.NewSelect().Model((*hiddenRow)(nil)).ExcludeColumn("salary"))
		require.Zero(t, without.Salary)
		require.EqualValues(t, 105, without.ID)
		require.Equal(t, "f", without.Name)

		blurred := first(db.NewSelect().ColumnExpr("1 AS salary"))
		require.EqualValues(t, 1, blurred.Salary, "an expression in the column's place stays")
		require.Equal(t, hiddenRow{HiddenPay: HiddenPay{Salary: 1}, seen: blurred.seen}, blurred)
	})
}

// TestFetchPageHidesWithRelations loads relations with chosen columns.
func TestFetchPageHidesWithRelations(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		hiddenRows(t, db)
		order := models.Order{models.Asc("salary")}
		page, err := models.FetchPage[hiddenRow](t.Context(),
			db.NewSelect().Model(new([]hiddenRow)).Column("name").Relation("Boss", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("name") }),
			order, models.Position{}, 2)
		require.NoError(t, err)
		require.Equal(t, []hiddenRow{{Name: "a", Boss: &hiddenRow{Name: "a"}}, {Name: "b", Boss: &hiddenRow{Name: "a"}}}, page.Items)

		_, err = models.FetchPage[hiddenRow](t.Context(), db.NewSelect().Model(new([]hiddenRow)).Column("name").Relation("Team"), order, models.Position{}, 2)
		var refused *models.PageError
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, `the relation Team joins by the column "id", which the query does not select: add it to its columns`)

		page, err = models.FetchPage[hiddenRow](t.Context(), db.NewSelect().Model(new([]hiddenRow)).Column("id").Relation("Team"), order, models.Position{}, 2)
		require.NoError(t, err)
		require.Len(t, page.Items[0].Team, 2)
		require.Zero(t, page.Items[0].Salary)
	})
}
