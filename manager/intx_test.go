package manager_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/router"
)

type ledger struct{}

func (ledger) BindKey() binds.Key { return "ledger" }

type journal struct{}

func (journal) BindKey() binds.Key { return "journal" }

type account struct {
	bun.BaseModel `bun:"table:accounts"`
	ledger

	ID      int64 `bun:",pk,autoincrement"`
	Owner   string
	Entries []*booking `bun:"rel:has-many,join:id=account_id"`
	Notes   []*note    `bun:"rel:has-many,join:id=account_id"`
}

type booking struct {
	bun.BaseModel `bun:"table:bookings"`
	ledger

	ID        int64 `bun:",pk,autoincrement"`
	AccountID int64
	Cents     int64
}

type note struct {
	bun.BaseModel `bun:"table:notes"`
	journal

	ID        int64 `bun:",pk,autoincrement"`
	AccountID int64
	Text      string
}

// newLedger opens two binds of SQLite files.
func newLedger(t *testing.T) *manager.DBManager {
	t.Helper()
	dir := t.TempDir()
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{
		{Key: "ledger", Writer: binds.NewURI("sqlite://" + dir + "/ledger.db")},
		{Key: "journal", Writer: binds.NewURI("sqlite://" + dir + "/journal.db")},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	for _, model := range []any{(*account)(nil), (*booking)(nil), (*note)(nil)} {
		_, err := m.NewCreateTable(model).Exec(t.Context())
		require.NoError(t, err)
	}
	return m
}

func insert(ctx context.Context, m *manager.DBManager, owners ...string) error {
	for _, owner := range owners {
		if _, err := m.NewInsert(&account{Owner: owner}).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func owners(t *testing.T, m *manager.DBManager) []string {
	t.Helper()
	var names []string
	require.NoError(t, m.NewSelect((*account)(nil)).Column("owner").Order("id").Scan(context.WithoutCancel(t.Context()), &names))
	return names
}

var errNo = errors.New("no")

func TestInTxCommitsAndRollsBack(t *testing.T) {
	m := newLedger(t)
	ctx := t.Context()
	require.NoError(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error { return insert(ctx, m, "ann") }))
	err := m.InTx(ctx, ledger{}, func(ctx context.Context) error { return errors.Join(insert(ctx, m, "bob"), errNo) })
	require.ErrorIs(t, err, errNo)
	same := m.InTx(ctx, ledger{}, func(ctx context.Context) error { return errNo })
	assert.Same(t, errNo, same, "the error comes back as it is")
	assert.PanicsWithValue(t, "boo", func() {
		_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error {
			require.NoError(t, insert(ctx, m, "cid"))
			panic("boo")
		})
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error {
			assert.NoError(t, insert(ctx, m, "dot"))
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	assert.Equal(t, []string{"ann"}, owners(t, m))
	require.NoError(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error { return insert(ctx, m, "eve") }), "the connection was given back")
	assert.Equal(t, []string{"ann", "eve"}, owners(t, m))
}

// TestEverythingJoins uses each way that a query can be built: only the transaction's connection sees
// the row.
func TestEverythingJoins(t *testing.T) {
	m := newLedger(t)
	b, err := m.Bind(ledger{})
	require.NoError(t, err)
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		ann := &account{Owner: "ann"}
		_, err := m.NewInsert(ann).Exec(ctx)
		require.NoError(t, err)
		_, err = b.DB().NewInsert().Model(&[]*booking{{AccountID: ann.ID, Cents: 1}, {AccountID: ann.ID, Cents: 2}}).Exec(ctx)
		require.NoError(t, err)
		for name, read := range map[string]func(ctx context.Context) (int, error){
			"count": func(ctx context.Context) (int, error) {
				n, err := m.NewSelect((*booking)(nil)).Count(ctx)
				return int(n), err
			},
			"raw": func(ctx context.Context) (n int, err error) {
				return n, m.NewRaw(ledger{}, "SELECT count(*) FROM bookings").Scan(ctx, &n)
			},
			"relation": func(ctx context.Context) (int, error) {
				var got account
				err := m.NewSelect(&got).Relation("Entries").Where("id = ?", ann.ID).Scan(ctx)
				return len(got.Entries), err
			},
			"exists": func(ctx context.Context) (int, error) {
				ok, err := m.NewSelect((*booking)(nil)).Where("cents = 2").Exists(ctx)
				return map[bool]int{true: 2}[ok], err
			},
			"scan and count, at once": func(ctx context.Context) (int, error) {
				var got []booking
				n, err := m.NewSelect(&got).Limit(5).ScanAndCount(ctx)
				assert.Len(t, got, int(n))
				return int(n), err
			},
			"the reader's DB": func(ctx context.Context) (int, error) {
				n, err := b.Reader().NewSelect().Model((*booking)(nil)).Count(ctx)
				return int(n), err
			},
			"the writer's DB": func(ctx context.Context) (int, error) {
				n, err := b.Writer().NewSelect().Model((*booking)(nil)).Count(ctx)
				return int(n), err
			},
			"a hint": func(ctx context.Context) (int, error) {
				n, err := m.NewSelect((*booking)(nil)).Count(router.OnReader(ctx))
				return int(n), err
			},
		} {
			explained, route := router.Explain(ctx)
			n, err := read(explained)
			require.NoError(t, err, name)
			assert.Equal(t, 2, n, name)
			for _, d := range route.Decisions() {
				assert.Equal(t, router.Transaction, d.Reason, name)
				assert.Equal(t, "ledger/writer", d.Engine, name)
				assert.False(t, d.Outside, name)
			}
		}
		return nil
	}))
}

