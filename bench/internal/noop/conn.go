package noop

import (
	"context"
	"database/sql/driver"
	"io"
)

const (
	probeText   = "noop probe"
	versionText = "SELECT version()" // what Bun's dialect of MySQL asks for when it is set up
)

// conn has every optional power by which database/sql comes straight to a statement, so that no way
// of working is at a disadvantage: with arguments or without, prepared or not.
type conn struct {
	server *server
	saw    func(server, text string)
	rows   rows // those that are open, unless a second answer is opened meanwhile
}

var (
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

func (c *conn) note(text string) {
	if c.saw != nil {
		c.saw(c.server.name, text)
	}
}

func (c *conn) QueryContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Rows, error) {
	r := &c.rows
	if r.open {
		r = new(rows)
	}
	switch text {
	case probeText:
		*r = rows{columns: probeColumns, values: c.server.probe[:], open: true}
	case versionText:
		*r = rows{columns: versionColumns, values: c.server.version[:], open: true}
	default:
		c.note(text)
		*r = rows{columns: itemColumns, values: item, open: true}
	}
	return r, nil
}

func (c *conn) ExecContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Result, error) {
	c.note(text)
	return driver.RowsAffected(1), nil
}

func (c *conn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	c.note("BEGIN")
	return (*tx)(c), nil
}

func (c *conn) PrepareContext(_ context.Context, text string) (driver.Stmt, error) {
	return &stmt{c, text}, nil
}

func (c *conn) Prepare(text string) (driver.Stmt, error) { return &stmt{c, text}, nil }

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// CheckNamedValue takes every argument as it is.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (c *conn) Ping(context.Context) error         { return nil }
func (c *conn) ResetSession(context.Context) error { return nil }
func (c *conn) IsValid() bool                      { return true }
func (c *conn) Close() error                       { return nil }

type tx conn

func (t *tx) Commit() error {
	(*conn)(t).note("COMMIT")
	return nil
}

func (t *tx) Rollback() error {
	(*conn)(t).note("ROLLBACK")
	return nil
}

type stmt struct {
	conn *conn
	text string
}

func (s *stmt) NumInput() int { return -1 }
func (s *stmt) Close() error  { return nil }

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.text, args)
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.text, args)
}

func (s *stmt) Query([]driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), nil)
}

func (s *stmt) Exec([]driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), nil)
}

var (
	itemColumns    = []string{"id", "owner", "version", "name"}
	itemTypes      = []string{"INT8", "INT8", "INT8", "TEXT"}
	item           = []driver.Value{Row.ID, Row.Owner, Row.Version, Row.Name} // boxed once
	probeColumns   = []string{"server", "primary"}
	versionColumns = []string{"version()"}
)

// rows are one row.
type rows struct {
	columns []string
	values  []driver.Value
	open    bool
	read    bool
}

func (r *rows) Columns() []string { return r.columns }

// ColumnTypeDatabaseTypeName gives the types of an item's columns as PostgreSQL calls them.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return itemTypes[i] }

func (r *rows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	copy(dest, r.values)
	return nil
}

func (r *rows) Close() error {
	r.open = false
	return nil
}
