package sqlitebind

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// makeLocks makes the table of locks. A row outlives its holder, so that the fence only grows. An empty
// owner means that the lock is free. Times are milliseconds since 1970.
const makeLocks = `CREATE TABLE IF NOT EXISTS bindery_locks (
	name TEXT PRIMARY KEY,
	owner TEXT NOT NULL,
	holder TEXT NOT NULL,
	fence INTEGER NOT NULL,
	beat INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) WITHOUT ROWID`

// Each is one statement, and so one IMMEDIATE transaction: it waits for SQLite's lock before it reads.
const (
	// takeLock takes a lock that nobody has, or whose owner ?6 has not renewed it since beat ?7.
	takeLock = `INSERT INTO bindery_locks VALUES (?1, ?2, ?3, ?4, 0, ?5)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, holder = excluded.holder,
	fence = max(bindery_locks.fence + 1, excluded.fence), beat = 0, expires_at = excluded.expires_at
WHERE owner = '' OR owner = ?6 AND beat = ?7
RETURNING fence`
	renewLock = `UPDATE bindery_locks SET beat = beat + 1, expires_at = ?3 WHERE name = ?1 AND owner = ?2 RETURNING beat`
	freeLock  = `UPDATE bindery_locks SET owner = '', holder = '' WHERE name = ?1 AND owner = ?2 RETURNING fence`
	readLock  = `SELECT owner, holder, beat, expires_at FROM bindery_locks WHERE name = ?1`
)

// A lockRow is what the table says of a lock.
type lockRow struct {
	owner, holder string
	beat          int64
	expiresAt     int64
}

// lockRow reads the row of a lock; one that is missing is free.
func (c *conn) lockRow(ctx context.Context, name string) (r lockRow, err error) {
	v, err := c.row(ctx, readLock, name)
	if err != nil || v == nil {
		return r, err
	}
	r.owner, _ = v[0].(string)
	r.holder, _ = v[1].(string)
	r.beat, _ = v[2].(int64)
	r.expiresAt, _ = v[3].(int64)
	return r, nil
}

// row runs a statement to its end and returns its first row, nil if it has none.
func (c *conn) row(ctx context.Context, query string, args ...any) (first []driver.Value, err error) {
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	rows, err := c.QueryContext(ctx, query, values)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return first, nil
		case err != nil:
			return nil, err
		case first == nil:
			first = append(first, row...)
		}
	}
}
