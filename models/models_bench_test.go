package models_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/models"
)

// benchOrder is a row as many tables have it.
type benchOrder struct {
	bun.BaseModel `bun:"table:bench_orders"`

	ID       int64 `bun:",pk"`
	Customer int64
	Code     string
	Note     string `bun:"type:text"`
	Price    float64
	Paid     bool
	At       time.Time
}

func benchOrders(n int) []benchOrder {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)
	rows := make([]benchOrder, n)
	for i := range rows {
		rows[i] = benchOrder{ID: int64(i + 1), Customer: int64(i % 97), Code: fmt.Sprintf("order-%08d", i),
			Note: "it's " + strings.Repeat("text ", 10), Price: float64(i) / 100, Paid: i%2 == 0, At: at.Add(time.Duration(i) * time.Second)}
	}
	return rows
}

// bareBun inserts as one would write it by hand.
func bareBun[T any](ctx context.Context, db *bun.DB, rows []T, batch int) error {
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		for part := range slices.Chunk(rows, batch) {
			if _, err := tx.NewInsert().Model(&part).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkBulkInsert inserts 100 000 rows by BulkInsert and by bare Bun in the same batches, in
// turns, and reports how the medians compare.
func BenchmarkBulkInsert(b *testing.B) {
	const rows, batch = 100_000, 1000
	for _, d := range databases {
		if !teston.Has(d.name) {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			db, ctx := d.get(b), b.Context()
			model := (*benchOrder)(nil)
			_, err := db.NewCreateTable().Model(model).IfNotExists().Exec(ctx)
			require.NoError(b, err)
			defer func() {
				_, err := db.NewDropTable().Model(model).Exec(ctx)
				require.NoError(b, err)
			}()
			data := benchOrders(rows)
			arms := [2]func() error{
				func() error { return bareBun(ctx, db, data, batch) },
				func() error {
					done, err := models.BulkInsert(ctx, db, data, models.BatchRows(batch))
					assert.Equal(b, rows/batch, done.Batches)
					return err
				},
			}
			var times [2][]time.Duration
			for turn := 0; b.Loop(); turn++ {
				for i := range arms {
					arm := (i + turn) % 2
					_, err := db.NewTruncateTable().Model(model).Exec(ctx)
					require.NoError(b, err)
					start := time.Now()
					require.NoError(b, arms[arm]())
					times[arm] = append(times[arm], time.Since(start))
				}
			}
			bare, ours := median(times[0]), median(times[1])
			b.ReportMetric(bare.Seconds()*1e9/rows, "bun-ns/row")
			b.ReportMetric(ours.Seconds()*1e9/rows, "bulk-ns/row")
			b.ReportMetric(ours.Seconds()/bare.Seconds(), "bulk/bun")
		})
	}
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkTopN looks for the three latest of 200 000 rows in each of 100 groups, with an index and
// without, by the ways that there are.
func BenchmarkTopN(b *testing.B) {
	const rows = 200_000
	for _, d := range databases {
		if !teston.Has(d.name) {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			db, ctx := d.get(b), b.Context()
			_, err := db.NewCreateTable().Model((*benchOrder)(nil)).Exec(ctx)
			require.NoError(b, err)
			defer func() {
				_, err := db.NewDropTable().Model((*benchOrder)(nil)).Exec(ctx)
				require.NoError(b, err)
			}()
			_, err = models.BulkInsert(ctx, db, benchOrders(rows))
			require.NoError(b, err)
			group := []string{"customer"}
			customers := db.NewSelect().ColumnExpr("DISTINCT customer").TableExpr("bench_orders").Where("id <= 97")
			for _, index := range []string{"no index", "index"} {
				if index == "index" {
					_, err := db.NewCreateIndex().Model((*benchOrder)(nil)).Index("bench_orders_latest").Column("customer", "at", "id").Exec(ctx)
					require.NoError(b, err)
				}
				if d.name == "postgres" {
					_, err := db.ExecContext(ctx, "ANALYZE bench_orders")
					require.NoError(b, err)
				}
				for name, query := range map[string]func(q *bun.SelectQuery) *bun.SelectQuery{
					"TopN": func(q *bun.SelectQuery) *bun.SelectQuery { return models.TopN(db, q, 3, group, "at DESC", "id DESC") },
					"TopNOf": func(q *bun.SelectQuery) *bun.SelectQuery {
						return models.TopNOf(db, customers, q, 3, group, "at DESC", "id DESC")
					},
					"Latest":      func(q *bun.SelectQuery) *bun.SelectQuery { return models.Latest(db, q, group, "at") },
					"TopN with 1": func(q *bun.SelectQuery) *bun.SelectQuery { return models.TopN(db, q, 1, group, "at DESC", "id DESC") },
				} {
					b.Run(name+"/"+index, func(b *testing.B) {
						for b.Loop() {
							var found []benchOrder
							require.NoError(b, query(db.NewSelect().Model(&found)).Scan(ctx))
							require.NotEmpty(b, found)
						}
					})
				}
			}
		})
	}
}

// mixedOrder has the mixins, plainOrder the same columns, filled by hand.
type mixedOrder struct {
	bun.BaseModel `bun:"table:bench_mixed"`
	models.Timestamps
	models.Version
	models.EpochTimestamps

	ID int64 `bun:",pk"`
}

type plainOrder struct {
	bun.BaseModel `bun:"table:bench_mixed"`

	CreatedAt  time.Time `bun:"created_at,nullzero,notnull"`
	UpdatedAt  time.Time `bun:"updated_at,nullzero,notnull"`
	Version    int64     `bun:"version,notnull,skipupdate"`
	CreateTime int64     `bun:"create_time,nullzero,notnull"`
	UpdateTime int64     `bun:"update_time,nullzero,notnull"`
	CreateDate time.Time `bun:"create_date,nullzero,notnull"`
	UpdateDate time.Time `bun:"update_date,nullzero,notnull"`

	ID int64 `bun:",pk"`
}

func plainOrders(n int) []plainOrder {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)
	rows := make([]plainOrder, n)
	for i := range rows {
		rows[i] = plainOrder{ID: int64(i + 1), CreatedAt: at, UpdatedAt: at, Version: 1,
			CreateTime: at.UnixMilli(), UpdateTime: at.UnixMilli(), CreateDate: at, UpdateDate: at}
	}
	return rows
}