func TestInTransaction(t *testing.T) {
	m := newLedger(t)
	var kept context.Context
	assert.False(t, manager.InTransaction(t.Context(), ledger{}))
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		kept = ctx
		assert.True(t, manager.InTransaction(ctx, ledger{}))
		assert.True(t, manager.InTransaction(ctx, binds.Key("")), "the default bind")
		assert.True(t, manager.InTransaction(ctx, (*account)(nil)), "a model")
		assert.False(t, manager.InTransaction(ctx, journal{}))
		assert.False(t, manager.InTransaction(router.OutsideTx(ctx), ledger{}))
		return nil
	}))
	assert.False(t, manager.InTransaction(kept, ledger{}))
}

func TestContextAfterItsTransaction(t *testing.T) {
	m := newLedger(t)
	b, err := m.Bind(ledger{})
	require.NoError(t, err)
	var outer, inner context.Context
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		outer = ctx
		require.NoError(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error {
			inner = ctx
			return nil
		}, manager.Name("step")))
		err := insert(inner, m, "ann")
		require.ErrorIs(t, err, router.ErrTxDone, "the savepoint has ended, the transaction has not")
		assert.ErrorContains(t, err, `"step_1"`)
		return nil
	}))
	for name, use := range map[string]func(ctx context.Context) error{
		"insert": func(ctx context.Context) error { return insert(ctx, m, "ann") },
		"select": func(ctx context.Context) error { return m.NewSelect((*account)(nil)).Scan(ctx, new([]account)) },
		"count": func(ctx context.Context) error {
			_, err := m.NewSelect((*account)(nil)).Count(ctx)
			return err
		},
		"InTx": func(ctx context.Context) error {
			return m.InTx(ctx, ledger{}, func(context.Context) error { panic("must not run") }, manager.Retry(1))
		},
		"past the router": func(ctx context.Context) error {
			_, err := b.DB().ExecContext(ctx, "DELETE FROM accounts")
			return err
		},
	} {
		for _, ctx := range []context.Context{outer, inner} {
			err := use(ctx)
			require.ErrorIs(t, err, router.ErrTxDone, name)
			require.ErrorIs(t, err, sql.ErrTxDone, name)
			assert.ErrorContains(t, err, `"ledger"`, name)
		}
	}
	assert.Empty(t, owners(t, m))
	require.NoError(t, insert(router.OutsideTx(outer), m, "bob"))
	_, err = m.NewInsert(&note{Text: "x"}).Exec(outer)
	require.NoError(t, err, "another bind, and no transaction is open any more")
}

func TestSavepoints(t *testing.T) {
	m := newLedger(t)
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		require.NoError(t, insert(ctx, m, "ann"))
		require.ErrorIs(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error {
			require.NoError(t, insert(ctx, m, "bob"))
			require.NoError(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error { return insert(ctx, m, "cid") }))
			return errNo
		}), errNo)
		assert.PanicsWithValue(t, "boo", func() {
			_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				require.NoError(t, insert(ctx, m, "dot"))
				panic("boo")
			})
		})
		require.NoError(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error { return insert(ctx, m, "eve") }, manager.Name("a-name")))
		return insert(ctx, m, "fay")
	}))
	assert.Equal(t, []string{"ann", "eve", "fay"}, owners(t, m))
}

