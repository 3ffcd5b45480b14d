package observe_test

import (
	"context"
	"database/sql/driver"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// nullDriver answers at once, so that what is measured is what comes before.
type nullDriver struct{}

func (nullDriver) Name() string { return "SQLite" }

func (nullDriver) Open(context.Context, string) (binds.Source, error) { return nullDriver{}, nil }

func (nullDriver) Dialect() schema.Dialect { return sqlitedialect.New() }

func (nullDriver) Connector(binds.Role) driver.Connector { return &nullConnector{} }

type nullConnector struct{}

func (*nullConnector) Connect(context.Context) (driver.Conn, error) { return &nullConn{}, nil }
func (*nullConnector) Driver() driver.Driver                        { return nil }

type nullConn struct{}

func (*nullConn) Prepare(string) (driver.Stmt, error)                          { return nil, driver.ErrSkip }
func (*nullConn) Close() error                                                 { return nil }
func (*nullConn) Begin() (driver.Tx, error)                                    { return nullTx{}, nil }
func (*nullConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return nullTx{}, nil }
func (*nullConn) ResetSession(context.Context) error                           { return nil }
func (*nullConn) IsValid() bool                                                { return true }
func (*nullConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nullRows{}, nil
}
func (*nullConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

type nullTx struct{}

func (nullTx) Commit() error   { return nil }
func (nullTx) Rollback() error { return nil }

type nullRows struct{}

func (nullRows) Columns() []string         { return nil }
func (nullRows) Close() error              { return nil }
func (nullRows) Next([]driver.Value) error { return io.EOF }

const (
	plainRead  = `SELECT "user"."id", "user"."name" FROM "users" AS "user" WHERE ("user"."id" = 42)`
	plainWrite = `INSERT INTO "users" ("name") VALUES ('ada')`
)

// nullConn returns the connections by which a bind's router runs builders' reads and writes.
func nullManager(t testing.TB) (m *manager.DBManager, read, write bun.IConn) {
	var drivers binds.Drivers
	drivers.Register(nullDriver{}, "null")
	m, err := manager.New(context.Background(), &manager.Config{Binds: []manager.BindConfig{{
		Key: "accounts", Writer: binds.NewURI("null:w"), Readers: []manager.ReaderConfig{{URI: binds.NewURI("null:r")}},
		Freshness: router.Freshness{ReadYourWrites: router.NoWrites, MaxLag: -1},
	}}}, manager.WithDrivers(&drivers), manager.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	b, err := m.Bind(accounts{})
	require.NoError(t, err)
	routed := b.Router().Routed()
	return m, routed.ResolveConn(context.Background(), m.NewSelect((*user)(nil))), routed.ResolveConn(context.Background(), m.NewInsert((*user)(nil)))
}

func readOnce(t testing.TB, ctx context.Context, c bun.IConn) {
	rows, err := c.QueryContext(ctx, plainRead)
	if err != nil {
		t.Fatal(err)
	}
	_ = rows.Close()
}

func writeOnce(t testing.TB, ctx context.Context, c bun.IConn) {
	if _, err := c.ExecContext(ctx, plainWrite); err != nil {
		t.Fatal(err)
	}
}
