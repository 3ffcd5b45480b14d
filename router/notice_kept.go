package router

import (
	"bytes"
	"database/sql/driver"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/bindery-go/bindery/binds"
)

// keptRows are rows in a transaction that a context carries. There, whoever has the context may run the
// next statement while these rows are being read, and a server's connection has one result at a time:
// what is left of it is then read into memory, and the rows go on from there. Until then they cost
// nothing, but for the values of a driver that hands out its buffer: those are copied, since the next
// statement may come while a row is being scanned.
//
// Next and Close come one at a time with the connection's other calls, for database/sql locks it; the
// rest may come at any time.
type keptRows struct {
	conn    *watchedConn
	columns []string // of the result set at hand
	atEnd   bool     // inner has no more rows in it
	open    bool
	owns    bool   // inner's values stay as they are, see [binds.BytesOwner]
	bytes   []byte // of the row at hand, else

	mu    sync.Mutex  // guards the rest against the calls that database/sql does not lock
	inner driver.Rows // nil once it was read to its end, or closed
	sets  []keptSet   // what was read ahead, beginning with the result set at hand
}

// keptSet is a result set, or what was left of it.
type keptSet struct {
	columns []string
	types   []columnType
	rows    [][]driver.Value
	end     error // io.EOF, or what went wrong
	broken  bool  // there is none: end is the error of going on to it
}

type columnType struct {
	scan             reflect.Type
	database         string
	length           int64
	hasLength        bool
	nullable         bool
	knowsNullable    bool
	precision, scale int64
	isDecimal        bool
}

// columnNames are names of columns that stay as they are. Those of the PostgreSQL driver are overwritten
// when its rows are closed, which is here before their user has done with them. To keep the latest ones
// saves what would be allocated for each query of a loop.
type columnNames struct {
	latest [4][]string
	next   int
}

func (n *columnNames) of(rows driver.Rows) []string {
	names := rows.Columns()
	for _, known := range n.latest {
		if slices.Equal(known, names) && known != nil {
			return known
		}
	}
	names = slices.Clone(names)
	n.latest[n.next] = names
	n.next = (n.next + 1) % len(n.latest)
	return names
}

// keep takes the rows of a statement in a carried transaction.
func (c *watchedConn) keep(rows driver.Rows) driver.Rows {
	r := &c.kept
	if r.open {
		r = new(keptRows)
	}
	r.mu.Lock()
	r.conn, r.columns, r.atEnd, r.open, r.inner, r.sets = c, c.names.of(rows), false, true, rows, nil
	r.mu.Unlock()
	o, ok := rows.(binds.BytesOwner)
	r.owns = ok && o.OwnsBytes()
	c.live = r
	return r
}

// makeWay lets the connection run its next statement, although rows of an earlier one are open. If those
// turn out to have broken the transaction, only what mends it may be sent.
func (c *watchedConn) makeWay(query string) error {
	r := c.live
	if r == nil {
		return nil
	}
	c.live = nil
	r.readAhead()
	if broken, _ := c.carried.state(); broken != nil && !strings.HasPrefix(query, rollbackTo) {
		return &TxAbortedError{Bind: c.carried.router.key, Cause: broken}
	}
	return nil
}

// readAhead reads inner to its end and closes it.
func (r *keptRows) readAhead() {
	r.mu.Lock()
	defer r.mu.Unlock()
	sets := []keptSet{r.readSet(r.columns)}
	for {
		last := &sets[len(sets)-1]
		more, ok := r.inner.(driver.RowsNextResultSet)
		if last.end != io.EOF || !ok || !more.HasNextResultSet() {
			break
		}
		if err := more.NextResultSet(); err != nil {
			if err != io.EOF {
				sets = append(sets, keptSet{end: err, broken: true})
			}
			break
		}
		r.atEnd = false
		sets = append(sets, r.readSet(r.conn.names.of(r.inner)))
	}
	err := r.inner.Close()
	if last := &sets[len(sets)-1]; err != nil && last.end == io.EOF {
		last.end = err
	}
	for i := range sets {
		if sets[i].end != io.EOF {
			r.conn.fails(sets[i].end)
		}
	}
	r.inner, r.sets = nil, sets
}

func (r *keptRows) readSet(columns []string) keptSet {
	set := keptSet{columns: columns, end: io.EOF}
	for i := range columns {
		set.types = append(set.types, columnTypeOf(r.inner, i))
	}
	for !r.atEnd {
		row := make([]driver.Value, len(columns))
		if err := r.inner.Next(row); err != nil {
			set.end = err
			break
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok && !r.owns {
				row[i] = bytes.Clone(b)
			}
		}
		set.rows = append(set.rows, row)
	}
	return set
}

