package models_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/models"
)

// seat is a model with a composite key.
type seat struct {
	bun.BaseModel `bun:"table:version_seats"`
	models.Version
	models.Timestamps

	Hall   string `bun:",pk"`
	Number int    `bun:",pk"`
	Guest  string
	Note   string
}

func insertSeat(t *testing.T, db bun.IDB) *seat {
	t.Helper()
	_, err := db.NewDelete().Model((*seat)(nil)).Where("1 = 1").Exec(t.Context())
	require.NoError(t, err)
	s := &seat{Hall: "red", Number: 7}
	_, err = db.NewInsert().Model(&[]*seat{s, {Hall: "red", Number: 8}, {Hall: "blue", Number: 7}}).Exec(clockAt(t, day1))
	require.NoError(t, err)
	return s
}

func readSeat(t *testing.T, db bun.IDB) seat {
	t.Helper()
	s := seat{Hall: "red", Number: 7}
	require.NoError(t, db.NewSelect().Model(&s).WherePK().Scan(t.Context()))
	return s
}

func TestUpdateVersioned(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			s := insertSeat(t, idb)
			s.Guest, s.Note = "ann", "window"
			require.NoError(t, models.UpdateVersioned(clockAt(t, day2), idb, s))
			assert.Equal(t, int64(2), s.RowVersion)
			s.Guest, s.Note = "bob", "not written"
			require.NoError(t, models.UpdateVersioned(clockAt(t, day2), idb, s, "guest"))
			assert.Equal(t, int64(3), s.RowVersion)

			got := readSeat(t, idb)
			assert.Equal(t, "bob", got.Guest)
			assert.Equal(t, "window", got.Note)
			assert.Equal(t, s.RowVersion, got.RowVersion)
			assert.True(t, got.UpdatedAt.Equal(inMicros(day2)), "other mixins are refreshed")
			assert.Equal(t, inMicros(day2), s.UpdatedAt)
			assert.True(t, got.CreatedAt.Equal(inMicros(day1)))
			n, err := idb.NewSelect().Model((*seat)(nil)).Where("version = 1").Count(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, 2, n, "rows with half of the key")
		})
	})
}

func TestUpdateVersionedLosesTheRace(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			s := insertSeat(t, idb)
			other := *s
			other.Guest = "first"
			require.NoError(t, models.UpdateVersioned(t.Context(), idb, &other))
			require.NoError(t, models.UpdateVersioned(t.Context(), idb, &other))

			s.Guest = "second"
			before := *s
			counter := new(counting)
			var err error
			if d, ok := idb.(*bun.DB); ok {
				err = models.UpdateVersioned(clockAt(t, day2), d.WithQueryHook(counter), s)
				assert.Equal(t, []string{"UPDATE", "SELECT"}, counter.ops)
			} else {
				err = models.UpdateVersioned(clockAt(t, day2), idb, s)
			}
			require.ErrorIs(t, err, models.ErrStale)
			assert.EqualError(t, err, "models: stale models_test.seat (hall=red, number=7): held version 1, found 3: read the row again")
			var stale *models.StaleError
			require.ErrorAs(t, err, &stale)
			assert.Equal(t, []models.KeyValue{{Column: "hall", Value: "red"}, {Column: "number", Value: 7}}, stale.Key)
			assert.Equal(t, []int64{1, 3}, []int64{stale.Held, stale.Found})
			assert.Equal(t, before, *s, "nothing moved in memory")
			assert.Equal(t, "first", readSeat(t, idb).Guest)

			require.ErrorIs(t, models.DeleteVersioned(t.Context(), idb, s), models.ErrStale)
			require.NoError(t, models.DeleteVersioned(t.Context(), idb, &other))
			for _, write := range []func() error{
				func() error { return models.UpdateVersioned(t.Context(), idb, s) },
				func() error { return models.DeleteVersioned(t.Context(), idb, s) },
			} {
				err = write()
				require.ErrorAs(t, err, &stale)
				assert.True(t, stale.Gone)
				assert.EqualError(t, err, "models: stale models_test.seat (hall=red, number=7): held version 1, the row is gone")
			}
		})
	})
}

// counting notes the builders' statements.
type counting struct{ ops []string }

