package integration_test

import (
	"context"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// customer lives in shop, order in audit. Both databases have both tables.
type (
	customer struct {
		bun.BaseModel `bun:"table:customers,alias:c"`
		shop
		ID   int64 `bun:",pk"`
		Name string
	}
	order struct {
		bun.BaseModel `bun:"table:orders,alias:o"`
		audit
		ID         int64 `bun:",pk"`
		CustomerID int64
	}
)

// aloneURI returns where a new database without replicas is.
func aloneURI(t *testing.T, k kind) string {
	t.Helper()
	if k.name == teston.SQLite {
		return "sqlite://" + filepath.ToSlash(t.TempDir()) + "/shop.db"
	}
	return teston.Start(t, k.name, 0).Primary.URI()
}

// twoDatabases returns the URIs of two databases of one kind.
func twoDatabases(t *testing.T, k kind) (shop, audit string) {
	t.Helper()
	if k.name == teston.SQLite {
		dir := "sqlite://" + filepath.ToSlash(t.TempDir())
		return dir + "/shop.db", dir + "/audit.db"
	}
	primary := teston.Start(t, k.name, 0).Primary
	statements := []string{"CREATE DATABASE orders_of_audit OWNER app"}
	if inMySQLFamily(k.name) {
		statements = []string{"CREATE DATABASE orders_of_audit", "GRANT ALL ON orders_of_audit.* TO app"}
	}
	for _, statement := range statements {
		require.NoError(t, primary.Exec(t.Context(), statement))
	}
	u, err := url.Parse(primary.URI())
	require.NoError(t, err)
	u.Path = "/orders_of_audit"
	return primary.URI(), u.String()
}

// openOrders opens a manager on two databases with the same tables: shop has one customer and no
// order, audit has the order of that customer.
func openOrders(t *testing.T, shopURI, auditURI string, opts ...manager.Option) *manager.DBManager {
	t.Helper()
	m := openManager(t, config(map[string]string{"shop": shopURI, "audit": auditURI}, nil, ""), opts...)
	for _, bind := range []binds.Bound{shop{}, audit{}} {
		for _, statement := range []string{
			"DROP TABLE IF EXISTS customers", "CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(20))",
			"DROP TABLE IF EXISTS orders", "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT)",
		} {
			_, err := m.NewRaw(bind, statement).Exec(t.Context())
			require.NoError(t, err)
		}
	}
	_, err := m.NewInsert(&customer{ID: 1, Name: "with an order"}).Exec(t.Context())
	require.NoError(t, err)
	_, err = m.NewInsert(&order{ID: 1, CustomerID: 1}).Exec(t.Context())
	require.NoError(t, err)
	return m
}

// isWrongBind says that a query was refused since it has a part of audit.
func isWrongBind(t *testing.T, err error) {
	t.Helper()
	var wrong *router.WrongBindError
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, binds.Key("audit"), wrong.ModelBind)
	assert.Equal(t, binds.Key("shop"), wrong.Bind)
}

// TestWrongBind runs queries that reach for another bind's tables where the database has tables of the same
// names.
func TestWrongBind(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			shopURI, auditURI := twoDatabases(t, k)
			t.Run("parts of queries", func(t *testing.T) { testParts(t, openOrders(t, shopURI, auditURI)) })
			t.Run("past the router", func(t *testing.T) { testGuard(t, openOrders(t, shopURI, auditURI, manager.WithGuard())) })
		})
	}
}

