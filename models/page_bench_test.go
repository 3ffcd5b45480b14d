package models_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/models"
)

// BenchmarkFetchPage goes on behind a page by its cursor, which it opens, and makes two more.
func BenchmarkFetchPage(b *testing.B) {
	for _, d := range databases {
		if d.name != teston.SQLite {
			continue
		}
		db := d.get(b)
		ctx := b.Context()
		_, err := db.NewDropTable().Model((*indexedRow)(nil)).IfExists().Exec(ctx)
		require.NoError(b, err)
		_, err = db.NewCreateTable().Model((*indexedRow)(nil)).Exec(ctx)
		require.NoError(b, err)
		rows := make([]indexedRow, 500)
		for i := range rows {
			rows[i] = indexedRow{ID: int64(i), N: i / 3}
		}
		_, err = db.NewInsert().Model(&rows).Exec(ctx)
		require.NoError(b, err)
		_, err = db.NewRaw("CREATE INDEX page_bench_n ON page_indexed (n, id)").Exec(ctx)
		require.NoError(b, err)
		order := models.Order{models.Asc("n")}
		first, err := models.FetchPage[indexedRow](ctx, db.NewSelect(), order, models.Position{}, 50)
		require.NoError(b, err)
		for _, size := range []int{1, 50} {
			b.Run(fmt.Sprintf("%d rows", size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := models.FetchPage[indexedRow](ctx, db.NewSelect(), order, models.After(first.Next), size); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