func (c *counting) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	c.ops = append(c.ops, e.Operation())
	return ctx
}

func (c *counting) AfterQuery(context.Context, *bun.QueryEvent) {}

func TestUpdateVersionedIsOneStatement(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		s := insertSeat(t, db)
		counter := new(counting)
		require.NoError(t, models.UpdateVersioned(t.Context(), db.WithQueryHook(counter), s))
		require.NoError(t, models.DeleteVersioned(t.Context(), db.WithQueryHook(counter), s))
		assert.Equal(t, []string{"UPDATE", "DELETE"}, counter.ops)
	})
}

func TestVersionStaysInMemoryWhenTheStatementFails(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		s := insertSeat(t, db)
		before := *s
		ctx, cancel := context.WithCancel(clockAt(t, day2))
		cancel()
		err := models.UpdateVersioned(ctx, db, s)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, models.ErrStale)
		assert.Equal(t, before, *s)
	})
}

func TestVersionOfARowThatARivalTransactionChanges(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		s := insertSeat(t, db)
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { _ = tx.Rollback() }()
		inTx := readSeat(t, tx) // MySQL's snapshot is of now

		require.NoError(t, models.UpdateVersioned(t.Context(), db, s))
		err = models.UpdateVersioned(t.Context(), tx, &inTx)
		if db.Dialect().Name().String() == "sqlite" {
			require.ErrorContains(t, err, "database is locked", "a snapshot cannot be written to any more")
			return
		}
		var stale *models.StaleError
		require.ErrorAs(t, err, &stale)
		if !isolatesSnapshots(db) {
			assert.Equal(t, int64(2), stale.Found, "not what the snapshot has")
			assert.NoError(t, stale.Err)
			return
		}
		require.ErrorContains(t, stale.Err, "1020")
		assert.EqualError(t, stale, "models: stale models_test.seat (hall=red, number=7): held version 1; "+
			"the server has rolled back the transaction: "+stale.Err.Error())
		_, err = tx.ExecContext(t.Context(), "SELECT 1")
		assert.ErrorIs(t, err, sql.ErrTxDone, "nothing is written outside of a transaction by mistake")
	})
}

// isolatesSnapshots reports whether the database refuses to write a row that has changed since the transaction
// began to read, and rolls it back.
func isolatesSnapshots(db *bun.DB) bool { return databaseOf(db).server.AtLeast("MariaDB", 11, 6, 2) }

// TestRetryStaleOfTransactions has a transaction in each call, which begins anew with it.
func TestRetryStaleOfTransactions(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		rival := insertSeat(t, db)
		calls := 0
		err := models.RetryStale(t.Context(), 2, func(ctx context.Context) error {
			calls++
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				mine := readSeat(t, tx)
				if calls == 1 {
					require.NoError(t, models.UpdateVersioned(t.Context(), db, rival))
				}
				mine.Note = "mine"
				return models.UpdateVersioned(ctx, tx, &mine)
			})
		})
		if db.Dialect().Name() == dialect.SQLite {
			require.ErrorContains(t, err, "database is locked")
			return
		}
		require.NoError(t, err)
		assert.Equal(t, 2, calls)
		assert.Equal(t, "mine", readSeat(t, db).Note)
		assert.Equal(t, int64(3), readSeat(t, db).RowVersion)
	})
}

