package router

import (
	"context"
	"database/sql/driver"
	"errors"
)

// A watchedStmt is a driver's prepared statement whose executions are noticed.
type watchedStmt struct {
	inner   driver.Stmt
	conn    *watchedConn
	text    string
	checker driver.NamedValueChecker // the statement's, or else the connection's
	effect  effect
	schema  bool // it changes the schema
	shows   bool // it may show what others wrote
	open    bool
}

// A convertingStmt is one of a driver whose statements convert arguments by column. It is a type
// of its own because there is no converter that changes nothing.
type convertingStmt struct{ *watchedStmt }

// ColumnConverter implements an interface that is deprecated but that drivers have, MySQL's too.
func (s convertingStmt) ColumnConverter(index int) driver.ValueConverter {
	//lint:ignore SA1019 see above
	return columnConverter{s.inner.(driver.ColumnConverter).ColumnConverter(index)}
}

// CheckNamedValue leaves to the column's converter what the checker does not take.
func (s convertingStmt) CheckNamedValue(v *driver.NamedValue) error {
	return checkArgument(s.checker, true, v)
}

func (c *watchedConn) watchStmt(inner driver.Stmt, query string) driver.Stmt {
	s := &c.stmt
	if s.open {
		s = new(watchedStmt)
	}
	*s = watchedStmt{inner: inner, conn: c, text: query, checker: c.checker, shows: true, open: true}
	if checker, ok := inner.(driver.NamedValueChecker); ok {
		s.checker = checker
	}
	if !c.notice.isPlainRead(query) {
		s.effect, s.schema = effectInTx(query), changesSchema(query)
		s.shows = c.notice.looksRead != nil && c.notice.looksRead(query)
	}
	//lint:ignore SA1019 drivers have it
	if _, ok := inner.(driver.ColumnConverter); ok {
		return convertingStmt{s}
	}
	return s
}

func (s *watchedStmt) Close() error {
	s.open = false
	return s.inner.Close()
}

func (s *watchedStmt) NumInput() int { return s.inner.NumInput() }

// CheckNamedValue finds the checker that database/sql would.
func (s *watchedStmt) CheckNamedValue(v *driver.NamedValue) error {
	return checkArgument(s.checker, false, v)
}

func (s *watchedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	sc := scopeOf(ctx)
	if by := s.conn.observer(sc); by != nil {
		o := by.begin(ctx, sc, s.text)
		o.ranOn(s.conn.notice.engine, s.conn.reason())
		res, err := s.ExecContext(o, args)
		o.endsPast(err)
		return res, err
	}
	if sc.timing != nil {
		sc.timing.reach(s.conn)
	}
	if err := s.conn.admit(sc, ""); err != nil {
		return nil, err
	}
	s.conn.noteSchema(s.schema)
	session, reports := s.conn.enter(sc, s.effect)
	if err := s.conn.check(reports); err != nil {
		return nil, s.conn.leave(session, false, err)
	}
	res, err := s.exec(ctx, args)
	if s.effect == changesNothing {
		s.conn.sawRead(sc)
	}
	return res, s.conn.leave(session, reports, err)
}

func (s *watchedStmt) exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := s.inner.(driver.StmtExecContext); ok {
		return e.ExecContext(ctx, args)
	}
	values, err := unnamed(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.inner.Exec(values) //lint:ignore SA1019 the only way that the driver has
}

func (s *watchedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	sc := scopeOf(ctx)
	if by := s.conn.observer(sc); by != nil {
		o := by.begin(ctx, sc, s.text)
		o.ranOn(s.conn.notice.engine, s.conn.reason())
		rows, err := s.QueryContext(o, args)
		o.endsPast(err)
		return rows, err
	}
	if sc.timing != nil {
		sc.timing.reach(s.conn)
	}
	if err := s.conn.admit(sc, ""); err != nil {
		return nil, err
	}
	if sc.session != nil {
		if err := s.conn.reveal(ctx, sc.session); err != nil {
			return nil, err
		}
	}
	s.conn.noteSchema(s.schema)
	session, reports := s.conn.enter(sc, s.effect)
	if err := s.conn.check(reports); err != nil {
		return nil, s.conn.leave(session, false, err)
	}
	rows, err := s.query(ctx, args)
	if s.shows {
		s.conn.sawRead(sc)
	}
	return s.conn.watchRows(rows, err, session, reports)
}

func (s *watchedStmt) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := s.inner.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	values, err := unnamed(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.inner.Query(values) //lint:ignore SA1019 the only way that the driver has
}

// unnamed does what database/sql does for a driver that knows neither contexts nor named arguments.
func unnamed(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, ctx.Err()
}

// Exec and Query are what every driver.Stmt has; database/sql does not call them.

func (s *watchedStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.conn.noteSchema(s.schema)
	session, reports := s.conn.enter(&emptyScope, s.effect)
	res, err := s.inner.Exec(args) //lint:ignore SA1019 the caller has chosen
	return res, s.conn.leave(session, reports, err)
}

func (s *watchedStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.conn.noteSchema(s.schema)
	session, reports := s.conn.enter(&emptyScope, s.effect)
	rows, err := s.inner.Query(args) //lint:ignore SA1019 the caller has chosen
	return s.conn.watchRows(rows, err, session, reports)
}
