package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

var errNo = errors.New("no")

// TestTransactions is the body that every kind of database goes through.
func TestTransactions(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		t.Run("every query joins", func(t *testing.T) { testJoin(t, b) })
		t.Run("rows open while others run", func(t *testing.T) { testOpenRows(t, b) })
		t.Run("many goroutines", func(t *testing.T) { testManyInOne(t, b) })
		t.Run("savepoints", func(t *testing.T) { testSavepoints(t, b) })
		t.Run("context ends", func(t *testing.T) { testContextEnds(t, b) })
		t.Run("past the router", func(t *testing.T) { testPastTx(t, b) })
		t.Run("read-only", func(t *testing.T) { testReadOnlyTx(t, b) })
		t.Run("two binds", func(t *testing.T) { testTwoBinds(t, b) })
		t.Run("what is rolled back is not said to be committed", func(t *testing.T) { testSwallowed(t, b) })
	})
}

func (b *bench) add(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := b.NewInsert(&item{Name: name}).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// testJoin asks the server for the connection of each query: it is always the same.
func testJoin(t *testing.T, b *bench) {
	require.ErrorIs(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		one := &item{Name: "join"}
		if _, err := b.NewInsert(one).Exec(ctx); err != nil {
			return err
		}
		if _, err := b.bind(t).DB().NewInsert().Model(&[]*part{{ItemID: one.ID}, {ItemID: one.ID}}).Exec(ctx); err != nil {
			return err
		}
		var got item
		require.NoError(t, b.NewSelect(&got).Relation("Parts").Where("id = ?", one.ID).Scan(ctx))
		assert.Len(t, got.Parts, 2, "relations")
		n, err := b.NewSelect((*part)(nil)).Count(ctx)
		require.NoError(t, err)
		assert.EqualValues(t, 2, n, "Count")
		ok, err := b.NewSelect((*part)(nil)).Where("item_id = ?", one.ID).Exists(ctx)
		require.NoError(t, err)
		assert.True(t, ok, "Exists")
		for range 20 {
			var parts []*part
			n, err := b.NewSelect(&parts).Limit(5).ScanAndCount(ctx)
			require.NoError(t, err)
			assert.EqualValues(t, 2, n, "ScanAndCount")
			assert.Len(t, parts, 2, "ScanAndCount")
		}
		assert.Equal(t, "writer", b.askInTx(ctx, t))
		return errNo
	}), errNo)
	assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'join'"))
}

func (b *bench) askInTx(ctx context.Context, t *testing.T) string {
	t.Helper()
	if b.cluster == nil {
		return "writer"
	}
	return b.ask(ctx, t)
}

func testOpenRows(t *testing.T, b *bench) {
	const rows = 200
	sizes := 0
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		for i := range rows {
			require.NoError(t, b.add(ctx, fmt.Sprintf("open %d %0200d", i, i)))
		}
		read, err := b.NewSelect((*item)(nil)).Column("id", "name").Where("name LIKE 'open%'").Order("id").Rows(ctx)
		require.NoError(t, err)
		for i := 0; read.Next(); i++ {
			var id int64
			var name string
			require.NoError(t, read.Scan(&id, &name))
			require.Equal(t, fmt.Sprintf("open %d %0200d", i, i), name)
			sizes += len(name)
			if i%10 == 3 {
				types, err := read.ColumnTypes()
				require.NoError(t, err)
				require.Len(t, types, 2)
				_, err = b.NewUpdate((*item)(nil)).Set("name = ?", "changed").Where("id > ?", id).Where("name LIKE 'open%'").Exec(ctx)
				require.NoError(t, err)
				require.NoError(t, b.add(ctx, "late"), "which the rows do not show")
			}
		}
		require.NoError(t, read.Err())
		require.NoError(t, read.Close())

		// Savepoints, and the end of the transaction, come upon rows that are open.
		read, err = b.NewSelect((*item)(nil)).Column("id").Rows(ctx)
		require.NoError(t, err)
		require.True(t, read.Next())
		require.ErrorIs(t, b.InTx(ctx, shop{}, func(ctx context.Context) error {
			inner, err := b.NewSelect((*item)(nil)).Column("id").Rows(ctx)
			require.NoError(t, err)
			require.True(t, inner.Next())
			t.Cleanup(func() { _ = inner.Close() })
			return errNo
		}), errNo)
		n := 1
		for read.Next() {
			n++
		}
		require.NoError(t, read.Err())
		require.NoError(t, read.Close())
		assert.Greater(t, n, 10)
		read, err = b.NewSelect((*item)(nil)).Column("id").Rows(ctx)
		require.NoError(t, err)
		require.True(t, read.Next())
		t.Cleanup(func() {
			assert.False(t, read.Next())
			assert.ErrorIs(t, read.Err(), context.Canceled, "COMMIT ends them, and they say so")
		})
		return nil
	}))
	assert.Greater(t, sizes, rows*200)
	assert.EqualValues(t, rows/10, b.rowsOf(t.Context(), t, "name = 'late'"))
	_, err := b.NewDelete((*item)(nil)).Where("1 = 1").Exec(t.Context())
	require.NoError(t, err)
}

