package models_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/models"
)

// eachManager runs a test on a manager whose bind "main" is each database.
func eachManager(t *testing.T, test func(t *testing.T, m *manager.DBManager, db *bun.DB)) {
	t.Helper()
	eachDB(t, func(t *testing.T, db *bun.DB) {
		m := openManager(t, map[string]string{"main": databaseOf(db).uri})
		bind, err := m.Bind(mainBind)
		require.NoError(t, err)
		test(t, m, bind.DB())
	})
}

const mainBind = binds.Key("main")

var errUndo = errors.New("undo")

// TestAfterCommitInTx has signals wait for transactions that contexts carry.
func TestAfterCommitInTx(t *testing.T) {
	eachManager(t, func(t *testing.T, m *manager.DBManager, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := committing(plain, h)
		inTx := func(ctx context.Context, fn func(ctx context.Context) error) error { return m.InTx(ctx, mainBind, fn) }
		for reason, row := range map[string]struct {
			run  func(ctx context.Context) error
			err  error
			want []string
		}{
			"it commits": {func(ctx context.Context) error {
				insertSignalled(t, ctx, db, "kept")
				assert.Empty(t, h.take(), "not yet")
				return nil
			}, nil, []string{"kept"}},
			"it is rolled back": {func(ctx context.Context) error {
				insertSignalled(t, ctx, db, "undone")
				return errUndo
			}, errUndo, nil},
			"a nested one is rolled back": {func(ctx context.Context) error {
				insertSignalled(t, ctx, db, "kept")
				require.ErrorIs(t, inTx(ctx, func(ctx context.Context) error {
					insertSignalled(t, ctx, db, "undone")
					return errUndo
				}), errUndo)
				return nil
			}, nil, []string{"kept"}},
			"a nested one is kept": {func(ctx context.Context) error {
				require.NoError(t, inTx(ctx, func(ctx context.Context) error {
					insertSignalled(t, ctx, db, "nested")
					return nil
				}))
				assert.Empty(t, h.take(), "the transaction goes on")
				insertSignalled(t, ctx, db, "kept")
				return nil
			}, nil, []string{"nested", "kept"}},
			"a nested one is undone with it": {func(ctx context.Context) error {
				require.NoError(t, inTx(ctx, func(ctx context.Context) error {
					insertSignalled(t, ctx, db, "nested")
					return nil
				}))
				return errUndo
			}, errUndo, nil},
		} {
			t.Run(reason, func(t *testing.T) {
				err := inTx(t.Context(), row.run)
				require.ErrorIs(t, err, row.err)
				assert.Equal(t, row.want, h.take())
			})
		}
	})
}

// TestBulkInTx inserts and claims rows within a transaction that the context carries.
func TestBulkInTx(t *testing.T) {
	eachManager(t, func(t *testing.T, m *manager.DBManager, db *bun.DB) {
		createTables(t, db, (*product)(nil), (*job)(nil))
		for reason, opts := range map[string][]models.BulkOption{
			"in one":     {models.BatchRows(5)},
			"each batch": {models.BatchRows(5), models.CommitEachBatch()},
		} {
			t.Run(reason, func(t *testing.T) {
				err := m.InTx(t.Context(), mainBind, func(ctx context.Context) error {
					done, err := models.BulkInsert(ctx, db, products(0, 12), opts...)
					require.NoError(t, err)
					assert.EqualValues(t, 12, done.Rows)
					_, err = models.BulkInsert(ctx, db, products(11, 13), opts...)
					var failed *models.BulkError
					require.ErrorAs(t, err, &failed, "one is there already")
					n, err := db.NewSelect().Model((*product)(nil)).Count(ctx)
					require.NoError(t, err, "the transaction is usable")
					assert.EqualValues(t, 12, n)
					done, err = models.BulkInsert(ctx, db, products(11, 13), append(opts, models.IgnoreConflicts("code"))...)
					require.NoError(t, err)
					assert.EqualValues(t, 1, done.Ignored)
					return errUndo
				})
				require.ErrorIs(t, err, errUndo)
				n, err := db.NewSelect().Model((*product)(nil)).Count(t.Context())
				require.NoError(t, err)
				assert.Zero(t, n, "all was part of the transaction")
			})
		}
		t.Run("a claim", func(t *testing.T) {
			_, err := db.NewInsert().Model(&job{ID: 1, State: "free"}).Exec(t.Context())
			require.NoError(t, err)
			require.ErrorIs(t, m.InTx(t.Context(), mainBind, func(ctx context.Context) error {
				jobs, err := models.Claim[job](ctx, db, 1, free, by(7))
				require.NoError(t, err)
				assert.Len(t, jobs, 1)
				return errUndo
			}), errUndo)
			jobs, err := models.Claim[job](t.Context(), db, 1, free, by(8))
			require.NoError(t, err)
			assert.Len(t, jobs, 1, "it is free again")
		})
	})
}
