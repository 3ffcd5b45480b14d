package router

import (
	"database/sql/driver"
	"io"
	"reflect"
)

// watchedRows are the rows of a write, which ends with them: a RETURNING commits only then. The
// rows of reads, and most in a transaction, are the driver's own.
type watchedRows struct {
	inner   driver.Rows
	conn    *watchedConn
	session *Session
	open    bool
	told    bool         // their end was reported for good
	next    *watchedRows // of the connection's open ones
}

// watchRows takes what a query returned, and reports it if there are no rows to wait for.
func (c *watchedConn) watchRows(rows driver.Rows, err error, s *Session, reports bool) (driver.Rows, error) {
	if err == nil && c.carried != nil {
		rows = c.keep(rows)
	}
	if err != nil || !reports {
		return rows, c.leave(s, reports, err)
	}
	r := &c.rows
	if r.open {
		r = new(watchedRows)
	}
	*r = watchedRows{inner: rows, conn: c, session: s, open: true, next: c.first}
	c.first = r
	return r, nil
}

// tell reports the end of the rows, unless that was done.
func (r *watchedRows) tell() {
	if !r.told {
		r.told = true
		r.conn.report(r.session)
	}
}

// Next reports the end of the last result set. It reports an error as well, and lets Close do so
// again: what the server makes of the statement may be open until then.
func (r *watchedRows) Next(dest []driver.Value) error {
	err := r.inner.Next(dest)
	if err != nil && (err != io.EOF || !r.HasNextResultSet()) {
		r.tell()
		r.told = err == io.EOF
	}
	if err != nil && err != io.EOF {
		return r.conn.told(err)
	}
	return err
}

func (r *watchedRows) HasNextResultSet() bool {
	n, ok := r.inner.(driver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

func (r *watchedRows) NextResultSet() error {
	err := io.EOF
	if n, ok := r.inner.(driver.RowsNextResultSet); ok {
		err = n.NextResultSet()
	}
	if err != nil {
		r.tell()
		r.told = err == io.EOF
	}
	if err != nil && err != io.EOF {
		return r.conn.told(err)
	}
	return err
}

func (r *watchedRows) Close() error {
	err := r.inner.Close()
	r.tell()
	if r.open {
		r.open = false
		r.conn.forget(r)
	}
	return r.conn.told(err)
}

// forget takes r off the list of open rows.
func (c *watchedConn) forget(r *watchedRows) {
	for at := &c.first; *at != nil; at = &(*at).next {
		if *at == r {
			*at, r.next = r.next, nil
			return
		}
	}
}

func (r *watchedRows) Columns() []string { return r.inner.Columns() }

// What follows answers as database/sql does for rows that know no such thing.

func (r *watchedRows) ColumnTypeScanType(index int) reflect.Type {
	if t, ok := r.inner.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(index)
	}
	return reflect.TypeFor[any]()
}

func (r *watchedRows) ColumnTypeDatabaseTypeName(index int) string {
	if t, ok := r.inner.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

func (r *watchedRows) ColumnTypeLength(index int) (length int64, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(index)
	}
	return 0, false
}

func (r *watchedRows) ColumnTypeNullable(index int) (nullable, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypeNullable); ok {
		return t.ColumnTypeNullable(index)
	}
	return false, false
}

func (r *watchedRows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypePrecisionScale); ok {
		return t.ColumnTypePrecisionScale(index)
	}
	return 0, 0, false
}
