package pgbind

import (
	"context"
	"database/sql/driver"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

// check is run when a connection is taken from the pool. It is ErrBadConn for one that died, that
// somebody left inside a transaction, or whose session takes text for something else than
// pgdriver does; and it puts a reader's belt back on.
//
// The server reports every change of the belt, from PostgreSQL 14 on, so this costs a round trip
// only after somebody took it off. An older server is told each time.
func (c *connector) check(ctx context.Context, pg *pgdriver.Conn) error {
	w := pg.Conn().(*wire)
	if !w.idle() || w.socket.isDoomed() || w.look() != nil || w.weakened && w.standby != isOn {
		return driver.ErrBadConn
	}
	if c.role != binds.Reader || w.belt == isOn || w.pooling.shares() {
		return nil
	}
	if err := w.begin(ctx, true); err != nil {
		return err
	}
	err := putBelt(pg)
	w.finish()
	if err != nil {
		return driver.ErrBadConn
	}
	return nil
}

func putBelt(pg *pgdriver.Conn) error {
	_, err := pg.ExecContext(context.Background(), "SET "+beltParameter+" = on", nil)
	return err
}