// testParts deletes the customers without orders, whose orders are in the other database: by the empty
// table here all would go.
func testParts(t *testing.T, m *manager.DBManager) {
	ctx := t.Context()
	ordered := func() *bun.SelectQuery { return m.NewSelect((*order)(nil)).Column("customer_id") }
	noModel := func() *bun.SelectQuery { return m.NewSelect(audit{}).Table("orders").Column("customer_id") }
	for name, part := range map[string]func() *bun.SelectQuery{"model": ordered, "bind": noModel} {
		t.Run(name, func(t *testing.T) {
			_, err := m.NewDelete((*customer)(nil)).Where("id NOT IN (?)", part()).Exec(ctx)
			isWrongBind(t, err)
			_, err = m.NewDelete((*customer)(nil)).With("done", part()).Where("id NOT IN (SELECT customer_id FROM done)").Exec(ctx)
			isWrongBind(t, err)
			_, err = m.NewRaw(shop{}, "DELETE FROM customers WHERE id NOT IN (?)", part()).Exec(ctx)
			isWrongBind(t, err)
			_, err = m.NewUpdate((*customer)(nil)).Set("name = ?", "gone").Where("NOT EXISTS (?)", part()).Exec(ctx)
			isWrongBind(t, err)
			_, err = m.NewInsert((*customer)(nil)).TableExpr("(?) AS x", part()).Exec(ctx)
			isWrongBind(t, err)
			_, err = m.NewSelect((*customer)(nil)).Where("id IN (?)", part()).Count(ctx)
			isWrongBind(t, err)
			isWrongBind(t, m.NewSelect(shop{}).TableExpr("(?) AS x", part()).Scan(ctx, new(int)))
			isWrongBind(t, m.NewSelect((*customer)(nil)).Column("id").Union(part()).Scan(ctx, &[]int64{}))
			isWrongBind(t, m.InTx(ctx, shop{}, func(ctx context.Context) error {
				_, err := m.NewDelete((*customer)(nil)).Where("id NOT IN (?)", part()).Exec(ctx)
				return err
			}))
		})
	}
	var left []customer
	require.NoError(t, m.NewSelect(&left).Scan(ctx))
	assert.Equal(t, []customer{{ID: 1, Name: "with an order"}}, left)

	n, err := m.NewSelect((*order)(nil)).Where("id IN (?)", m.NewSelect((*order)(nil)).Column("id")).Count(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n, "a part of the same bind")
}

// testGuard tries what Bun sends past the router.
func testGuard(t *testing.T, m *manager.DBManager) {
	bind, err := m.Bind(shop{})
	require.NoError(t, err)
	ctx, db := t.Context(), bind.DB()
	part := func() *bun.SelectQuery { return m.NewSelect((*order)(nil)).Column("customer_id") }

	past := func(t *testing.T, idb bun.IDB) {
		_, err := idb.NewInsert().Model(&order{ID: 2}).Exec(ctx)
		isWrongBind(t, err)
		isWrongBind(t, idb.NewSelect().Model(&[]order{}).Scan(ctx))
		_, err = idb.NewSelect().Model((*order)(nil)).Count(ctx)
		isWrongBind(t, err)
		_, err = idb.NewDelete().Model((*customer)(nil)).Where("id NOT IN (?)", part()).Exec(ctx)
		isWrongBind(t, err)
		_, err = idb.NewRaw("DELETE FROM customers WHERE id NOT IN (?)", part()).Exec(ctx)
		isWrongBind(t, err)
		_, err = idb.ExecContext(ctx, "DELETE FROM customers WHERE id NOT IN (?)", part())
		isWrongBind(t, err)
		_, err = db.WithNamedArg("orders", part()).ExecContext(ctx, "DELETE FROM customers WHERE id NOT IN (?orders)")
		isWrongBind(t, err)
		_, err = idb.QueryContext(ctx, "SELECT * FROM customers WHERE id NOT IN (?)", part())
		isWrongBind(t, err)

		n, err := idb.NewSelect().Model((*customer)(nil)).Where("id IN (?)", idb.NewSelect().Model((*customer)(nil)).Column("id").Where("id = 1")).Count(ctx)
		require.NoError(t, err, "the connection and the transaction go on")
		assert.EqualValues(t, 1, n)
	}
	t.Run("DB", func(t *testing.T) { past(t, db) })
	t.Run("Tx", func(t *testing.T) {
		require.NoError(t, db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
			past(t, tx)
			_, err := tx.NewInsert().Model(&customer{ID: 2, Name: "of the transaction"}).Exec(ctx)
			return err
		}))
	})
	t.Run("Conn", func(t *testing.T) {
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		defer func() { assert.NoError(t, conn.Close()) }()
		past(t, conn)
	})
	var customers, orders int
	require.NoError(t, m.NewRaw(shop{}, "SELECT count(*) FROM customers").Scan(ctx, &customers))
	require.NoError(t, m.NewRaw(shop{}, "SELECT count(*) FROM orders").Scan(ctx, &orders))
	assert.Equal(t, []int{2, 0}, []int{customers, orders})
}
