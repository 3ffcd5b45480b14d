package mysqlbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/go-sql-driver/mysql"
)

// rollbackTimeout bounds a ROLLBACK whose context has ended: nobody waits for it, and a server that
// does not answer rolls back when it finds the connection closed.
const rollbackTimeout = 5 * time.Second

const errShutdown = 1053 // ER_SERVER_SHUTDOWN

// tx bounds COMMIT and ROLLBACK by the transaction's context, which the MySQL driver does not.
type tx struct {
	native driver.Tx
	conn   *conn
	ctx    context.Context // of BeginTx, as database/sql means it: until Commit or Rollback
}

// BeginTx opens a transaction; on a reader it is always READ ONLY. After an error the connection
// does not go back into the pool: an isolation level may wait in it for the next transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	opts.ReadOnly = opts.ReadOnly || c.reader
	native, err := c.native.BeginTx(ctx, opts)
	if err != nil {
		c.spoilt = true
		return nil, c.failed(ctx, "", err)
	}
	c.txCtx = ctx
	return &tx{native: native, conn: c, ctx: ctx}, nil
}

// Begin is BeginTx without a context.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// Commit commits. After a context error the outcome is unknown. It answers a [*RolledBackError] if the server has rolled
// back already.
func (t *tx) Commit() error {
	if gone := t.conn.gone(); gone != nil {
		_ = t.Rollback() // of what the server may have kept; an error has closed the connection
		return gone
	}
	err := t.end(t.ctx, "COMMIT", t.native.Commit)
	var answer *mysql.MySQLError
	if errors.As(err, &answer) && answer.Number == errShutdown {
		return &commitCutError{err}
	}
	return err
}

// Rollback rolls back, also when the transaction's context has ended.
func (t *tx) Rollback() error {
	ctx := t.ctx
	if ctx.Err() != nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		ctx = bounded
	}
	return t.end(ctx, "ROLLBACK", t.native.Rollback)
}

// end ends the transaction. Whatever the error is, the connection may still be inside the
// transaction: it does not go back into the pool.
func (t *tx) end(ctx context.Context, statement string, native func() error) error {
	c := t.conn
	c.txCtx, c.undone = nil, nil
	var err error
	if ctx.Done() == nil || !c.native.IsValid() {
		err = native()
	} else {
		_, err = c.native.ExecContext(ctx, statement, nil)
	}
	if err != nil {
		c.spoilt = true
		return c.failed(ctx, "", err)
	}
	return nil
}
