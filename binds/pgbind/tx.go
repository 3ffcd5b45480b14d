package pgbind

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/bindery-go/bindery/binds"
)

// A tx is the one transaction that a connection can have open.
type tx struct {
	c   *conn
	ctx context.Context // of BeginTx; it bounds the wait for COMMIT too

	readOnly bool // as it was asked for
}

// BeginTx begins a transaction by one statement. pgdriver sends two in one string, and leaves the
// connection in a failed transaction when the second is refused. A reader's is always read-only.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	level, ok := levels[sql.IsolationLevel(opts.Isolation)]
	if !ok {
		return nil, fmt.Errorf("pgbind: begin: PostgreSQL has no isolation level %v", sql.IsolationLevel(opts.Isolation))
	}
	if sql.IsolationLevel(opts.Isolation) == sql.LevelSerializable && c.wire.standby == isOn {
		return nil, ErrSerializableOnStandby
	}
	query := level.begin
	if opts.ReadOnly || c.role == binds.Reader {
		query = level.beginReadOnly
	}
	if err := c.execBegin(ctx, query); err != nil {
		if sql.IsolationLevel(opts.Isolation) == sql.LevelSerializable && codeOf(err) == codeNotSupported {
			return nil, ErrSerializableOnStandby // of a server before version 14, which does not report what it is
		}
		if err != ErrRowsOpen {
			c.bad = true
		}
		return nil, err
	}
	c.tx.ctx, c.tx.readOnly = ctx, opts.ReadOnly
	return &c.tx, nil
}

// Begin begins without a context.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(background, driver.TxOptions{}) }

type level struct{ begin, beginReadOnly string }

// levels has database/sql's snapshot level as REPEATABLE READ, which is snapshot isolation in
// PostgreSQL (manual section 13.2.2).
var levels = map[sql.IsolationLevel]level{
	sql.LevelDefault:         begin(""),
	sql.LevelReadUncommitted: begin(" ISOLATION LEVEL READ UNCOMMITTED"),
	sql.LevelReadCommitted:   begin(" ISOLATION LEVEL READ COMMITTED"),
	sql.LevelRepeatableRead:  begin(" ISOLATION LEVEL REPEATABLE READ"),
	sql.LevelSnapshot:        begin(" ISOLATION LEVEL REPEATABLE READ"),
	sql.LevelSerializable:    begin(" ISOLATION LEVEL SERIALIZABLE"),
}

func begin(isolation string) level {
	return level{"BEGIN" + isolation, "BEGIN" + isolation + " READ ONLY"}
}

// Commit waits as long as the context of BeginTx lasts, and no longer; but the server is not told to
// stop, because a commit that waits for a standby would then give up the standby and not the commit
// (manual section 20.5.1, synchronous_commit).
func (t *tx) Commit() error {
	failed := t.c.wire.status == statusFailed
	if err := t.end(t.ctx, "COMMIT"); err != nil {
		return err
	}
	if failed {
		return ErrRolledBack
	}
	return nil
}

// Rollback gives up on a server that does not answer: closing the connection rolls back too.
func (t *tx) Rollback() error {
	ctx, stop := context.WithTimeout(background, endTimeout)
	defer stop()
	return t.end(ctx, "ROLLBACK")
}

func (t *tx) end(ctx context.Context, query string) error {
	c := t.c
	err := c.begin(ctx)
	if err == nil {
		c.wire.socket.tell = false
		_, err = c.pg.ExecContext(background, query, nil)
		err = c.finish(ctx, err)
	}
	if err != nil {
		c.bad = true
	}
	t.ctx, t.readOnly = nil, false
	return err
}
