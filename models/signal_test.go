package models_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

type signalled struct {
	bun.BaseModel `bun:"table:signal_rows"`

	ID      int64 `bun:",pk,autoincrement"`
	Name    string
	Deleted time.Time `bun:",soft_delete,nullzero"`
}

type unsignalled struct {
	bun.BaseModel `bun:"table:signal_others"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

// heard notes what signals called. It is safe for concurrent use.
type heard struct {
	mu    sync.Mutex
	calls []string
}

func (h *heard) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, fmt.Sprintf(format, args...))
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls := h.calls
	h.calls = nil
	return calls
}

var errRefused = errors.New("refused")

func (h *heard) before(verb string) func(context.Context, models.Change[signalled]) error {
	return func(_ context.Context, c models.Change[signalled]) error {
		h.add("before %s %d", verb, len(c.Rows))
		for _, row := range c.Rows {
			if row.Name == "bad" {
				return errRefused
			}
		}
		return nil
	}
}

func (h *heard) after(verb string) func(context.Context, models.Change[signalled]) {
	return func(_ context.Context, c models.Change[signalled]) {
		n, err := c.Result.RowsAffected()
		h.add("after %s %d %v", verb, n, err)
		for _, row := range c.Rows {
			if row.ID == 0 {
				h.add("without a key")
			}
		}
	}
}

func TestSignals(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil), (*unsignalled)(nil))
		h := new(heard)
		db := plain.WithQueryHook(models.OnInsert(h.before("insert"), h.after("insert"))).
			WithQueryHook(models.OnUpdate(h.before("update"), h.after("update"))).
			WithQueryHook(models.OnDelete(h.before("delete"), h.after("delete")))
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			ctx := t.Context()
			row := &signalled{Name: "a"}
			for _, step := range []struct {
				run  func() error
				want []string
			}{
				{func() error { _, err := idb.NewInsert().Model(row).Exec(ctx); return err }, []string{"before insert 1", "after insert 1 <nil>"}},
				{func() error {
					_, err := idb.NewInsert().Model(&[]signalled{{Name: "b"}, {Name: "c"}}).Exec(ctx)
					return err
				}, []string{"before insert 2", "after insert 2 <nil>"}},
				{func() error {
					_, err := idb.NewInsert().Model(&[]*signalled{{Name: "b"}, {Name: "c"}}).Returning("NULL").Exec(ctx)
					return err
				}, nil},
				{func() error {
					_, err := idb.NewUpdate().Model(row).Set("name = 'd'").WherePK().Exec(ctx)
					return err
				}, []string{"before update 1", "after update 1 <nil>"}},
				{func() error {
					_, err := idb.NewUpdate().Model((*signalled)(nil)).Set("name = 'e'").Where("id = ?", row.ID).Exec(ctx)
					return err
				}, []string{"before update 0", "after update 1 <nil>"}},
				{func() error { _, err := idb.NewDelete().Model(row).WherePK().Exec(ctx); return err }, []string{"before delete 1", "after delete 1 <nil>"}},
				{func() error { _, err := idb.NewDelete().Model(row).WherePK().ForceDelete().Exec(ctx); return err }, []string{"before delete 1", "after delete 1 <nil>"}},
				{func() error { _, err := idb.NewInsert().Model(&unsignalled{}).Exec(ctx); return err }, []string{}},
				{func() error { return idb.NewSelect().Model(&[]signalled{}).Scan(ctx) }, []string{}},
			} {
				require.NoError(t, step.run())
				calls := h.take()
				switch {
				case step.want == nil: // without RETURNING only MySQL's answer has the keys
					assert.Equal(t, plain.Dialect().Name() != dialect.MySQL, slices.Contains(calls, "without a key"), calls)
				default:
					assert.ElementsMatch(t, step.want, calls)
				}
			}
		})
	})
}

func TestSignalRefuses(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := plain.WithQueryHook(models.OnInsert(h.before("insert"), h.after("insert"))).
			WithQueryHook(models.OnInsert(h.before("second"), h.after("second"))).
			WithQueryHook(models.OnUpdate(h.before("update"), h.after("update"))).
			WithQueryHook(models.OnDelete(h.before("delete"), h.after("delete")))
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			bad := &signalled{Name: "bad"}
			insert := idb.NewInsert().Model(bad)
			_, err := insert.Exec(t.Context())
			require.ErrorIs(t, err, errRefused)
			_, err = idb.NewInsert().Model(bad).Returning("NULL").Exec(t.Context())
			require.ErrorIs(t, err, errRefused)
			_, err = idb.NewUpdate().Model(bad).Where("1 = 1").Exec(t.Context())
			require.ErrorIs(t, err, errRefused)
			_, err = idb.NewDelete().Model(bad).Where("1 = 1").Exec(t.Context())
			require.ErrorIs(t, err, errRefused)
			assert.Equal(t, []string{"before insert 1", "before insert 1", "before update 1", "before delete 1"}, h.take())
			n, err := idb.NewSelect().Model(bad).Count(t.Context())
			require.NoError(t, err, "a transaction is still usable")
			assert.Zero(t, n)

			bad.Name = "good"
			_, err = insert.Exec(t.Context())
			require.NoError(t, err, "the same builder, on its own connection again")
			assert.Equal(t, []string{"before insert 1", "before second 1", "after second 1 <nil>", "after insert 1 <nil>"}, h.take())
			_, err = idb.NewDelete().Model(bad).WherePK().ForceDelete().Exec(t.Context())
			require.NoError(t, err)
			h.take()
		})
	})
}

// committing returns db with signals that note the names of inserted rows after their commit.
func committing(plain *bun.DB, h *heard) *bun.DB {
	note := func(_ context.Context, c models.Change[signalled]) {
		for _, row := range c.Rows {
			h.add("%s", row.Name)
		}
	}
	quiet := func(context.Context, models.Change[signalled]) {}
	return plain.WithQueryHook(models.OnUpdate(nil, quiet, models.AfterCommit)).
		WithQueryHook(models.OnInsert(nil, note, models.AfterCommit)).
		WithQueryHook(models.OnDelete(nil, quiet, models.AfterCommit))
}

func insertSignalled(t *testing.T, ctx context.Context, db bun.IDB, name string) {
	t.Helper()
	_, err := db.NewInsert().Model(&signalled{Name: name}).Exec(ctx)
	require.NoError(t, err)
}

func TestAfterCommit(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := committing(plain, h)
		ctx := t.Context()
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()

		insertSignalled(t, ctx, db, "outside")
		assert.Equal(t, []string{"outside"}, h.take(), "at once")
		insertSignalled(t, ctx, conn, "on a conn")
		assert.Equal(t, []string{"on a conn"}, h.take(), "at once")

		for name, begin := range map[string]func() (bun.Tx, error){
			"of a db":   func() (bun.Tx, error) { return db.BeginTx(ctx, nil) },
			"of a conn": func() (bun.Tx, error) { return conn.BeginTx(ctx, nil) },
		} {
			tx, err := begin()
			require.NoError(t, err)
			insertSignalled(t, ctx, tx, "1") // with a context that knows nothing of it
			insertSignalled(t, models.TxContext(ctx, tx), tx, "2")
			assert.Empty(t, h.take())
			require.NoError(t, tx.Commit())
			assert.Equal(t, []string{"1", "2"}, h.take(), name)
			require.Error(t, tx.Rollback())
			assert.Empty(t, h.take())

			tx, err = begin()
			require.NoError(t, err)
			insertSignalled(t, ctx, tx, "3")
			require.NoError(t, tx.Rollback())
			require.Error(t, tx.Commit())
			assert.Empty(t, h.take(), name)
		}

		cancelled, cancel := context.WithCancel(ctx)
		tx, err := db.BeginTx(cancelled, nil)
		require.NoError(t, err)
		insertSignalled(t, ctx, tx, "never committed")
		cancel()
		require.Error(t, tx.Commit())
		assert.Empty(t, h.take())

		require.NoError(t, db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			insertSignalled(t, ctx, tx, "4")
			return nil
		}))
		assert.Equal(t, []string{"4"}, h.take())
		require.ErrorIs(t, db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			insertSignalled(t, ctx, tx, "5")
			return errRefused
		}), errRefused)
		assert.Empty(t, h.take())
	})
}

func TestAfterCommitOfInterleavedTransactions(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		if plain.Dialect().Name() == dialect.SQLite {
			return // has one writer at a time
		}
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := committing(plain, h)
		first, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		second, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		insertSignalled(t, t.Context(), first, "1")
		insertSignalled(t, models.TxContext(t.Context(), first), second, "2") // the connection counts
		insertSignalled(t, models.TxContext(t.Context(), first), db, "outside")
		assert.Equal(t, []string{"outside"}, h.take())
		require.NoError(t, second.Commit())
		assert.Equal(t, []string{"2"}, h.take())
		require.NoError(t, first.Rollback())
		assert.Empty(t, h.take())
	})
}

func TestAfterCommitOfSavepoints(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := committing(plain, h)
		require.NoError(t, db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			insertSignalled(t, ctx, tx, "1")
			require.ErrorIs(t, tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				insertSignalled(t, ctx, tx, "2")
				require.NoError(t, tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
					insertSignalled(t, ctx, tx, "3")
					return nil
				}))
				return errRefused
			}), errRefused)
			require.NoError(t, tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				insertSignalled(t, ctx, tx, "4")
				return nil
			}))
			assert.Empty(t, h.take())
			return nil
		}))
		assert.Equal(t, []string{"1", "4"}, h.take())

		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		insertSignalled(t, t.Context(), tx, "5")
		_, err = tx.BeginTx(t.Context(), nil)
		require.ErrorIs(t, err, models.ErrUnseenSavepoint)
		nested, err := tx.BeginTx(models.TxContext(t.Context(), tx), nil)
		require.NoError(t, err)
		insertSignalled(t, t.Context(), nested, "6")
		require.NoError(t, nested.Rollback())
		require.NoError(t, tx.Commit())
		assert.Equal(t, []string{"5"}, h.take())
	})
}

func TestAfterCommitOfTransactionsThatBunDoesNotBegin(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := committing(plain, h)
		tx, err := plain.DB.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { _ = tx.Rollback() }()

		_, err = db.NewInsert().Conn(tx).Model(&signalled{Name: "1"}).Exec(t.Context())
		require.ErrorIs(t, err, models.ErrUnseenTransaction)
		n, err := db.NewSelect().Conn(tx).Model((*signalled)(nil)).Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n, "it did not run")

		bunTx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		inTx := models.TxContext(t.Context(), bunTx)
		_, err = bunTx.NewDelete().Model((*signalled)(nil)).Where("1 = 0").Exec(inTx)
		require.NoError(t, err)
		nested, err := plain.DB.BeginTx(inTx, nil) // not part of it, for all its context
		require.NoError(t, err)
		_, err = db.NewInsert().Conn(nested).Model(&signalled{Name: "1"}).Exec(inTx)
		require.ErrorIs(t, err, models.ErrUnseenTransaction)
		require.NoError(t, nested.Rollback())
		require.NoError(t, bunTx.Rollback())

		var told models.Transaction
		ctx := models.WithTransaction(t.Context(), db, &told)
		for _, name := range []string{"1", "2", "3"} {
			_, err = db.NewInsert().Conn(tx).Model(&signalled{Name: name}).Exec(ctx)
			require.NoError(t, err)
			told.Savepoint("after " + name)
		}
		told.RolledBackTo("after 2")
		told.RolledBackTo("never made")
		assert.Empty(t, h.take())
		require.NoError(t, tx.Commit())
		told.Committed(t.Context())
		told.Committed(t.Context())
		assert.Equal(t, []string{"1", "2"}, h.take())

		ctx = models.WithTransaction(t.Context(), db, &told)
		insertSignalled(t, ctx, db, "found by the context")
		assert.Empty(t, h.take())
		told.RolledBack()
		told.Committed(t.Context())
		assert.Empty(t, h.take())
	})
}

func TestSignalsFromManyGoroutines(t *testing.T) {
	eachDB(t, func(t *testing.T, plain *bun.DB) {
		createTables(t, plain, (*signalled)(nil))
		h := new(heard)
		db := committing(plain, h)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
					if _, err := tx.NewInsert().Model(&signalled{Name: fmt.Sprint("row ", i)}).Exec(ctx); err != nil {
						return err
					}
					if i%2 == 0 {
						return errRefused
					}
					return nil
				})
				assert.True(t, err == nil || errors.Is(err, errRefused), err)
			})
		}
		wg.Wait()
		calls := h.take()
		slices.Sort(calls)
		assert.Equal(t, "row 1 row 3 row 5 row 7", strings.Join(calls, " "))
	})
}
