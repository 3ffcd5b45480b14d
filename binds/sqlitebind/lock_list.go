package sqlitebind

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.LockLister = (*locks)(nil)

const listLocks = `SELECT name, holder, expires_at < unixepoch('subsec') * 1000 FROM bindery_locks WHERE owner <> '' ORDER BY name`

// ListLocks reads the table of locks, whose names need not be guessed. Where there is no file of locks yet, it makes none.
func (ls *locks) ListLocks(ctx context.Context, _ []string) (list binds.LockList, err error) {
	if ls.side.memory() {
		select {
		case ls.turn <- struct{}{}:
		case <-ctx.Done():
			return list, ctx.Err()
		}
		none := ls.anchor == nil // nobody has locked through this engine
		<-ls.turn
		if none {
			return list, nil
		}
	} else if _, err := ls.stat(); errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	c, err := ls.side.connect(ctx, binds.Reader)
	if err != nil {
		return list, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	v, err := c.row(ctx, "SELECT 1 FROM sqlite_schema WHERE name = 'bindery_locks'")
	if err != nil || v == nil {
		return list, err // a process makes the file at this moment
	}
	rows, err := c.QueryContext(ctx, listLocks, nil)
	if err != nil {
		return list, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, 3)
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			list.Limits = []string{"who waits is not told: those who wait for a SQLite lock look at it again and again"}
			return list, nil
		case err != nil:
			return list, err
		}
		var l binds.LockState
		l.Name, _ = row[0].(string)
		l.Holder, _ = row[1].(string)
		if over, _ := row[2].(int64); over != 0 {
			l.Holder += ", which has not renewed it in time: it is free for whoever asks"
		}
		l.ID = l.Name
		list.Locks = append(list.Locks, l)
	}
}