func columnTypeOf(rows driver.Rows, i int) columnType {
	w := watchedRows{inner: rows}
	t := columnType{scan: w.ColumnTypeScanType(i), database: w.ColumnTypeDatabaseTypeName(i)}
	t.length, t.hasLength = w.ColumnTypeLength(i)
	t.nullable, t.knowsNullable = w.ColumnTypeNullable(i)
	t.precision, t.scale, t.isDecimal = w.ColumnTypePrecisionScale(i)
	return t
}

// Columns returns the columns of the result set at hand.
func (r *keptRows) Columns() []string { return r.columns }

// Next reads a row.
func (r *keptRows) Next(dest []driver.Value) error {
	if r.inner != nil {
		if r.atEnd {
			return io.EOF
		}
		err := r.inner.Next(dest)
		r.atEnd = err != nil
		if err != nil && err != io.EOF {
			r.conn.fails(err)
		}
		if err == nil && !r.owns {
			r.own(dest)
		}
		return err
	}
	if len(r.sets) == 0 {
		return io.EOF
	}
	set := &r.sets[0]
	if len(set.rows) == 0 {
		return set.end
	}
	copy(dest, set.rows[0])
	set.rows[0] = nil
	set.rows = set.rows[1:]
	return nil
}

// own copies the bytes of a row out of the driver's buffer, which the next statement overwrites, perhaps
// while this row is being scanned.
func (r *keptRows) own(row []driver.Value) {
	n := 0
	for _, v := range row {
		if b, ok := v.([]byte); ok {
			n += len(b)
		}
	}
	if n > cap(r.bytes) {
		r.bytes = make([]byte, 0, 2*n)
	}
	buf := r.bytes[:0]
	for i, v := range row {
		if b, ok := v.([]byte); ok && b != nil {
			at := len(buf)
			buf = append(buf, b...)
			row[i] = buf[at:len(buf):len(buf)]
		}
	}
}

// HasNextResultSet reports whether there is another result set.
func (r *keptRows) HasNextResultSet() bool {
	if r.inner != nil {
		more, ok := r.inner.(driver.RowsNextResultSet)
		return ok && more.HasNextResultSet()
	}
	return len(r.sets) > 1
}

// NextResultSet goes on to it.
func (r *keptRows) NextResultSet() error {
	if r.inner != nil {
		more, ok := r.inner.(driver.RowsNextResultSet)
		if !ok {
			return io.EOF
		}
		err := more.NextResultSet()
		if err == nil {
			r.columns, r.atEnd = r.conn.names.of(r.inner), false
		} else if err != io.EOF {
			r.conn.fails(err)
		}
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sets) < 2 {
		return io.EOF
	}
	if r.sets[1].broken {
		return r.sets[1].end
	}
	r.sets = r.sets[1:]
	r.columns = r.sets[0].columns
	return nil
}

// Close closes the rows.
func (r *keptRows) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn.live == r {
		r.conn.live = nil
	}
	var err error
	if r.inner != nil {
		err = r.inner.Close()
	}
	r.inner, r.sets, r.open = nil, nil, false
	if cap(r.bytes) > maxKeptBytes {
		r.bytes = nil
	}
	return err
}

// maxKeptBytes bounds what a connection holds on to for the next row.
const maxKeptBytes = 64 << 10

// column tells the type of a column of the result set at hand.
func (r *keptRows) column(i int) columnType {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.inner != nil:
		return columnTypeOf(r.inner, i)
	case len(r.sets) > 0 && i < len(r.sets[0].types):
		return r.sets[0].types[i]
	}
	return columnType{scan: reflect.TypeFor[any]()}
}

// What follows is for sql.Rows.ColumnTypes.

func (r *keptRows) ColumnTypeScanType(i int) reflect.Type { return r.column(i).scan }

func (r *keptRows) ColumnTypeDatabaseTypeName(i int) string { return r.column(i).database }

func (r *keptRows) ColumnTypeLength(i int) (int64, bool) {
	t := r.column(i)
	return t.length, t.hasLength
}

func (r *keptRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	t := r.column(i)
	return t.nullable, t.knowsNullable
}

func (r *keptRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := r.column(i)
	return t.precision, t.scale, t.isDecimal
}