func testManyInOne(t *testing.T, b *bench) {
	const goroutines, rounds = 16, 10
	require.NoError(t, b.add(t.Context(), "counter"))
	var failed atomic.Int64
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range rounds {
					_, err := b.NewUpdate((*item)(nil)).Set("server = server + 1").Where("name = 'counter'").Exec(ctx)
					assert.NoError(t, err)
					var some []*item
					_, err = b.NewSelect(&some).Relation("Parts").Limit(3).ScanAndCount(ctx)
					assert.NoError(t, err)
					rows, err := b.NewSelect((*item)(nil)).Column("id").Rows(ctx)
					if assert.NoError(t, err) {
						for rows.Next() {
						}
						assert.NoError(t, rows.Err())
						assert.NoError(t, rows.Close())
					}
					err = b.InTx(ctx, shop{}, func(ctx context.Context) error {
						_, err := b.NewUpdate((*item)(nil)).Set("server = server + 1000").Where("name = 'counter'").Exec(ctx)
						assert.NoError(t, err)
						if (g+i)%2 == 0 {
							failed.Add(1)
							return errNo
						}
						return nil
					})
					if err != nil {
						assert.Equal(t, errNo, err)
					}
				}
			})
		}
		wg.Wait()
		return nil
	}))
	var got item
	require.NoError(t, b.NewSelect(&got).Where("name = 'counter'").Scan(t.Context()))
	assert.Equal(t, goroutines*rounds+1000*(goroutines*rounds-failed.Load()), got.Server)
}

func testSavepoints(t *testing.T, b *bench) {
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		require.NoError(t, b.add(ctx, "sp ann"))
		err := b.InTx(ctx, shop{}, func(ctx context.Context) error {
			require.NoError(t, b.add(ctx, "sp bob"))
			_, err := b.NewRaw(shop{}, "INSERT INTO no_such_table VALUES (1)").Exec(ctx)
			return err
		}, manager.Name("heal"))
		require.Error(t, err, "the savepoint heals what a failed statement has spoilt")
		return b.add(ctx, "sp cid")
	}))
	assert.EqualValues(t, 2, b.rowsOf(t.Context(), t, "name LIKE 'sp%'"))
}

func testContextEnds(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancelCause(t.Context())
	err := b.InTx(ctx, shop{}, func(ctx context.Context) error {
		require.NoError(t, b.add(ctx, "late"))
		cancel(errNo)
		return nil
	})
	require.Error(t, err, "it was not committed, and says so")
	assert.True(t, errors.Is(err, context.Canceled) || errors.Is(err, errNo), "%v", err)
	require.NotErrorIs(t, err, router.ErrOutcomeUnknown)
	require.NoError(t, b.add(t.Context(), "after"))
	assert.Zero(t, b.rowsOf(t.Context(), t, "name = 'late'"))
}

func testPastTx(t *testing.T, b *bench) {
	if b.cluster == nil {
		return // the pool has one connection that writes: see the tests of package manager
	}
	db := b.bind(t).DB()
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		for name, past := range map[string]func(ctx context.Context) error{
			"exec": func(ctx context.Context) error {
				_, err := db.ExecContext(ctx, "DELETE FROM items")
				return err
			},
			"query": func(ctx context.Context) error {
				_, err := db.QueryContext(ctx, "SELECT 1")
				return err
			},
			"query row": func(ctx context.Context) error { return db.QueryRowContext(ctx, "SELECT 1").Scan(new(int)) },
			"begin": func(ctx context.Context) error {
				_, err := db.BeginTx(ctx, nil)
				return err
			},
			"run in tx": func(ctx context.Context) error {
				return db.RunInTx(ctx, nil, nil)
			},
			"prepare": func(ctx context.Context) error {
				_, err := db.PrepareContext(ctx, "SELECT 1")
				return err
			},
			"conn": func(ctx context.Context) error {
				conn, err := db.Conn(ctx)
				require.NoError(t, err)
				defer func() { require.NoError(t, conn.Close()) }()
				_, err = conn.ExecContext(ctx, "SELECT 1")
				return err
			},
			"a reader's": func(ctx context.Context) error {
				_, err := b.bind(t).Reader().QueryContext(ctx, "SELECT 1")
				return err
			},
		} {
			var refused *router.PastTxError
			assert.ErrorAs(t, past(ctx), &refused, name)
		}
		_, err := db.ExecContext(router.OutsideTx(ctx), "SELECT 1")
		require.NoError(t, err)
		_, err = b.bind(t).Native().ExecContext(ctx, "SELECT 1")
		require.NoError(t, err, "Native is exempt")
		return nil
	}))
}

