package integration_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/router"
)

// The same locking read runs on every kind of database, on the writer; it locks where there are others to keep out.
func TestForUpdate(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		require.NoError(t, b.add(t.Context(), "one", "two"))
		lite := b.kind.name == teston.SQLite
		isMySQL := b.bind(t).DB().Dialect().Name() == dialect.MySQL
		require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
			explained, route := router.Explain(ctx)
			var one item
			require.NoError(t, models.ForUpdate(b.NewSelect(&one)).Where("id = 1").Scan(explained))
			assert.Equal(t, "shop/writer", route.Engine())
			for _, options := range [][]models.RowLock{{models.NoWait}, {models.SkipLocked}} {
				require.NoError(t, models.ForUpdate(b.NewSelect(&one), options...).Where("id = 1").Scan(ctx), "its own lock is in nobody's way")
				require.NoError(t, models.ForShare(b.NewSelect(&one), options...).Where("id = 1").Scan(ctx))
			}
			err := models.ForUpdate(b.NewSelect(&one), models.Of("item"), models.NoWait).Where("id = 1").Scan(ctx)
			if isMySQL && b.kind.name == teston.MariaDB {
				assert.ErrorContains(t, err, "MariaDB has no FOR UPDATE OF")
			} else {
				require.NoError(t, err)
			}
			assert.ErrorContains(t, models.ForUpdate(b.NewSelect(&one), models.NoWait, models.SkipLocked).Scan(ctx), "either fails at locked rows")
			if lite {
				assert.NotContains(t, models.ForUpdate(b.NewSelect(&one), models.Of("item")).String(), "FOR")
				return nil
			}
			other := router.OutsideTx(ctx)
			locked := func(options ...models.RowLock) error {
				return b.InTx(other, shop{}, func(ctx context.Context) error {
					return models.ForUpdate(b.NewSelect(&one), options...).Where("id = 1").Scan(ctx)
				})
			}
			err = locked(models.NoWait)
			assert.True(t, binds.Is(err, binds.LockNotAvailable), "%v", err)
			var free []item
			require.NoError(t, b.InTx(other, shop{}, func(ctx context.Context) error {
				return models.ForUpdate(b.NewSelect(&free), models.SkipLocked).Where("id <= 2").Scan(ctx)
			}))
			require.Len(t, free, 1)
			assert.EqualValues(t, 2, free[0].ID)
			return nil
		}))
	})
}
