package integration_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// TestRowSecurityOnReaders reads a table with a policy on real replicas, in transactions that say whose rows they want.
func TestRowSecurityOnReaders(t *testing.T) {
	b := newBench(t, postgresKind(t))
	ctx := t.Context()
	for _, query := range []string{
		"CREATE TABLE invoices (id INT PRIMARY KEY, tenant INT NOT NULL)",
		"INSERT INTO invoices SELECT n, n % 3 FROM generate_series(1, 30) AS n",
		"ALTER TABLE invoices ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE invoices FORCE ROW LEVEL SECURITY", // for its owner, who the tests are
		"CREATE POLICY own ON invoices USING (tenant = current_setting('app.tenant', true)::int)",
	} {
		_, err := b.NewRaw(shop{}, query).Exec(ctx)
		require.NoError(t, err)
	}
	b.sync(t)
	writes := b.bind(t).Stats()
	count := func(ctx context.Context) (n int) {
		require.NoError(t, b.NewRaw(shop{}, "SELECT count(*) FROM invoices WHERE id <= 10").Scan(ctx, &n))
		return n
	}
	exec := func(ctx context.Context, query string, args ...any) error {
		_, err := b.NewRaw(shop{}, query, args...).Exec(ctx)
		return err
	}
	onReader := func(t *testing.T, fn func(ctx context.Context)) {
		t.Helper()
		ctx, route := router.Explain(ctx)
		require.NoError(t, b.InTx(ctx, shop{}, func(ctx context.Context) error { fn(ctx); return nil }, manager.ReadOnly()))
		assert.Contains(t, route.Engine(), "shop/reader-")
	}
	for tenant, rows := range []int{3, 4, 3} {
		onReader(t, func(ctx context.Context) {
			require.NoError(t, exec(ctx, "SELECT set_config('app.tenant', ?, true)", []string{"0", "1", "2"}[tenant]))
			assert.Equal(t, rows, count(ctx))
		})
		onReader(t, func(ctx context.Context) {
			require.NoError(t, exec(ctx, "SET LOCAL app.tenant = ?", tenant))
			assert.Equal(t, rows, count(ctx))
			require.ErrorIs(t, b.InTx(ctx, shop{}, func(ctx context.Context) error {
				require.NoError(t, exec(ctx, "SET LOCAL app.tenant = 9"))
				assert.Zero(t, count(ctx))
				return errNo
			}, manager.ReadOnly()), errNo)
			assert.Equal(t, rows, count(ctx), "it is undone with its savepoint")
		})
	}
	for range 4 { // whichever connection it gets
		onReader(t, func(ctx context.Context) {
			var tenant string
			require.NoError(t, b.NewRaw(shop{}, "SELECT COALESCE(current_setting('app.tenant', true), '')").Scan(ctx, &tenant))
			assert.Empty(t, tenant, "nothing is left of the transactions before")
		})
	}
	onReader(t, func(ctx context.Context) { // page after page
		require.NoError(t, exec(ctx, "SET LOCAL app.tenant = 1; SET LOCAL statement_timeout = '30s'"))
		require.NoError(t, exec(ctx, "DECLARE c SCROLL CURSOR FOR SELECT id FROM invoices ORDER BY id"))
		var got []int
		for {
			var page []int
			require.NoError(t, b.NewRaw(shop{}, "FETCH 4 FROM c").Scan(ctx, &page))
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		assert.Equal(t, []int{1, 4, 7, 10, 13, 16, 19, 22, 25, 28}, got)
		require.NoError(t, exec(ctx, "MOVE ABSOLUTE 2 IN c"))
		var third []int
		require.NoError(t, b.NewRaw(shop{}, "FETCH c").Scan(ctx, &third))
		assert.Equal(t, []int{7}, third)
		require.NoError(t, exec(ctx, "CLOSE c"))
	})
	for _, query := range []string{
		"SET app.tenant = 1", "SELECT set_config('app.tenant', '1', false)", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE ALL",
		"SET TRANSACTION READ WRITE", "SET LOCAL transaction_read_only = off", "SELECT set_config('transaction_read_only', 'off', true)",
		"INSERT INTO invoices VALUES (99, 1)", "RESET app.tenant",
	} {
		for _, where := range []context.Context{ctx, router.OnWriter(ctx)} { // a read-only transaction on the writer refuses it as well
			err := b.InTx(where, shop{}, func(ctx context.Context) error { return exec(ctx, query) }, manager.ReadOnly())
			var refused *router.ReadOnlyTxError
			require.ErrorAs(t, err, &refused, query)
		}
	}
	// Outside such a transaction these are for the writer, as before.
	for _, query := range []string{"SET LOCAL app.tenant = 1", "SELECT set_config('app.tenant', '1', true)"} {
		seen, route := router.Explain(ctx)
		require.NoError(t, exec(seen, query))
		assert.Equal(t, "shop/writer", route.Engine())
	}
	b.sync(t)
	// On the writer it is no write: readers go on serving.
	for range 3 {
		require.NoError(t, b.InTx(router.OnWriter(ctx), shop{}, func(ctx context.Context) error {
			require.NoError(t, exec(ctx, "SET LOCAL app.tenant = 1"))
			assert.Equal(t, 4, count(ctx))
			return nil
		}, manager.ReadOnly()))
		seen, route := router.Explain(ctx)
		require.NoError(t, b.NewRaw(shop{}, "SELECT 1").Scan(seen, new(int)))
		assert.Contains(t, route.Engine(), "shop/reader-")
	}
	assert.Equal(t, writes.Refused, b.bind(t).Stats().Refused, "no server refused anything")
}

// TestSettingsOfOthers: what ends with the transaction on PostgreSQL is the session's elsewhere, and refused.
func TestSettingsOfOthers(t *testing.T) {
	for _, k := range kinds() {
		if k.name == teston.Postgres {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			b := newBench(t, k)
			for _, query := range []string{"SET LOCAL max_statement_time = 1", "SET TRANSACTION READ WRITE", "SET @a = 1", "PRAGMA query_only = 0", "FETCH c"} {
				err := b.InTx(t.Context(), shop{}, func(ctx context.Context) error {
					_, err := b.NewRaw(shop{}, query).Exec(ctx)
					return err
				}, manager.ReadOnly())
				var refused *router.ReadOnlyTxError
				require.ErrorAs(t, err, &refused, query)
			}
		})
	}
}
