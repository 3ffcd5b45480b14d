package kinds

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
)

// probe is how a library may ask a server where it is; it is not noted.
const probe = "where are you?"

// connector opens connections to one server of a recorder.
type connector struct {
	*recorder
	server string
}

func (c *connector) Connect(context.Context) (driver.Conn, error) { return &conn{c}, nil }
func (c *connector) Driver() driver.Driver                        { return opener{c} }

// opener is the driver of [sql.DB.Driver]; a data source name would not say which recorder is meant.
type opener struct{ *connector }

func (opener) Open(string) (driver.Conn, error) {
	return nil, errors.New("kinds: use the connector")
}

// conn has every optional method that the drivers of both databases have, so that the libraries
// choose as they do with those.
type conn struct{ *connector }

var (
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.StmtQueryContext   = (*stmt)(nil)
	_ driver.StmtExecContext    = (*stmt)(nil)
)

func (c *conn) QueryContext(_ context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if text == probe {
		return c.whereabouts(), nil
	}
	if err := c.note(c.server, text, args); err != nil {
		return nil, err
	}
	return answer(text), nil
}

func (c *conn) ExecContext(_ context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return done{}, c.note(c.server, text, args)
}

// PrepareContext notes nothing: only what runs counts.
func (c *conn) PrepareContext(_ context.Context, text string) (driver.Stmt, error) {
	return &stmt{c, text}, nil
}

func (c *conn) Prepare(text string) (driver.Stmt, error) { return &stmt{c, text}, nil }
func (c *conn) Begin() (driver.Tx, error)                { return tx{}, nil }
func (c *conn) Close() error                             { return nil }
func (c *conn) Ping(context.Context) error               { return nil }
func (c *conn) ResetSession(context.Context) error       { return nil }
func (c *conn) IsValid() bool                            { return true }

func (c *conn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return tx{}, nil }

// whereabouts is the answer to a probe: who the server is.
func (c *conn) whereabouts() driver.Rows {
	return &rows{columns: []string{"server"}, values: []driver.Value{c.server}}
}

type stmt struct {
	conn *conn
	text string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 }

func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s *stmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.text, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.text, args)
}

type tx struct{}

func (tx) Commit() error   { return nil }
func (tx) Rollback() error { return nil }

// done is the result of a statement that changed the row with the key 1.
type done struct{}

func (done) LastInsertId() (int64, error) { return 1, nil }
func (done) RowsAffected() (int64, error) { return 1, nil }

// rows is one row.
type rows struct {
	columns []string
	values  []driver.Value
	read    bool
}

// answer returns a row of items, or one value where the text asks for one.
func answer(text string) driver.Rows {
	lower := strings.ToLower(text)
	if strings.Contains(lower, "version()") { // Bun asks MariaDB when it opens
		return &rows{columns: []string{"version"}, values: []driver.Value{"10.11.6-MariaDB"}}
	}
	if strings.Contains(lower, "count(") || strings.Contains(lower, "exists") {
		return &rows{columns: []string{"count"}, values: []driver.Value{int64(1)}}
	}
	return &rows{
		columns: []string{"id", "owner", "version", "name"},
		values:  []driver.Value{int64(1), int64(1), int64(1), "one"},
	}
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	copy(dest, r.values)
	return nil
}