func testReadOnlyTx(t *testing.T, b *bench) {
	require.NoError(t, b.add(t.Context(), "ro"))
	count := func(ctx context.Context) int {
		n, err := b.NewSelect((*item)(nil)).Where("name = 'ro'").Count(ctx)
		require.NoError(t, err)
		return int(n)
	}
	for i := range 10 { // fresh enough, whoever serves
		require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
			require.Equal(t, i+1, count(ctx), "what was written is there")
			require.NoError(t, b.add(router.OutsideTx(ctx), "ro"))
			require.Equal(t, i+1, count(ctx), "one snapshot")
			return nil
		}, manager.ReadOnly()))
	}
	b.sync(t)
	explained, route := router.Explain(t.Context())
	require.NoError(t, b.InTx(explained, shop{}, func(ctx context.Context) error {
		n := count(ctx)
		require.NoError(t, b.add(router.OutsideTx(ctx), "ro"))
		if b.cluster != nil {
			require.NoError(t, b.cluster.WaitReplayed(ctx))
		}
		require.Equal(t, n, count(ctx), "one snapshot, although the reader has the row by now")
		return nil
	}, manager.ReadOnly()))
	assert.Equal(t, router.PlainRead, route.Decisions()[0].Reason, "BEGIN")
	assert.Contains(t, route.Decisions()[1].Engine, "reader")

	explained, route = router.Explain(t.Context())
	require.NoError(t, b.InTx(explained, shop{}, func(ctx context.Context) error {
		count(ctx)
		_, err := b.NewRaw(shop{}, "SELECT id FROM items FOR UPDATE").Exec(ctx)
		var refused *router.ReadOnlyTxError
		require.ErrorAs(t, err, &refused)
		return nil
	}, manager.ReadOnly(), manager.Isolation(sql.LevelSerializable)))
	if b.cluster != nil {
		assert.Equal(t, "shop/writer", route.Engine(), "no standby is serializable")
	}
}

func testTwoBinds(t *testing.T, b *bench) {
	one := &item{Name: "two"}
	require.NoError(t, b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		_, err := b.NewInsert(one).Exec(ctx)
		require.NoError(t, err)
		_, err = b.NewInsert(&note{ItemID: one.ID}).Exec(ctx)
		var cross *router.CrossBindWriteError
		require.ErrorAs(t, err, &cross)
		if b.forUpdate {
			_, err = b.NewSelect((*note)(nil)).For("UPDATE").Exec(ctx)
			require.ErrorAs(t, err, &cross)
		}
		_, err = b.NewInsert(&note{ItemID: one.ID}).Exec(router.AllowCrossBind(ctx))
		require.NoError(t, err)
		var got item
		require.NoError(t, b.NewSelect(&got).Relation("Notes").Where("id = ?", one.ID).Scan(ctx))
		assert.Len(t, got.Notes, 1)
		return nil
	}))
}

// testSwallowed lets the function go on after a failed statement.
func testSwallowed(t *testing.T, b *bench) {
	err := b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		require.NoError(t, b.add(ctx, "swallowed"))
		_, _ = b.NewRaw(shop{}, "INSERT INTO no_such_table VALUES (1)").Exec(ctx)
		return nil
	})
	n := b.rowsOf(t.Context(), t, "name = 'swallowed'")
	if b.kind.name != "postgres" { // the others undo the statement alone
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
		return
	}
	var aborted *router.TxAbortedError
	require.ErrorAs(t, err, &aborted)
	assert.ErrorContains(t, aborted.Cause, "no_such_table")
	assert.Zero(t, n)
	err = b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
		nested := b.InTx(ctx, shop{}, func(ctx context.Context) error {
			_, _ = b.NewRaw(shop{}, "INSERT INTO no_such_table VALUES (1)").Exec(ctx)
			return nil
		})
		require.ErrorAs(t, nested, &aborted)
		return b.add(ctx, "swallowed")
	})
	require.NoError(t, err)
	assert.EqualValues(t, 1, b.rowsOf(t.Context(), t, "name = 'swallowed'"))
}
