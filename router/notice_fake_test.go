package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
)

// wire is a driver that has every optional interface and writes down what happens, reports of a
// notice included, in order. Its connections change nothing but the log.
type wire struct {
	mu         sync.Mutex // guards the rest
	events     []string
	quiet      bool  // nothing is written down
	err        error // of what runs from now on
	skip       bool  // connections leave running to statements
	invalid    bool
	sets       int  // result sets of a query beyond the first
	failing    bool // the rows fail instead of ending
	noContexts bool // connections begin without one

	conn func(*wireConn) driver.Conn // what is handed out for one; nil: itself. So the next two.
	stmt func(*wireStmt) driver.Stmt
	rows func(*wireRows) driver.Rows
}

func (w *wire) log(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf(format, args...))
}

// did logs what happens and returns how it ends.
func (w *wire) did(what ...string) error {
	if !w.quiet {
		w.log("%s", strings.Join(what, " "))
	}
	return w.err
}

// taken returns the events since the last call.
func (w *wire) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = nil
	return events
}

func (w *wire) Connect(context.Context) (driver.Conn, error) {
	c := &wireConn{wire: w}
	if w.conn != nil {
		return w.conn(c), nil
	}
	return c, nil
}

func (w *wire) Driver() driver.Driver { return nil }

func describe(args []driver.NamedValue) string {
	var b strings.Builder
	for _, a := range args {
		fmt.Fprintf(&b, " %s%v", a.Name, a.Value)
	}
	return b.String()
}

type wireConn struct {
	*wire
	// So that a quiet wire allocates nothing.
	spareTx   wireTx
	spareStmt wireStmt
	spareRows wireRows
}

var errWireClosed = errors.New("closed")

func (c *wireConn) Begin() (driver.Tx, error) { return c.begun("begin") }
func (c *wireConn) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	if c.quiet {
		return c.begun("")
	}
	return c.begun(fmt.Sprint("begin tx ", o.Isolation, o.ReadOnly))
}

func (c *wireConn) begun(how string) (driver.Tx, error) {
	if err := c.did(how); err != nil {
		return nil, err
	}
	c.spareTx.wire = c.wire
	return &c.spareTx, nil
}

func (c *wireConn) Prepare(query string) (driver.Stmt, error) { return c.prepared("prepare", query) }
func (c *wireConn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return c.prepared("prepare context", query)
}

func (c *wireConn) prepared(how, query string) (driver.Stmt, error) {
	if err := c.did(how, query); err != nil {
		return nil, err
	}
	s := new(wireStmt)
	if c.quiet {
		s = &c.spareStmt
	}
	*s = wireStmt{c, query}
	if c.stmt != nil {
		return c.stmt(s), nil
	}
	return s, nil
}

func (c *wireConn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.skip {
		return nil, driver.ErrSkip
	}
	return driver.ResultNoRows, c.did("exec", query, describe(args))
}

func (c *wireConn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.skip {
		return nil, driver.ErrSkip
	}
	return c.queried("query", query, describe(args))
}

func (c *wireConn) queried(what ...string) (driver.Rows, error) {
	if err := c.did(what...); err != nil {
		return nil, err
	}
	r := new(wireRows)
	if c.quiet {
		r = &c.spareRows
	}
	*r = wireRows{wire: c.wire, left: 1, sets: c.sets}
	if c.rows != nil {
		return c.rows(r), nil
	}
	return r, nil
}

func (c *wireConn) Close() error                       { return c.did("close") }
func (c *wireConn) Ping(context.Context) error         { return c.did("ping") }
func (c *wireConn) ResetSession(context.Context) error { return c.did("reset") }
func (c *wireConn) IsValid() bool {
	_ = c.did("valid?")
	return !c.invalid
}

// strange is an argument that only a driver's own checks accept.
type strange string

func (c *wireConn) CheckNamedValue(v *driver.NamedValue) error { return check(v, "conn") }

func check(v *driver.NamedValue, by string) error {
	switch s := v.Value.(type) {
	case strange:
		if s == "gone" {
			return driver.ErrRemoveArgument
		}
		v.Value = by + " took " + string(s)
		return nil
	}
	return driver.ErrSkip
}

type wireTx struct{ *wire }

func (t *wireTx) Commit() error   { return t.did("commit") }
func (t *wireTx) Rollback() error { return t.did("rollback") }

type wireStmt struct {
	*wireConn
	query string
}

func (s *wireStmt) Close() error  { return s.did("close stmt") }
func (s *wireStmt) NumInput() int { return strings.Count(s.query, "?") }
func (s *wireStmt) Exec(args []driver.Value) (driver.Result, error) {
	return driver.ResultNoRows, s.did("stmt exec", s.query, fmt.Sprint(args))
}
func (s *wireStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.queried("stmt query", s.query, fmt.Sprint(args))
}
func (s *wireStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, s.did("stmt exec context", s.query, describe(args))
}
func (s *wireStmt) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.queried("stmt query context", s.query, describe(args))
}
func (s *wireStmt) CheckNamedValue(v *driver.NamedValue) error { return check(v, "stmt") }
func (s *wireStmt) ColumnConverter(int) driver.ValueConverter  { return byColumn{} }

type byColumn struct{}

func (byColumn) ConvertValue(v any) (driver.Value, error) {
	if s, ok := v.(strange); ok {
		return "column took " + string(s), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}

// wireRows are result sets of one row each.
type wireRows struct {
	*wire
	left, sets int
	closed     bool
}

var errRows = errors.New("the rows broke")

func (r *wireRows) Columns() []string { return wireColumns }

var wireColumns = []string{"id"}

func (r *wireRows) Close() error {
	if r.closed {
		return errWireClosed
	}
	r.closed = true
	return r.did("close rows")
}

func (r *wireRows) Next(dest []driver.Value) error {
	if r.left == 0 {
		if r.failing {
			_ = r.did("fail")
			return errRows
		}
		_ = r.did("eof")
		return io.EOF
	}
	r.left--
	dest[0] = int64(7)
	return nil
}

func (r *wireRows) HasNextResultSet() bool { return r.sets > 0 }
func (r *wireRows) NextResultSet() error {
	if r.sets == 0 {
		return io.EOF
	}
	r.sets--
	r.left = 1
	return r.did("next set")
}

func (r *wireRows) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[int64]() }
func (r *wireRows) ColumnTypeDatabaseTypeName(int) string             { return "BIGINT" }
func (r *wireRows) ColumnTypeLength(int) (int64, bool)                { return 8, true }
func (r *wireRows) ColumnTypeNullable(int) (bool, bool)               { return true, true }
func (r *wireRows) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 3, 2, true }
