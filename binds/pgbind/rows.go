package pgbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// rows are the one result that a connection can have open.
type rows struct {
	c   *conn
	ctx context.Context // of the query
	pg  driver.Rows     // nil: closed

	orphans []*stmt // closed while the rows were open; to be freed after them
}

// open makes r the result of a query, unless that failed.
func (r *rows) open(ctx context.Context, pg driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, r.c.finish(ctx, err)
	}
	r.ctx, r.pg = ctx, pg
	return r, nil
}

func (r *rows) Columns() []string {
	if r.pg == nil {
		return nil
	}
	return r.pg.Columns()
}

func (r *rows) Next(dest []driver.Value) error {
	if r.pg == nil {
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
