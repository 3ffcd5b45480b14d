package mysqlbind

import (
	"context"
	"database/sql/driver"
)

// nativeStmt is what the MySQL driver's prepared statements can do.
type nativeStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

// stmt is a prepared statement that is watched as a plain one is.
type stmt struct {
	nativeStmt
	conn  *conn
	query string
}

// ExecContext runs the statement.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.conn.gone(); err != nil {
		return nil, err
	}
	if err := s.fit(args); err != nil {
		return nil, err
	}
	ctx = s.conn.within(ctx)
	res, err := s.exec(ctx, args)
	if err != nil {
		return nil, s.conn.failed(ctx, s.query, err)
	}
	return res, nil
}

// QueryContext runs the query.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.gone(); err != nil {
		return nil, err
	}
	if err := s.fit(args); err != nil {
		return nil, err
	}
	ctx = s.conn.within(ctx)
	var res driver.Rows
	var failed bool
	err := s.run(ctx, func() error {
		native, err := s.nativeStmt.QueryContext(ctx, args)
		if failed = err != nil; failed {
			return err
		}
		res, err = s.conn.watch(ctx, s.query, native)
		return err
	})
	if failed {
		err = s.conn.failed(ctx, s.query, err)
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}
