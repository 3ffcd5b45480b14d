package models_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/router"
)

// TestVersionsThroughManager sees that a lost race is found on connections that count the rows that
// matched, as a manager's MariaDB does, and that all reads after it are on the writer.
func TestVersionsThroughManager(t *testing.T) {
	eachBind(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		s := insertSeat(t, db)
		rival := *s
		require.NoError(t, models.UpdateVersioned(t.Context(), db, &rival))

		ctx, route := router.Explain(t.Context())
		require.ErrorIs(t, models.UpdateVersioned(ctx, db, s), models.ErrStale)
		assert.Equal(t, "main/writer", route.Engine())

		var engines []string
		err := models.RetryStale(router.OnReader(t.Context()), 2, func(ctx context.Context) error {
			ctx, route := router.Explain(ctx)
			read := seat{Hall: "red", Number: 7}
			if err := db.NewSelect().Model(&read).WherePK().Scan(ctx); err != nil {
				return err
			}
			engines = append(engines, route.Engine())
			if len(engines) == 1 {
				rival.Guest = "rival"
				if err := models.UpdateVersioned(ctx, db, &rival); err != nil {
					return err
				}
			}
			read.Note = "mine"
			return models.UpdateVersioned(ctx, db, &read)
		})
		require.NoError(t, err)
		require.Len(t, engines, 2)
		assert.Equal(t, "main/writer", engines[1])
		assert.Equal(t, int64(4), readSeat(t, db).RowVersion)
	})
}

// TestStaleInTx has the server refuse the write in a transaction that the context carries: RetryStale around InTx goes
// on, and so does InTx by Retry.
func TestStaleInTx(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		if plain.Dialect().Name() != dialect.PG && !isolatesSnapshots(plain) {
			t.Skip("it writes what has changed since, or does not let two write at once")
		}
		createTables(t, plain, (*seat)(nil))
		m := openManager(t, map[string]string{"main": databaseOf(plain).uri})
		main := binds.Key("main")
		bind, err := m.Bind(main)
		require.NoError(t, err)
		db := bind.DB()
		for reason, run := range map[string]func(fn func(ctx context.Context) error) error{
			"RetryStale": func(fn func(ctx context.Context) error) error {
				return models.RetryStale(t.Context(), 3, func(ctx context.Context) error {
					return m.InTx(ctx, main, fn, manager.Isolation(sql.LevelRepeatableRead))
				})
			},
			"Retry": func(fn func(ctx context.Context) error) error {
				return m.InTx(t.Context(), main, fn, manager.Isolation(sql.LevelRepeatableRead), manager.Retry(3))
			},
		} {
			t.Run(reason, func(t *testing.T) {
				rival := insertSeat(t, plain)
				tries := 0
				require.NoError(t, run(func(ctx context.Context) error {
					tries++
					mine := seat{Hall: "red", Number: 7}
					if err := db.NewSelect().Model(&mine).WherePK().Scan(ctx); err != nil {
						return err
					}
					if tries == 1 {
						require.NoError(t, models.UpdateVersioned(t.Context(), plain, rival))
					}
					mine.Note = "mine"
					return models.UpdateVersioned(ctx, db, &mine)
				}))
				assert.Equal(t, 2, tries)
				assert.Equal(t, []any{int64(3), "mine"}, []any{readSeat(t, plain).RowVersion, readSeat(t, plain).Note})
			})
		}
	})
}

// TestSignalsThroughManager sees that signals work where a router, not Bun, finds the connection.
func TestSignalsThroughManager(t *testing.T) {
	eachBind(t, func(t *testing.T, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := committing(plain.WithQueryHook(models.OnInsert(h.before("insert"), nil)), h)
		_, err := db.NewInsert().Model(&signalled{Name: "bad"}).Exec(t.Context())
		require.ErrorIs(t, err, errRefused)
		insertSignalled(t, t.Context(), db, "at once")
		assert.Equal(t, []string{"before insert 1", "before insert 1", "at once"}, h.take())

		require.NoError(t, db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			insertSignalled(t, ctx, tx, "at commit")
			assert.Equal(t, []string{"before insert 1"}, h.take())
			return nil
		}))
		assert.Equal(t, []string{"at commit"}, h.take())
	})
}