func mixedOrders(n int) []mixedOrder {
	rows := make([]mixedOrder, n)
	for i := range rows {
		rows[i].ID = int64(i + 1)
	}
	return rows
}

// TestMixinsAllocateAsPlainColumns compares models with mixins, which fill their columns, with plain
// ones whose columns are filled already, on SQLite: the wire of a server allocates as it likes.
func TestMixinsAllocateAsPlainColumns(t *testing.T) {
	db := databases[0].get(t)
	createTables(t, db, (*plainOrder)(nil))
	plain := allocationsPerRow(t, db, plainOrders, bareBun)
	mixed := allocationsPerRow(t, db, mixedOrders, bareBun)
	t.Logf("allocations a row: %.3f plain, %.3f with three mixins", plain, mixed)
	assert.LessOrEqual(t, mixed, plain+0.01)
}

// TestBulkInsertAllocatesAsBareBun does the same for the batches.
func TestBulkInsertAllocatesAsBareBun(t *testing.T) {
	db := databases[0].get(t)
	createTables(t, db, (*plainOrder)(nil))
	bare := allocationsPerRow(t, db, plainOrders, bareBun)
	bulk := allocationsPerRow(t, db, plainOrders, func(ctx context.Context, db *bun.DB, rows []plainOrder, n int) error {
		_, err := models.BulkInsert(ctx, db, rows, models.BatchRows(n))
		return err
	})
	seq := allocationsPerRow(t, db, plainOrders, func(ctx context.Context, db *bun.DB, rows []plainOrder, n int) error {
		_, err := models.BulkInsertSeq(ctx, db, slices.Values(rows), models.BatchRows(n))
		return err
	})
	t.Logf("allocations a row: %.3f bare Bun, %.3f BulkInsert, %.3f BulkInsertSeq", bare, bulk, seq)
	assert.LessOrEqual(t, bulk, bare+0.01)
	assert.LessOrEqual(t, seq, bare+0.02, "a batch that grows")
}

// allocationsPerRow is what each of a thousand more rows costs in one insert.
func allocationsPerRow[T any](t *testing.T, db *bun.DB, rows func(n int) []T, insert func(context.Context, *bun.DB, []T, int) error) float64 {
	t.Helper()
	allocations := func(n int) float64 {
		return testing.AllocsPerRun(3, func() {
			data := rows(n) // one allocation
			_, err := db.NewTruncateTable().Model((*T)(nil)).Exec(t.Context())
			require.NoError(t, err)
			require.NoError(t, insert(t.Context(), db, data, n))
		})
	}
	return (allocations(2000) - allocations(1000)) / 1000
}

// BenchmarkMixins inserts 1000 rows with three mixins, and the same as plain columns.
func BenchmarkMixins(b *testing.B) {
	db, ctx := databases[0].get(b), b.Context()
	_, err := db.NewCreateTable().Model((*plainOrder)(nil)).Exec(ctx)
	require.NoError(b, err)
	defer func() {
		_, err := db.NewDropTable().Model((*plainOrder)(nil)).Exec(ctx)
		require.NoError(b, err)
	}()
	b.Run("plain", func(b *testing.B) { benchmarkInserts(b, db, plainOrders) })
	b.Run("mixed", func(b *testing.B) { benchmarkInserts(b, db, mixedOrders) })
}

func benchmarkInserts[T any](b *testing.B, db *bun.DB, rows func(n int) []T) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		data := rows(1000)
		_, err := db.NewTruncateTable().Model((*T)(nil)).Exec(b.Context())
		require.NoError(b, err)
		b.StartTimer()
		_, err = db.NewInsert().Model(&data).Exec(b.Context())
		require.NoError(b, err)
	}
}