// TestSavepointsTakeTurns lets goroutines nest in one transaction: every second fails, and takes nothing
// with it but its own.
func TestSavepointsTakeTurns(t *testing.T) {
	m := newLedger(t)
	const all = 20
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() {
				err := m.InTx(ctx, ledger{}, func(ctx context.Context) error {
					if err := insert(ctx, m, "one", "two"); err != nil || i%2 == 0 {
						return errors.Join(err, errNo)
					}
					return nil
				})
				if i%2 == 0 {
					assert.Equal(t, "no", err.Error())
				} else {
					assert.NoError(t, err)
				}
			})
			wg.Go(func() { assert.NoError(t, insert(ctx, m, "three"), "a statement of the transaction itself") })
		}
		wg.Wait()
		return nil
	}))
	counts := map[string]int{}
	for _, name := range owners(t, m) {
		counts[name]++
	}
	assert.Equal(t, map[string]int{"one": all / 2, "two": all / 2, "three": all}, counts)
}

func TestOuterContextInsideNestedInTx(t *testing.T) {
	m := newLedger(t)
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(outer context.Context) error {
		return m.InTx(outer, ledger{}, func(context.Context) error {
			short, cancel := context.WithTimeout(outer, 20*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, insert(short, m, "ann"), context.DeadlineExceeded, "it waits for the savepoint")
			return nil
		})
	}))
}

func TestOptionsThatCannotBeHonoured(t *testing.T) {
	m := newLedger(t)
	none := func(context.Context) error { return nil }
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		for option, opt := range map[string]manager.TxOption{
			"ReadOnly": manager.ReadOnly(), "Retry": manager.Retry(1),
			"Isolation": manager.Isolation(sql.LevelSerializable), "Name": manager.Name(`x"; DROP TABLE accounts`),
		} {
			var refused *router.TxOptionError
			require.ErrorAs(t, m.InTx(ctx, ledger{}, none, opt), &refused, option)
			assert.Equal(t, option, refused.Option)
		}
		return nil
	}))
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		require.NoError(t, m.InTx(ctx, ledger{}, none, manager.Isolation(sql.LevelSerializable)), "the same")
		return m.InTx(ctx, ledger{}, none, manager.Name(strings.Repeat("n", 40)))
	}, manager.Isolation(sql.LevelSerializable)))
	require.Error(t, m.InTx(t.Context(), ledger{}, none, manager.Name(strings.Repeat("n", 41))))
}

func TestReadOnlyTx(t *testing.T) {
	m := newLedger(t)
	require.NoError(t, insert(t.Context(), m, "ann"))
	count := func(ctx context.Context) int64 {
		n, err := m.NewSelect((*account)(nil)).Count(ctx)
		require.NoError(t, err)
		return int64(n)
	}
	for engine, ctx := range map[string]context.Context{"ledger/reader-1": t.Context(), "ledger/writer": router.OnWriter(t.Context())} {
		before := count(t.Context())
		ctx, route := router.Explain(ctx)
		require.NoError(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error {
			require.Equal(t, before, count(ctx))
			assert.Equal(t, engine, route.Engine())
			if engine != "ledger/writer" { // which is SQLite's only one
				require.NoError(t, insert(router.OutsideTx(ctx), m, "bob"))
			}
			require.Equal(t, before, count(ctx), "one snapshot")
			var refused *router.ReadOnlyTxError
			require.ErrorAs(t, insert(ctx, m, "cid"), &refused)
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				require.ErrorAs(t, insert(ctx, m, "cid"), &refused)
				require.Equal(t, before, count(ctx))
				return nil
			}, manager.ReadOnly())
		}, manager.ReadOnly()))
	}
	assert.Equal(t, []string{"ann", "bob"}, owners(t, m))
	require.NoError(t, insert(t.Context(), m, "dot"), "the writer writes again")
}

