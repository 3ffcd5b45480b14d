package router

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/uptrace/bun"
)

// failedConn answers every statement with the error that kept it from being routed.
type failedConn struct{ err error }

var _ bun.IConn = (*failedConn)(nil)

func (c *failedConn) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, c.err
}

func (c *failedConn) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, c.err
}

func (c *failedConn) QueryRowContext(ctx context.Context, _ string, _ ...any) *sql.Row {
	return failedRow(ctx, c.err)
}

// failedRow returns a row whose Scan gives err. Only database/sql can make a sql.Row, so it is asked
// of a pool that cannot connect.
func failedRow(ctx context.Context, err error) *sql.Row {
	db := sql.OpenDB(failedConnector{err})
	defer func() { _ = db.Close() }() // it holds nothing that could fail to close
	return db.QueryRowContext(context.WithoutCancel(ctx), "")
}

type failedConnector struct{ err error }

func (c failedConnector) Connect(context.Context) (driver.Conn, error) { return nil, c.err }
func (c failedConnector) Driver() driver.Driver                        { return nil }
