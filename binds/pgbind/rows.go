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

	first []driver.Value // the first row; its array serves every query of the connection
	next  nextRow
	names []string // of the columns, likewise: pgdriver forgets them at the end

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
func (r *rows) open(ctx context.Context, pg driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, r.c.finish(ctx, err)
	}
	r.ctx, r.pg, r.next = ctx, pg, theFirst
	r.names = append(r.names[:0], pg.Columns()...)
	if n := len(r.names); cap(r.first) < n {
		r.first = make([]driver.Value, n)
	} else {
		r.first = r.first[:n]
	}
	switch err := pg.Next(r.first); err {
	case nil:
		return r, nil
	case io.EOF:
		r.next = none
		return r, nil
	default:
		err = r.c.explain(ctx, err)
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
	err := r.pg.Next(dest)
	if err == nil || err == io.EOF {
		return err
	}
	return r.c.explain(r.ctx, err)
}

// Close reads what is left of the result: the connection is of no use before. The end of the
// query's context makes that short.
func (r *rows) Close() error {
	if r.pg == nil {
		return nil
	}
	ctx, pg := r.ctx, r.pg
	err := pg.Close()
	r.ctx, r.pg = nil, nil
	clear(r.first)
	err = r.c.finish(ctx, err)
	orphans := r.orphans
	r.orphans = nil
	for _, s := range orphans {
		err = errors.Join(err, s.Close())
	}
	return err
}

// OwnsBytes reports that pgdriver makes each value anew, see [binds.BytesOwner].
func (r *rows) OwnsBytes() bool { return true }
