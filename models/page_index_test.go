package models_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type indexedRow struct {
	bun.BaseModel `bun:"table:page_indexed,alias:pi"`

	ID int64 `bun:",pk"`
	N  int   `bun:",notnull"`
}

// TestFetchPageUsesIndex sees that the database goes to a cursor's place by the index, instead of reading
// up to it, in one direction and in mixed ones.
func TestFetchPageUsesIndex(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*indexedRow)(nil))
		rows := make([]indexedRow, 3000)
		for i := range rows {
			rows[i] = indexedRow{ID: int64(i), N: i / 3}
		}
		_, err := db.NewInsert().Model(&rows).Exec(t.Context())
		require.NoError(t, err)
		for _, statement := range []string{"CREATE INDEX page_indexed_n ON page_indexed (n, id)", "ANALYZE TABLE page_indexed"} {
			if db.Dialect().Name() != dialect.MySQL {
				statement = strings.Replace(statement, "ANALYZE TABLE", "ANALYZE", 1)
			}
			_, err = db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		for _, order := range []models.Order{
			{models.Asc("n")}, {models.Desc("n")}, {models.Asc("n"), models.Desc("id")},
		} {
			page, err := models.FetchPage[indexedRow](t.Context(), db.NewSelect(), order, models.Position{}, 2500, models.MaxPageSize(2500))
			require.NoError(t, err)
			read := new(queryText)
			_, err = models.FetchPage[indexedRow](t.Context(), db.WithQueryHook(read).NewSelect(), order, models.After(page.Next), 2)
			require.NoError(t, err)
			plan := explain(t, db, read.text)
			want := map[dialect.Name]string{
				dialect.PG: "Index Cond: ", dialect.SQLite: "SEARCH pi USING ", dialect.MySQL: "|range|",
			}[db.Dialect().Name()]
			require.Contains(t, plan, want, "%v: %s", order, read.text)
		}
	})
}

// queryText keeps the text of the last query.
type queryText struct{ text string }

func (q *queryText) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	q.text = e.Query
	return ctx
}

func (*queryText) AfterQuery(context.Context, *bun.QueryEvent) {}

func explain(t *testing.T, db *bun.DB, query string) string {
	t.Helper()
	how := map[dialect.Name]string{
		dialect.PG: "EXPLAIN ", dialect.SQLite: "EXPLAIN QUERY PLAN ",
		dialect.MySQL: "EXPLAIN FORMAT=TRADITIONAL ", // MySQL's own choice is a tree since 9.0
	}[db.Dialect().Name()]
	rows, err := db.QueryContext(t.Context(), how+query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var plan strings.Builder
	for rows.Next() {
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		require.NoError(t, rows.Scan(into...))
		for _, c := range cells {
			plan.WriteString(c.String + "|")
		}
		plan.WriteString("\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}
