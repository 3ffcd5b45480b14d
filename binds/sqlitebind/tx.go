package sqlitebind

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/bindery-go/bindery/binds"
)

// tx is an open transaction.
type tx struct {
	raw  driver.Tx
	conn *conn
	// ctx bounds COMMIT's wait for readers, which database/sql calls without a context.
	ctx context.Context
	// belted says that this transaction made its writing connection query-only.
	belted bool
}

// BeginTx begins a transaction: IMMEDIATE on a writer, so that it waits for the lock here, once, and
// cannot fail half-way; deferred if it is read-only, when it refuses to write.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	switch sql.IsolationLevel(opts.Isolation) {
	case sql.LevelWriteCommitted, sql.LevelLinearizable:
		return nil, errIsolation
	}
	t := &tx{conn: c, ctx: ctx, belted: opts.ReadOnly && c.role == binds.Writer}
	if t.belted {
		if err := c.queryOnly(ctx, true); err != nil {
			return nil, err
		}
	}
	err := c.do(ctx, func() (err error) {
		t.raw, err = c.raw.BeginTx(context.Background(), driver.TxOptions{ReadOnly: opts.ReadOnly || c.role == binds.Reader})
		return err
	})
	if err != nil {
		return nil, errors.Join(err, t.unbelt())
	}
	c.tx = t
	return t, nil
}

// Begin begins a transaction.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// Commit commits. It answers [ErrTxLost] if SQLite has rolled back already; after any error nothing is
// left open.
func (t *tx) Commit() error {
	c := t.conn
	if c.db.autocommit() {
		return errors.Join(ErrTxLost, t.end())
	}
	err := c.waiter.during(t.ctx, t.raw.Commit) // rolls back if it fails
	return errors.Join(err, t.end())
}

// Rollback rolls back. One that SQLite has rolled back already is no error.
func (t *tx) Rollback() error {
	if t.conn.db.autocommit() {
		return t.end()
	}
	return errors.Join(t.raw.Rollback(), t.end())
}

// end takes leave of the connection.
func (t *tx) end() error {
	t.conn.tx = nil
	t.conn.bad = t.conn.bad || !t.conn.db.autocommit()
	return t.unbelt()
}

func (t *tx) unbelt() error {
	if !t.belted {
		return nil
	}
	err := t.conn.queryOnly(context.Background(), false)
	t.conn.bad = t.conn.bad || err != nil
	return err
}
