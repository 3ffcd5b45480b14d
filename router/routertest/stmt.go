package routertest

import (
	"context"
	"database/sql/driver"
)

// stmt is a prepared statement: a text that was correct when it was prepared.
type stmt struct {
	conn  *conn
	query string
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// PrepareContext compiles a statement, in a round trip that does not count as one.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	_, err := c.call(ctx, func() (*answer, error) {
		if err := c.arrive(ctx); err != nil {
			return nil, err
		}
		s := c.server
		defer s.cluster.mu.Unlock()
		s.catchUpLocked()
		if c.tx != nil && c.tx.db != nil {
			return nil, c.tx.db.check(query)
		}
		return nil, s.db.check(query)
	})
	if err != nil {
		return nil, err
	}
	return &stmt{c, query}, nil
}

func (s *stmt) Close() error { return nil }

// NumInput returns -1: SQLite counts the arguments when the statement runs.
func (s *stmt) NumInput() int { return -1 }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

// Exec is there because driver.Stmt asks for it.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

// Query is there because driver.Stmt asks for it.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	all := make([]driver.NamedValue, len(args))
	for i, v := range args {
		all[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return all
}
