package integration_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type account struct {
	bun.BaseModel `bun:"table:accounts"`
	shop

	ID    int64 `bun:",pk,autoincrement"`
	Cents int64
}

// The README's transaction runs on every kind of database, and no two of them lose what the other did.
func TestReadmesTransaction(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		require.NoError(t, b.CreateTables(t.Context(), (*account)(nil)))
		_, err := b.NewInsert(&account{Cents: 1000}).Exec(t.Context())
		require.NoError(t, err)
		const times = 20
		errs := make(chan error, times)
		for range times {
			go func() {
				errs <- b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
					var a account
					if err := models.ForUpdate(b.NewSelect(&a)).Where("id = ?", 1).Scan(ctx); err != nil {
						return err
					}
					a.Cents -= 10
					_, err := b.NewUpdate(&a).Column("cents").WherePK().Exec(ctx)
					return err
				})
			}()
		}
		for range times {
			require.NoError(t, <-errs)
		}
		var a account
		require.NoError(t, b.NewSelect(&a).Where("id = 1").Scan(t.Context()))
		assert.EqualValues(t, 1000-10*times, a.Cents)
	})
}
