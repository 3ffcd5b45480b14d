package pgbind

import (
	"context"
	"database/sql/driver"
	"slices"
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

// A stmt is a prepared statement. It is prepared anew where what it was prepared for has changed.
type stmt struct {
	c        *conn
	query    string
	outdated bool // to be prepared anew before it runs again

	pg      pgStmt
	columns []conversion // of its rows; nil: all are plain
	params  []uint32     // types of its parameters
}

var _ pgStmt = (*stmt)(nil)

// take makes pg, which the server has just prepared, what the statement runs.
func (s *stmt) take(pg driver.Stmt) {
	s.pg, s.outdated, s.columns = pg.(pgStmt), false, nil
	if s.c.wire.special {
		s.columns = slices.Clone(s.c.wire.columns)
	}
	s.params = slices.Clone(s.c.wire.params)
}

func (s *stmt) NumInput() int { return s.pg.NumInput() }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	var res driver.Result
	err := s.run(ctx, func() (err error) {
		rows, sent, err := s.send(ctx, args, true)
		if sent {
			res, err = s.c.drain(ctx, rows, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	var rows driver.Rows
	err := s.run(ctx, func() (err error) {
		res, sent, err := s.send(ctx, args, false)
		if sent {
			rows, err = s.c.rows.open(ctx, res, s.columns, err)
		}
		return err
	})
	return rows, err
}

// send begins to run the statement, for its rows or for their number. Unless it was sent, the error is the caller's.
func (s *stmt) send(ctx context.Context, args []driver.NamedValue, exec bool) (rows driver.Rows, sent bool, err error) {
	if args, err = stmtArgs(args, s.params); err != nil {
		return nil, false, err
	}
	if err := s.c.begin(ctx); err != nil {
		return nil, false, err
	}
	s.c.wire.exec = exec
	rows, err = s.pg.QueryContext(background, args)
	return rows, true, err
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
	return s.free(ctx, s.pg)
}

// free has the server forget a statement.
func (s *stmt) free(ctx context.Context, pg pgStmt) error {
	if err := s.c.begin(ctx); err != nil {
		return err
	}
	err := s.c.finish(ctx, pg.Close())
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
