package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/manager"
)

// wallet holds tenths: a sum of a hundred 0.1 is exact only where no float is involved.
type wallet struct {
	bun.BaseModel `bun:"table:wallets"`
	shop

	ID      int64 `bun:",pk"`
	Tenths  int64 `bun:",notnull"`
	Version int64 `bun:",notnull"`
}

func (w *wallet) String() string { return fmt.Sprintf("%d.%d", w.Tenths/10, w.Tenths%10) }

const (
	charges = 100
	before  = 1000 // tenths: 100.0
	exact   = before - charges
)

// A charger takes 0.1 from the wallet: it reads what is there, and writes what is left. Read is called
// between the two.
type charger func(ctx context.Context, b *bench, read func()) error

// chargers are the four ways that README shows.
var chargers = []struct {
	name    string
	exact   bool
	charge  charger
	barrier bool // all read before one writes
}{
	{"plain read, then write", false, chargePlainly, true},
	{"FOR UPDATE", true, chargeLocked, false},
	{"serializable, with retry", true, chargeSerializable, false},
	{"optimistic version", true, chargeOptimistically, false},
}

func chargePlainly(ctx context.Context, b *bench, read func()) error {
	w := &wallet{ID: 1}
	if err := b.NewSelect(w).WherePK().Scan(ctx); err != nil {
		return err
	}
	read()
	w.Tenths--
	_, err := b.NewUpdate(w).Column("tenths").WherePK().Exec(ctx)
	return err
}

func chargeLocked(ctx context.Context, b *bench, _ func()) error {
	return b.InTx(ctx, shop{}, func(ctx context.Context) error {
		w := &wallet{ID: 1}
		q := b.NewSelect(w).WherePK()
		if b.forUpdate { // a transaction on SQLite is the only one that writes, from its beginning
			q = q.For("UPDATE")
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		w.Tenths--
		_, err := b.NewUpdate(w).Column("tenths").WherePK().Exec(ctx)
		return err
	})
}

func chargeSerializable(ctx context.Context, b *bench, _ func()) error {
	return b.InTx(ctx, shop{}, func(ctx context.Context) error {
		w := &wallet{ID: 1}
		if err := b.NewSelect(w).WherePK().Scan(ctx); err != nil {
			return err
		}
		w.Tenths--
		_, err := b.NewUpdate(w).Column("tenths").WherePK().Exec(ctx)
		return err
	}, manager.Isolation(sql.LevelSerializable), manager.Retry(1000))
}

func chargeOptimistically(ctx context.Context, b *bench, _ func()) error {
	for {
		w := &wallet{ID: 1}
		if err := b.NewSelect(w).WherePK().Scan(ctx); err != nil {
			return err
		}
		w.Tenths--
		w.Version++
		res, err := b.NewUpdate(w).Column("tenths", "version").WherePK().Where("version = ?", w.Version-1).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
	}
}

// TestLostUpdates charges 0.1 a hundred times at once.
func TestLostUpdates(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		_, err := b.NewCreateTable((*wallet)(nil)).Exec(t.Context())
		require.NoError(t, err)
		for _, c := range chargers {
			left := chargeAtOnce(t, b, c.charge, c.barrier)
			lost := left.Tenths - exact
			t.Logf("%s: %-26s %d charges of 0.1 from 100.0 leave %v: %d lost", b.kind.name, c.name, charges, left, lost)
			if c.exact {
				assert.Zero(t, lost, c.name)
			} else {
				assert.EqualValues(t, charges-1, lost, "all read the same, and the last one's write is what is left")
			}
		}
	})
}

func chargeAtOnce(t *testing.T, b *bench, charge charger, barrier bool) *wallet {
	ctx := t.Context()
	_, err := b.NewDelete((*wallet)(nil)).Where("1 = 1").Exec(ctx)
	require.NoError(t, err)
	_, err = b.NewInsert(&wallet{ID: 1, Tenths: before}).Exec(ctx)
	require.NoError(t, err)
	var all, reading sync.WaitGroup
	read := func() {}
	if barrier {
		reading.Add(charges)
		read = func() {
			reading.Done()
			reading.Wait()
		}
	}
	errs := make([]error, charges)
	for i := range charges {
		all.Go(func() { errs[i] = charge(ctx, b, sync.OnceFunc(read)) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	left := &wallet{ID: 1}
	require.NoError(t, b.NewSelect(left).WherePK().Scan(ctx))
	return left
}
