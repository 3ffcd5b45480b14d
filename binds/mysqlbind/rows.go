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
	conn *conn
	ctx  context.Context // of the query; as long as the rows are open
	open bool
	done bool            // the result set at hand was read to its end
	few  [8]driver.Value // room for atEnd
}

func (c *conn) watch(ctx context.Context, native driver.Rows) driver.Rows {
	n, ok := native.(nativeRows)
	if !ok {
		return native
	}
	r := &c.rows
	if r.open { // the driver allows what it should not: leave the first rows alone
		r = new(rows)
	}
	*r = rows{nativeRows: n, conn: c, ctx: ctx, open: true}
	return r
}

// Next reads a row.
func (r *rows) Next(dest []driver.Value) error {
	err := r.nativeRows.Next(dest)
	switch err {
	case nil:
		return nil
	case io.EOF:
		r.done = true
		return io.EOF
	}
	return r.conn.gaveUp(r.ctx, err)
}

// NextResultSet goes on to the next result set of a CALL.
func (r *rows) NextResultSet() error {
	r.done = false
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
	r.open, r.ctx = false, nil
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
	dest := r.few[:]
	if n := len(r.Columns()); n <= len(dest) {
		dest = dest[:n]
	} else {
		dest = make([]driver.Value, n)
	}
	err := r.nativeRows.Next(dest)
	r.few = [8]driver.Value{}
	return err != nil
}
