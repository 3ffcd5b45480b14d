package pgbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
)

// rows are the one result that a connection can have open.
type rows struct {
	c   *conn
	ctx context.Context // of the query
	pg  driver.Rows     // nil: closed

	first   []driver.Value // the first row; its array serves every query of the connection
	next    nextRow
	columns []conversion // likewise, as far as they are known
	names   []string     // of the columns, likewise: pgdriver forgets them at the end

	orphans []*stmt // closed while the rows were open; to be freed after them
}

// A nextRow says what Next returns.
type nextRow uint8

const (
	fromServer nextRow = iota
	theFirst
	none
)

// open makes r the result of a query, unless that failed. It has the first row, or the end, before it returns: the
// server describes the columns before it computes a row, and pgdriver's query is over with that. What
// ends a statement without a row is thus the query's own error, and a read can be run elsewhere.
func (r *rows) open(ctx context.Context, pg driver.Rows, columns []conversion, err error) (driver.Rows, error) {
	if err != nil {
		return nil, r.c.finish(ctx, err)
	}
	r.ctx, r.pg, r.next, r.columns = ctx, pg, theFirst, columns
	r.names = append(r.names[:0], pg.Columns()...)
	if n := len(r.names); cap(r.first) < n {
		r.first = make([]driver.Value, n)
	} else {
		r.first = r.first[:n]
	}
	switch err := r.read(r.first); err {
	case nil:
		return r, nil
	case io.EOF:
		r.next = none
		return r, nil
	default:
		_ = r.Close() // err says what is wrong
		return nil, err
	}
}

func (r *rows) Columns() []string {
	if r.pg == nil {
		return nil
	}
	if r.next == none {
		return slices.Clone(r.names)
	}
	return r.pg.Columns()
}

func (r *rows) Next(dest []driver.Value) error {
	if r.pg == nil {
		return io.EOF
	}
	switch r.next {
	case theFirst:
		copy(dest, r.first)
		clear(r.first)
		r.next = fromServer
		return nil
	case none:
		return io.EOF
	}
	return r.read(dest)
}

// read reads a row, or the end, from the server.
func (r *rows) read(dest []driver.Value) error {
	switch err := r.pg.Next(dest); {
	case err == io.EOF:
		if err := r.odd(); err != nil {
			return err
		}
		return io.EOF
	case err != nil:
		return r.c.explain(r.ctx, err)
	}
	for i, how := range r.columns {
		if how != plain && i < len(dest) {
			dest[i] = how.apply(dest[i])
		}
	}
	return nil
}

// odd returns the error of an answer that was read to its end and is not one result.
func (r *rows) odd() error {
	switch {
	case r.c.wire.copied:
		return ErrCopy
	case r.c.wire.several:
		return ErrSeveralResults
	}
	return nil
}

// Close reads what is left of the result: the connection is of no use before. The end of the
// query's context makes that short.
func (r *rows) Close() error {
	if r.pg == nil {
		return nil
	}
	ctx, pg := r.ctx, r.pg
	err := pg.Close()
	r.ctx, r.pg, r.columns = nil, nil, nil
	clear(r.first)
	if err = r.c.finish(ctx, err); err == nil {
		err = r.odd()
	}
	orphans := r.orphans
	r.orphans = nil
	for _, s := range orphans {
		err = errors.Join(err, s.Close())
	}
	return err
}

// OwnsBytes reports that pgdriver makes each value anew, see [binds.BytesOwner].
func (r *rows) OwnsBytes() bool { return true }
