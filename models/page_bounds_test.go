package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// TestPageSizes sees that each page that is read has a LIMIT, whatever size is asked for.
func TestPageSizes(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		pageRows(t, plain, rand.New(rand.NewPCG(6, 9)), 12)
		read := new(queryText)
		db := plain.WithQueryHook(read)
		for _, size := range []int{math.MinInt, -1, 0, 1001, math.MaxInt32, math.MaxInt - 1, math.MaxInt} {
			want := fmt.Sprintf("models: page: size %d: at least 1, and at most 1000", size)
			_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.Position{}, size)
			var refused *models.PageError
			require.ErrorAs(t, err, &refused)
			require.EqualError(t, err, want)
			_, err = models.Paginate[pageRow](t.Context(), db.NewSelect(), nil, 1, size)
			require.EqualError(t, err, want)
		}
		require.Empty(t, read.text, "nothing was asked of the database")

		for _, row := range []struct {
			size int
			opts []models.PageOption
		}{{1, nil}, {1000, nil}, {1, []models.PageOption{models.MaxPageSize(1)}}, {math.MaxInt32, []models.PageOption{models.MaxPageSize(math.MaxInt32)}}} {
			page, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.Position{}, row.size, row.opts...)
			require.NoError(t, err)
			require.Len(t, page.Items, min(row.size, 12))
			require.True(t, strings.HasSuffix(read.text, " LIMIT "+strconv.FormatInt(int64(row.size)+1, 10)), read.text)
			require.LessOrEqual(t, cap(page.Items), 32, "nothing is allocated by the size that was asked for")
			numbered, err := models.Paginate[pageRow](t.Context(), plain.NewSelect(), nil, 1, row.size, row.opts...) // two queries at once
			require.NoError(t, err)
			require.Len(t, numbered.Items, min(row.size, 12))
		}
		_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.Position{}, 2, models.MaxPageSize(1))
		require.EqualError(t, err, "models: page: size 2: at least 1, and at most 1")
		for _, most := range []int{0, -1, math.MinInt} {
			_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), nil, models.Position{}, 1, models.MaxPageSize(most))
			require.EqualError(t, err, fmt.Sprintf("models: page: MaxPageSize %d: from 1 to 2147483647", most))
		}
	})
}

// TestPageOffsets bounds the rows before a numbered page.
func TestPageOffsets(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		pageRows(t, db, rand.New(rand.NewPCG(6, 10)), 12)
		for reason, row := range map[string]struct {
			page, size int
			opts       []models.PageOption
			taken      bool
		}{
			"the first":                     {1, 10, nil, true},
			"the last within the bound":     {100_001, 10, nil, true},
			"one behind it":                 {100_002, 10, nil, false},
			"far behind it":                 {math.MaxInt, 1000, nil, false},
			"none":                          {0, 10, nil, false},
			"below none":                    {math.MinInt, 1, nil, false},
			"the first alone":               {1, 10, []models.PageOption{models.MaxOffset(0)}, true},
			"the second where it is alone":  {2, 10, []models.PageOption{models.MaxOffset(0)}, false},
			"a number that an offset holds": {math.MaxInt, 1, []models.PageOption{models.MaxOffset(math.MaxInt)}, true},
			"one that it does not hold":     {math.MaxInt, 2, []models.PageOption{models.MaxOffset(math.MaxInt)}, false},
			"a bound of nothing":            {1, 2, []models.PageOption{models.MaxOffset(-1)}, false},
		} {
			page, err := models.Paginate[pageRow](t.Context(), db.NewSelect(), nil, row.page, row.size, row.opts...)
			if row.taken {
				require.NoError(t, err, reason)
				require.EqualValues(t, 12, page.Total, reason)
				continue
			}
			var refused *models.PageError
			require.ErrorAs(t, err, &refused, reason)
			require.NotContains(t, err.Error(), "pageRow", reason)
		}
		_, err := models.Paginate[pageRow](t.Context(), db.NewSelect(), nil, 100_002, 10)
		require.EqualError(t, err, "models: page: number 100002 of 10 rows each: from 1 up to the one behind 1000000 rows")
	})
}

// TestPageOrders bounds the columns of an order before any is looked at.
func TestPageOrders(t *testing.T) {
	db := newSQLite(t)
	order := make(models.Order, 17)
	_, err := models.FetchPage[pageRow](t.Context(), db.NewSelect(), order, models.Position{}, 1)
	require.EqualError(t, err, "models: page: an order by 17 columns: at most 16")
	_, err = models.Paginate[pageRow](t.Context(), db.NewSelect(), order, 1, 1)
	require.EqualError(t, err, "models: page: an order by 17 columns: at most 16")
}

// TestCursorLengths bounds cursors: those that come, before anything is made of them, and those that are made.
func TestCursorLengths(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		c := typedColumn{ddl: "TEXT", values: []string{"'" + strings.Repeat("a", 12_100) + "'", "'" + strings.Repeat("b", 12_300) + "'", "'c'"}}
		c.create(t, db)
		order := models.Order{models.Desc("v")}
		page, err := models.FetchPage[typedRow[string]](t.Context(), db.NewSelect(), order, models.Position{}, 1)
		require.NoError(t, err)
		_, err = models.FetchPage[typedRow[string]](t.Context(), db.NewSelect(), order, models.After(page.Next), 1)
		var refused *models.PageError
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "the order's columns have values too long for a cursor, of at most 16384 characters: order by shorter ones")

		page, err = models.FetchPage[typedRow[string]](t.Context(), db.NewSelect(), models.Order{models.Asc("v")}, models.Position{}, 1)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Next), 16384)
		require.Greater(t, len(page.Next), 16000)
		page, err = models.FetchPage[typedRow[string]](t.Context(), db.NewSelect(), models.Order{models.Asc("v")}, models.After(page.Next), 2)
		require.ErrorAs(t, err, &refused, "the cursor back would be too long")
		require.Empty(t, page.Items)
	})
	sqlite := newSQLite(t)
	long := strings.Repeat("A", 64<<20)
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			_, err := models.FetchPage[pageRow](b.Context(), sqlite.NewSelect(), nil, models.After(long), 1)
			require.ErrorContains(b, err, "models: cursor: malformed")
		}
	}).AllocedBytesPerOp()
	require.Less(t, allocated, int64(64<<10))
}
