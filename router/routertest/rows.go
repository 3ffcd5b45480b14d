package routertest

import (
	"database/sql/driver"
	"io"
)

// rows hands out an answer that is there in full: nothing is locked while a client reads.
type rows struct {
	conn *conn
	*answer
	tx   *tx // the statement's own transaction, which ends with its rows; or nil
	next int
}

var _ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)

func newRows(c *conn, a *answer) *rows {
	defer c.server.lock()()
	r := &rows{conn: c, answer: a}
	if c.tx != nil && c.tx.implicit {
		r.tx = c.tx
	}
	return r
}

func (r *rows) Columns() []string { return r.columns }

// Next fails when the connection has broken meanwhile.
func (r *rows) Next(dest []driver.Value) error {
	switch {
	case r.conn.isBroken():
		return io.ErrUnexpectedEOF
	case r.next == len(r.rows):
		return io.EOF
	}
	copy(dest, r.rows[r.next])
	r.next++
	return nil
}

// Close commits the statement if it was a write by itself.
func (r *rows) Close() error {
	defer r.conn.server.lock()()
	t := r.tx
	r.tx = nil
	if t == nil || r.conn.tx != t {
		return nil
	}
	r.conn.tx = nil
	return t.commitLocked(r.conn.server)
}

// ColumnTypeDatabaseTypeName returns the column's declared type.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if i < len(r.types) {
		return r.types[i]
	}
	return ""
}
