package sqlitebind

import (
	"context"
	"database/sql/driver"
)

// rawStmt is a statement as modernc.org/sqlite makes it.
type rawStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// stmt is a prepared statement whose runs end with their contexts.
type stmt struct {
	rawStmt
	conn  *conn
	query string
}

func newStmt(c *conn, made driver.Stmt, query string) (*stmt, error) {
	raw, ok := made.(rawStmt)
	if !ok {
		_ = made.Close() // the error counts
		return nil, errNoHandle
	}
	return &stmt{rawStmt: raw, conn: c, query: query}, nil
}

// ExecContext is [conn.ExecContext] for a prepared statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	if err := s.conn.allow(s.query, args); err != nil {
		return nil, err
	}
	err = s.conn.do(ctx, func() error {
		res, err = s.rawStmt.ExecContext(context.Background(), args)
		return err
	})
	return res, err
}

// QueryContext is [conn.QueryContext] for a prepared statement.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.allow(s.query, args); err != nil {
		return nil, err
	}
	return s.conn.query(ctx, func() (driver.Rows, error) {
		return s.rawStmt.QueryContext(context.Background(), args)
	})
}