// TestAWriteThatIsRefusedAsStale has the server find out, in a snapshot of before a rival's write.
func TestAWriteThatIsRefusedAsStale(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if db.Dialect().Name() != dialect.PG && !isolatesSnapshots(db) {
			t.Skip("it writes what has changed since, or does not let two write at once")
		}
		createTables(t, db, (*seat)(nil))
		for reason, write := range map[string]func(ctx context.Context, tx bun.Tx, s *seat) error{
			"update": func(ctx context.Context, tx bun.Tx, s *seat) error { return models.UpdateVersioned(ctx, tx, s) },
			"delete": func(ctx context.Context, tx bun.Tx, s *seat) error { return models.DeleteVersioned(ctx, tx, s) },
		} {
			t.Run(reason, func(t *testing.T) {
				rival := insertSeat(t, db)
				var held []int64
				err := models.RetryStale(t.Context(), 3, func(ctx context.Context) error {
					return db.RunInTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead}, func(ctx context.Context, tx bun.Tx) error {
						mine := readSeat(t, tx)
						held = append(held, mine.RowVersion)
						if len(held) == 1 {
							rival.Guest = "rival"
							require.NoError(t, models.UpdateVersioned(t.Context(), db, rival))
						}
						err := write(ctx, tx, &mine)
						if len(held) == 1 {
							var stale *models.StaleError
							require.ErrorAs(t, err, &stale)
							require.Error(t, stale.Err)
							assert.False(t, stale.Gone)
							assert.EqualValues(t, 1, mine.RowVersion, "nothing moved in memory")
						}
						return err
					})
				})
				require.NoError(t, err, "it goes on")
				assert.Equal(t, []int64{1, 2}, held)
				if reason == "update" {
					assert.Equal(t, []any{int64(3), "rival"}, []any{readSeat(t, db).RowVersion, readSeat(t, db).Guest})
					return
				}
				n, err := db.NewSelect().Model((*seat)(nil)).Where("hall = ? AND number = 7", "red").Count(t.Context())
				require.NoError(t, err)
				assert.Zero(t, n)
			})
		}
	})
}

// TestRetryStaleOfSerializableTransactions has two that both read the row before one of them writes: the server ends
// one, as PostgreSQL's serialization failure or InnoDB's deadlock.
func TestRetryStaleOfSerializableTransactions(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		if db.Dialect().Name() == dialect.SQLite {
			t.Skip("one transaction writes at a time")
		}
		createTables(t, db, (*seat)(nil))
		insertSeat(t, db)
		var read, all sync.WaitGroup
		read.Add(2)
		errs := make([]error, 2)
		var tries [2][]error // what each ended with
		for i := range errs {
			first := sync.OnceFunc(func() { read.Done(); read.Wait() })
			all.Go(func() {
				errs[i] = models.RetryStale(t.Context(), 10, func(ctx context.Context) error {
					err := db.RunInTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}, func(ctx context.Context, tx bun.Tx) error {
						s := seat{Hall: "red", Number: 7}
						if err := tx.NewSelect().Model(&s).WherePK().Scan(ctx); err != nil {
							return err
						}
						first()
						s.Note += "x"
						return models.UpdateVersioned(ctx, tx, &s)
					})
					tries[i] = append(tries[i], err)
					return err
				})
			})
		}
		all.Wait()
		require.NoError(t, errors.Join(errs...))
		got := readSeat(t, db)
		assert.Equal(t, "xx", got.Note, "each write counts once")
		assert.EqualValues(t, 3, got.RowVersion)
		assert.Equal(t, 3, len(tries[0])+len(tries[1]), "one of them began anew: %v", tries)
	})
}

// TestRetryStaleWithinATransaction is how not to do it. Whatever comes of it, all of the transaction is
// written, or nothing.
func TestRetryStaleWithinATransaction(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		rival := insertSeat(t, db)
		calls := 0
		err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			_ = readSeat(t, tx)
			if db.Dialect().Name() != dialect.SQLite { // there the rival would have to wait
				_, err := tx.NewInsert().Model(&seat{Hall: "blue", Number: 1}).Exec(ctx)
				require.NoError(t, err)
			}
			return models.RetryStale(ctx, 2, func(ctx context.Context) error {
				calls++
				mine := seat{Hall: "red", Number: 7}
				if err := tx.NewSelect().Model(&mine).WherePK().Scan(ctx); err != nil {
					return err
				}
				if calls == 1 {
					require.NoError(t, models.UpdateVersioned(t.Context(), db, rival))
				}
				mine.Note = "mine"
				return models.UpdateVersioned(ctx, tx, &mine)
			})
		})
		n, countErr := db.NewSelect().Model((*seat)(nil)).Where("hall = ? AND number = 1", "blue").Count(t.Context())
		require.NoError(t, countErr)
		if db.Dialect().Name() == dialect.PG { // each statement sees the newest state
			require.NoError(t, err)
			assert.EqualValues(t, 1, n)
			assert.Equal(t, "mine", readSeat(t, db).Note)
			return
		}
		require.Error(t, err)
		assert.Zero(t, n)
		assert.Empty(t, readSeat(t, db).Note)
	})
}

