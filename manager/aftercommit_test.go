package manager_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

func TestAfterCommit(t *testing.T) {
	errUndo := errors.New("undo")
	both := []binds.Bound{ledger{}, journal{}}
	for reason, row := range map[string]struct {
		run  func(m *manager.DBManager, ctx context.Context, after func(ctx context.Context, b binds.Bound, what string)) error
		want []string
	}{
		"there is no transaction": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			after(ctx, ledger{}, "at once")
			return nil
		}, []string{"at once"}},
		"it commits": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				after(ctx, ledger{}, "first")
				after(ctx, ledger{}, "second")
				after(ctx, journal{}, "at once: it is no part of that")
				return nil
			})
		}, []string{"at once: it is no part of that", "first", "second"}},
		"it fails": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				after(ctx, ledger{}, "never")
				return errUndo
			})
		}, nil},
		"it panics": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			defer func() { _ = recover() }()
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				after(ctx, ledger{}, "never")
				panic("undo")
			})
		}, nil},
		"a nested one is undone": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error {
					after(ctx, ledger{}, "never")
					return errUndo
				})
				return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
					after(ctx, ledger{}, "nested")
					return nil
				})
			})
		}, []string{"nested"}},
		"a nested one has ended, and the whole commits": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				var kept context.Context
				_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error {
					return m.InTx(ctx, ledger{}, func(ctx context.Context) error { kept = ctx; return nil })
				})
				after(kept, ledger{}, "late")
				after(ctx, ledger{}, "later")
				return nil
			})
		}, []string{"late", "later"}},
		"a nested one has ended, and the whole fails": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				var kept context.Context
				_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error { kept = ctx; return nil })
				after(kept, ledger{}, "never")
				return errUndo
			})
		}, nil},
		"a nested one was undone before": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				var kept context.Context
				_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error { kept = ctx; return errUndo })
				after(kept, ledger{}, "never")
				return nil
			})
		}, nil},
		"one inside an undone one was kept before": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				var kept context.Context
				_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error {
					_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error { kept = ctx; return nil })
					return errUndo
				})
				after(kept, ledger{}, "never")
				return nil
			})
		}, nil},
		"it has committed": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			var kept context.Context
			err := m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				return m.InTx(ctx, ledger{}, func(ctx context.Context) error { kept = ctx; return nil })
			})
			after(kept, ledger{}, "at once")
			return err
		}, []string{"at once"}},
		"it was rolled back": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			var kept context.Context
			_ = m.InTx(ctx, ledger{}, func(ctx context.Context) error { kept = ctx; return errUndo })
			after(kept, ledger{}, "never")
			return nil
		}, nil},
		"two have ended inside one": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTx(ctx, ledger{}, func(ctx context.Context) error {
				var kept context.Context
				_ = m.InTxAll(ctx, both, func(ctx context.Context) error { kept = ctx; return nil })
				after(kept, journal{}, "at once: the journal has committed")
				after(kept, ledger{}, "ledger")
				return nil
			})
		}, []string{"at once: the journal has committed", "ledger"}},
		"two commit": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTxAll(ctx, both, func(ctx context.Context) error {
				after(ctx, journal{}, "journal")
				after(ctx, ledger{}, "ledger")
				return nil
			})
		}, []string{"ledger", "journal"}},
		"two fail": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			return m.InTxAll(ctx, both, func(ctx context.Context) error {
				after(ctx, journal{}, "never")
				return errUndo
			})
		}, nil},
		"the second try commits": {func(m *manager.DBManager, ctx context.Context, after func(context.Context, binds.Bound, string)) error {
			for _, err := range []error{errUndo, nil} {
				if m.InTx(ctx, ledger{}, func(ctx context.Context) error {
					after(ctx, ledger{}, "once")
					return err
				}) == nil {
					return nil
				}
			}
			return nil
		}, []string{"once"}},
	} {
		t.Run(reason, func(t *testing.T) {
			m := newLedger(t)
			var ran []string
			_ = row.run(m, t.Context(), func(ctx context.Context, b binds.Bound, what string) {
				require.NoError(t, m.AfterCommit(ctx, b, func(ctx context.Context) {
					ran = append(ran, what)
					if b == (ledger{}) {
						assert.False(t, manager.InTransaction(ctx, ledger{}), "it is outside")
						_, err := m.NewRaw(ledger{}, "SELECT 1").Exec(ctx)
						assert.NoError(t, err, "and runs there")
					}
				}))
			})
			assert.Equal(t, row.want, ran)
		})
	}
	require.Error(t, newLedger(t).AfterCommit(t.Context(), binds.Key("nowhere"), func(context.Context) { t.Error("it ran") }))
}
