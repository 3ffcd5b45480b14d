package manager_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// TestRowsOpenInTx goes on with other statements while rows are being read: the rows are those of the
// moment at which they were asked for.
func TestRowsOpenInTx(t *testing.T) {
	m := newLedger(t)
	b, err := m.Bind(ledger{})
	require.NoError(t, err)
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		require.NoError(t, insert(ctx, m, "ann", "bob", "cid"))
		rows, err := b.DB().NewSelect().Model((*account)(nil)).Column("id", "owner").Order("id").Rows(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, rows.Close()) }()
		var got []string
		for rows.Next() {
			var a account
			require.NoError(t, b.DB().ScanRow(ctx, rows, &a))
			got = append(got, a.Owner)
			require.NoError(t, insert(ctx, m, a.Owner+"'s"))
			require.ErrorIs(t, m.InTx(ctx, ledger{}, func(ctx context.Context) error { return errors.Join(insert(ctx, m, "nobody"), errNo) }), errNo)
		}
		require.NoError(t, rows.Err())
		assert.Equal(t, []string{"ann", "bob", "cid"}, got)
		return nil
	}))
	assert.Equal(t, []string{"ann", "bob", "cid", "ann's", "bob's", "cid's"}, owners(t, m))
}

func TestManyGoroutinesInOneTx(t *testing.T) {
	m := newLedger(t)
	const all = 50
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		var wg sync.WaitGroup
		for range all {
			wg.Go(func() { assert.NoError(t, insert(ctx, m, "ann")) })
			wg.Go(func() {
				var some []account
				_, err := m.NewSelect(&some).Limit(10).ScanAndCount(ctx)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		return nil
	}))
	assert.Len(t, owners(t, m), all)
}

// TestPastTheTransaction uses what Bun does not route. The transaction has SQLite's only connection that
// writes: to wait for that would be for ever.
func TestPastTheTransaction(t *testing.T) {
	m := newLedger(t)
	b, err := m.Bind(ledger{})
	require.NoError(t, err)
	past := map[string]func(ctx context.Context, db *bun.DB) error{
		"exec": func(ctx context.Context, db *bun.DB) error {
			_, err := db.ExecContext(ctx, "SELECT ?", 1)
			return err
		},
		"query": func(ctx context.Context, db *bun.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT 1")
			if err == nil {
				err = rows.Close()
			}
			return err
		},
		"query row": func(ctx context.Context, db *bun.DB) error { return db.QueryRowContext(ctx, "SELECT 1").Scan(new(int)) },
		"begin": func(ctx context.Context, db *bun.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err == nil {
				err = tx.Rollback()
			}
			return err
		},
		"run in tx": func(ctx context.Context, db *bun.DB) error {
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return nil })
		},
		"prepare": func(ctx context.Context, db *bun.DB) error {
			stmt, err := db.PrepareContext(ctx, "SELECT 1")
			if err == nil {
				err = errors.Join(stmt.QueryRowContext(ctx).Scan(new(int)), stmt.Close())
			}
			return err
		},
		"conn": func(ctx context.Context, db *bun.DB) error {
			conn, err := db.Conn(ctx)
			if err == nil {
				_, err = conn.ExecContext(ctx, "SELECT 1")
				err = errors.Join(err, conn.Close())
			}
			return err
		},
	}
	for name, db := range map[string]*bun.DB{"DB": b.DB(), "Writer": b.Writer(), "Reader": b.Reader()} {
		for what, past := range past {
			require.NoError(t, past(t.Context(), db), "%s on %s: no transaction is in the way", what, name)
			require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
				var refused *router.PastTxError
				require.ErrorAs(t, past(ctx, db), &refused, "%s on %s", what, name)
				return nil
			}))
		}
	}
	require.NoError(t, m.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		require.NoError(t, b.Native().QueryRowContext(ctx, "SELECT 1").Scan(new(int)), "Native is exempt")
		return nil
	}))
}

// TestBeginsImmediate has a transaction that has done nothing yet keep another process from writing: it
// cannot fail later because somebody else was quicker.
func TestBeginsImmediate(t *testing.T) {
	uri := binds.NewURI("sqlite://" + t.TempDir() + "/shared.db?busy_timeout=20ms")
	open := func() *manager.DBManager {
		m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{{Key: "ledger", Writer: uri}}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m
	}
	one, other := open(), open()
	_, err := one.NewCreateTable((*account)(nil)).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, one.InTx(t.Context(), ledger{}, func(ctx context.Context) error {
		b, err := other.Bind(ledger{})
		require.NoError(t, err)
		err = insert(t.Context(), other, "bob")
		require.Error(t, err)
		assert.Equal(t, binds.Retryable, b.WriterEngine().Classify(err), "%v", err)
		tries := 0
		require.Error(t, other.InTx(t.Context(), ledger{}, func(context.Context) error { tries++; return nil }, manager.Retry(1)))
		assert.Zero(t, tries, "it waits at BEGIN")
		_, err = other.NewSelect((*account)(nil)).Count(t.Context())
		require.NoError(t, err, "readers do not wait")
		return insert(ctx, one, "ann")
	}))
	require.NoError(t, insert(t.Context(), other, "bob"))
	assert.Equal(t, []string{"ann", "bob"}, owners(t, one))
}