func TestAcrossBinds(t *testing.T) {
	m := newLedger(t)
	ctx := t.Context()
	write := func(ctx context.Context) error {
		_, err := m.NewInsert(&note{AccountID: 1, Text: "x"}).Exec(ctx)
		return err
	}
	require.NoError(t, write(ctx))
	err := m.InTx(ctx, ledger{}, func(ctx context.Context) error {
		require.NoError(t, insert(ctx, m, "ann"))
		explained, route := router.Explain(ctx)
		var got account
		require.NoError(t, m.NewSelect(&got).Relation("Notes").Where("id = 1").Scan(explained))
		assert.Len(t, got.Notes, 1)
		d := route.Decisions()
		require.Len(t, d, 2)
		assert.False(t, d[0].Outside)
		assert.True(t, d[1].Outside)
		assert.Equal(t, "journal/reader-1", d[1].Engine)
		assert.Equal(t, "journal/reader-1 (read, plain_read, outside the transaction)", route.String())

		var cross *router.CrossBindWriteError
		require.ErrorAs(t, write(ctx), &cross)
		assert.Equal(t, &router.CrossBindWriteError{Bind: "journal", Tx: "ledger"}, cross)
		_, err := m.NewRaw(journal{}, "DELETE FROM notes").Exec(ctx)
		require.ErrorAs(t, err, &cross)
		require.NoError(t, m.InTx(ctx, journal{}, func(ctx context.Context) error {
			require.NoError(t, write(ctx), "its own transaction")
			return insert(ctx, m, "bob")
		}))
		require.ErrorAs(t, write(ctx), &cross, "which has ended")
		require.NoError(t, write(router.AllowCrossBind(ctx)))
		return errNo
	})
	require.Equal(t, errNo, err)
	assert.Empty(t, owners(t, m))
	n, err := m.NewSelect((*note)(nil)).Count(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 3, n, "what ran outside stays")
}

func TestInTxAll(t *testing.T) {
	m := newLedger(t)
	both := func(fn func(ctx context.Context) error) error {
		return m.InTxAll(t.Context(), []binds.Bound{ledger{}, journal{}}, fn)
	}
	write := func(ctx context.Context) error {
		_, err := m.NewInsert(&note{Text: "x"}).Exec(ctx)
		return errors.Join(err, insert(ctx, m, "ann"))
	}
	require.NoError(t, both(write))
	require.ErrorIs(t, both(func(ctx context.Context) error { return errors.Join(write(ctx), errNo) }), errNo)
	assert.Panics(t, func() { _ = both(func(ctx context.Context) error { panic(write(ctx)) }) })
	assert.Equal(t, []string{"ann"}, owners(t, m))
	n, err := m.NewSelect((*note)(nil)).Count(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)

	var twice *router.DuplicateBindError
	require.ErrorAs(t, m.InTxAll(t.Context(), []binds.Bound{ledger{}, binds.Key("ledger")}, write), &twice)
	var unknown *binds.UnknownBindError
	require.ErrorAs(t, m.InTxAll(t.Context(), []binds.Bound{binds.Key("leger")}, write), &unknown)
	require.ErrorAs(t, m.InTx(t.Context(), binds.Key("leger"), write), &unknown)
}

// TestInTxAllDoesNotDeadlock lets callers name the binds in either order.
func TestInTxAllDoesNotDeadlock(t *testing.T) {
	m := newLedger(t)
	var wg sync.WaitGroup
	for i := range 20 {
		bounds := []binds.Bound{ledger{}, journal{}}
		if i%2 == 0 {
			bounds[0], bounds[1] = bounds[1], bounds[0]
		}
		wg.Go(func() {
			assert.NoError(t, m.InTxAll(t.Context(), bounds, func(ctx context.Context) error { return insert(ctx, m, "ann") }))
		})
	}
	wg.Wait()
	assert.Len(t, owners(t, m), 20)
}

func TestNilFunctions(t *testing.T) {
	m := newLedger(t)
	ctx := t.Context()
	require.ErrorIs(t, m.InTx(ctx, ledger{}, nil), router.ErrNilFunc)
	require.ErrorIs(t, m.InTxAll(ctx, []binds.Bound{ledger{}, journal{}}, nil), router.ErrNilFunc)
	require.ErrorIs(t, m.AfterCommit(ctx, ledger{}, nil), router.ErrNilFunc)
	require.ErrorIs(t, m.WithLock(ctx, ledger{}, "nightly", nil), router.ErrNilFunc)
	require.Error(t, models.RetryStale(ctx, 3, nil))
	require.NoError(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error {
		require.ErrorIs(t, m.InTx(ctx, ledger{}, nil), router.ErrNilFunc)
		return m.AfterCommit(ctx, ledger{}, func(context.Context) {})
	}, nil, manager.Name("named")), "an option that is nil is none")
	require.NoError(t, m.WithLock(ctx, ledger{}, "nightly", func(context.Context) error { return nil }, nil))
}
