package mysqlbind

import (
	"context"
	"database/sql/driver"
	"io"
)

// nativeRows is what the MySQL driver's rows can do.
type nativeRows interface {
	driver.RowsNextResultSet
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// rows notices when a result set is given up halfway. It lives in its connection and is used
// again for the next result set, so that watching allocates nothing.
type rows struct {
	nativeRows
	conn  *conn
	ctx   context.Context // of the query; as long as the rows are open
	query string          // likewise
	open  bool
	done  bool // the result set at hand was read to its end

	next nextRow
	row  []driver.Value // the first one, later room for atEnd; its array serves every query of the connection
}

// A nextRow says what Next returns.
type nextRow uint8

const (
	fromServer nextRow = iota
	theFirst
	noRow
)

// watch makes rows of what a query gave. It reads the first row, or the end, before it returns: the server describes
// the columns before it computes a row, and the MySQL driver's query is over with that. What ends a statement
// without a row is thus the query's own error, and a read can be run elsewhere. Both come in one piece: it costs
// no round trip.
func (c *conn) watch(ctx context.Context, query string, native driver.Rows) (driver.Rows, error) {
	n, ok := native.(nativeRows)
	if !ok {
		return native, nil
	}
	r := &c.rows
	if r.open { // the driver allows what it should not: leave the first rows alone
		r = new(rows)
	}
	*r = rows{nativeRows: n, conn: c, ctx: ctx, query: query, open: true, row: r.row}
	switch err := n.Next(r.room()); err {
	case nil:
		r.next = theFirst
	case io.EOF:
		r.next, r.done = noRow, true
	default:
		err = r.failed(err)
		_ = r.Close() // err says what is wrong
		return nil, err
	}
	return r, nil
}

// room makes r.row as long as a row.
func (r *rows) room() []driver.Value {
	if n := len(r.Columns()); cap(r.row) < n {
		r.row = make([]driver.Value, n)
	} else {
		r.row = r.row[:n]
	}
	return r.row
}

// Next reads a row. The first one's bytes lie in the connection's buffer until the next is read.
func (r *rows) Next(dest []driver.Value) error {
	switch r.next {
	case theFirst:
		copy(dest, r.row)
		clear(r.row)
		r.next = fromServer
		return nil
	case noRow:
		return io.EOF
	}
	err := r.nativeRows.Next(dest)
	switch err {
	case nil:
		return nil
	case io.EOF:
		r.done = true
		return io.EOF
	}
	return r.failed(err)
}

// failed looks at the error of a row, behind which there is none.
func (r *rows) failed(err error) error {
	err = r.conn.gaveUp(r.ctx, err)
	_ = r.nativeRows.Close() // which frees the connection
	return r.conn.undo(r.ctx, r.query, err)
}

// NextResultSet goes on to the next result set of a CALL.
func (r *rows) NextResultSet() error {
	r.done, r.next = false, fromServer
	err := r.nativeRows.NextResultSet()
	if err != nil && err != io.EOF {
		return r.conn.gaveUp(r.ctx, err)
	}
	return err
}

// Close closes the rows. Those not read yet must be read over, for the protocol knows no other
// way; the context bounds that too.
func (r *rows) Close() error {
	if !r.open {
		return nil
	}
	ctx := r.ctx
	stop := r.bound()
	err := r.nativeRows.Close()
	ended := stop()
	r.open, r.ctx, r.query = false, nil, ""
	clear(r.row)
	if ended {
		r.conn.spoilt = true // its socket is closed, which the driver may not have noticed
	}
	if err == nil {
		return nil
	}
	if ended {
		err = ctx.Err()
	}
	return r.conn.gaveUp(ctx, err)
}

// bound makes the end of the context interrupt the reading over of rows, from which the MySQL driver
// has taken its own watch away. The function it returns ends that, and reports whether it happened.
func (r *rows) bound() (stop func() bool) {
	if r.ctx.Done() == nil || (r.done || r.atEnd()) && !r.HasNextResultSet() {
		return never
	}
	c := r.conn.netConn
	stopped := context.AfterFunc(r.ctx, func() { _ = c.Close() }) // only to wake up the reader
	return func() bool { return !stopped() }
}

func never() bool { return false }

// atEnd looks for the end of the rows behind the one that was read: QueryRow reads one of one. The
// context still bounds that.
func (r *rows) atEnd() bool {
	err := r.nativeRows.Next(r.room())
	clear(r.row)
	return err != nil
}
