package pgbind

import (
	"context"
	"database/sql/driver"
	"time"
)

// endTimeout bounds what ends something on the server, a rollback or a statement's close, and has no
// context. Past it the connection is closed, which ends the same things.
const endTimeout = 5 * time.Second

// pgStmt is what pgdriver's statements can do.
type pgStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// A stmt is a prepared statement.
type stmt struct {
	c  *conn
	pg pgStmt

	columns []conversion // of its rows; nil: all are plain
	params  []uint32     // types of its parameters
}

var _ pgStmt = (*stmt)(nil)

func (s *stmt) NumInput() int { return s.pg.NumInput() }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	args, err := stmtArgs(args, s.params)
	if err != nil {
		return nil, err
	}
	if err := s.c.begin(ctx); err != nil {
		return nil, err
	}
	s.c.wire.exec = true
	rows, err := s.pg.QueryContext(background, args)
	return s.c.drain(ctx, rows, err)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	args, err := stmtArgs(args, s.params)
	if err != nil {
		return nil, err
	}
	if err := s.c.begin(ctx); err != nil {
		return nil, err
	}
	res, err := s.pg.QueryContext(background, args)
	return s.c.rows.open(ctx, res, s.columns, err)
}

// Close frees the statement on the server. A connection that cannot be used has freed it already,
// or will with its end.
func (s *stmt) Close() error {
	if s.c.rows.pg != nil {
		s.c.rows.orphans = append(s.c.rows.orphans, s)
		return nil
	}
	ctx, stop := context.WithTimeout(background, endTimeout)
	defer stop()
	if s.c.wire.socket.isDoomed() || s.c.wire.owed != 0 || !s.c.pg.IsValid() {
		s.c.bad = true
		return nil
	}
	if err := s.c.begin(ctx); err != nil {
		return err
	}
	err := s.c.finish(ctx, s.pg.Close())
	if err != nil {
		s.c.bad = true
	}
	return err
}

// Exec runs the statement without a context.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(background, named(args))
}

// Query runs the statement without a context.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(background, named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}
