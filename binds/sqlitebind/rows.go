package sqlitebind

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/bindery-go/bindery/binds"
)

// rawRows are rows as modernc.org/sqlite makes them.
type rawRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// rows are rows each of which the end of the query's context stops: modernc.org/sqlite looks at the
// context only until the first.
type rows struct {
	rawRows
	conn      *conn
	statement *statement
	failed    bool
}

// query runs a query up to its first row.
func (c *conn) query(ctx context.Context, run func() (driver.Rows, error)) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, &binds.NotSentError{Err: err}
	}
	s := c.watch(ctx)
	var made driver.Rows
	err := c.step(s, func() (err error) {
		made, err = run()
		return err
	})
	if err != nil {
		s.stop()
		return nil, err
	}
	raw, ok := made.(rawRows)
	if !ok {
		s.stop()
		_ = made.Close() // the error counts
		return nil, errNoHandle
	}
	return &rows{rawRows: raw, conn: c, statement: s}, nil
}

// Next steps to the next row.
func (r *rows) Next(dest []driver.Value) error {
	err := r.conn.step(r.statement, func() error { return r.rawRows.Next(dest) })
	r.failed = r.failed || err != nil && !errors.Is(err, io.EOF)
	return err
}

// Close ends the query. SQLite repeats here the error that Next has reported.
func (r *rows) Close() error {
	r.statement.stop()
	if err := r.rawRows.Close(); !r.failed {
		return err
	}
	return nil
}

// OwnsBytes reports that modernc.org/sqlite makes each value anew, see [binds.BytesOwner].
func (r *rows) OwnsBytes() bool { return true }