func TestPlainUpdatesRaiseTheVersion(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		s := insertSeat(t, db)
		careless := *s
		careless.Guest = "careless"
		_, err := db.NewUpdate().Model(&careless).Column("guest").WherePK().Exec(t.Context())
		require.NoError(t, err)
		require.ErrorIs(t, models.UpdateVersioned(t.Context(), db, s), models.ErrStale)
		assert.Equal(t, "careless", readSeat(t, db).Guest)
	})
}

func TestVersionedOfWhatIsNoVersionedModel(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		for reason, row := range map[string]struct {
			model any
			want  string
		}{
			"not a pointer":     {seat{}, "models: UpdateVersioned of models_test.seat: it takes a pointer to one struct"},
			"a slice":           {&[]seat{}, "models: UpdateVersioned of *[]models_test.seat: it takes a pointer to one struct"},
			"a nil pointer":     {(*seat)(nil), "models: UpdateVersioned of *models_test.seat: it takes a pointer to one struct"},
			"nil":               {nil, "models: UpdateVersioned of <nil>: it takes a pointer to one struct"},
			"without a version": {&indexed{}, "models: UpdateVersioned of *models_test.indexed: it takes a model that embeds models.Version"},
		} {
			assert.EqualError(t, models.UpdateVersioned(t.Context(), db, row.model), row.want, reason)
		}
		err := models.UpdateVersioned(t.Context(), db, &seat{}, "gest")
		assert.EqualError(t, err, `models: models_test.seat has no column "gest" (did you mean "guest"?): it has version, created_at, updated_at, hall, number, guest, note`)
	})
}

func TestRetryStaleCountsEveryRival(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*seat)(nil))
		insertSeat(t, db)
		const rivals, each = 4, 5
		var wg sync.WaitGroup
		errs := make(chan error, rivals*each)
		for range rivals {
			wg.Go(func() {
				for range each {
					errs <- models.RetryStale(t.Context(), 1000, func(ctx context.Context) error {
						s := seat{Hall: "red", Number: 7}
						if err := db.NewSelect().Model(&s).WherePK().Scan(ctx); err != nil {
							return err
						}
						s.Note += "x"
						return models.UpdateVersioned(ctx, db, &s)
					})
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		got := readSeat(t, db)
		assert.Len(t, got.Note, rivals*each)
		assert.Equal(t, int64(1+rivals*each), got.RowVersion)
	})
}

type rereading struct{}

func TestRetryStale(t *testing.T) {
	stale := &models.StaleError{Held: 1, Found: 2}
	models.RereadWith(func(ctx context.Context) context.Context { return context.WithValue(ctx, rereading{}, true) })
	t.Cleanup(func() { models.RereadWith(nil) })
	for reason, row := range map[string]struct {
		n     int
		errs  []error
		calls int
		want  error
	}{
		"the first is good":  {3, []error{nil}, 1, nil},
		"the second is good": {3, []error{stale, nil}, 2, nil},
		"none is good":       {3, []error{stale, stale, stale, nil}, 3, stale},
		"n is too small":     {0, []error{stale, nil}, 1, stale},
		"another error":      {3, []error{sql.ErrNoRows, nil}, 1, sql.ErrNoRows},
		"wrapped":            {3, []error{errors.Join(stale), nil}, 2, nil},
		"the row is gone":    {3, []error{&models.StaleError{Gone: true}, nil}, 1, models.ErrStale},
	} {
		var fresh []bool
		err := models.RetryStale(t.Context(), row.n, func(ctx context.Context) error {
			fresh = append(fresh, ctx.Value(rereading{}) != nil)
			return row.errs[len(fresh)-1]
		})
		assert.ErrorIs(t, err, row.want, reason)
		require.Len(t, fresh, row.calls, reason)
		for i, f := range fresh {
			assert.Equal(t, i > 0, f, "%s: call %d reads on the writer", reason, i+1)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := models.RetryStale(ctx, 3, func(context.Context) error { calls++; cancel(); return stale })
	assert.Equal(t, 1, calls)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, models.ErrStale)
}
