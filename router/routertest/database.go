package routertest

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"modernc.org/sqlite"
)

// A database is a SQLite database in memory with its one connection. It refuses writes (query_only)
// but for the duration of apply, begin and change: SQLite, not a guess, says which statements write.
type database struct{ raw sqliteConn }

type sqliteConn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	Serialize() ([]byte, error)
	Deserialize([]byte) error
}

// Times are written as Bun writes them and read in UTC.
const dsn = "file::memory:?_time_format=sqlite&_timezone=UTC&_error_rc=1"

func openDatabase() (*database, error) {
	made, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, fmt.Errorf("routertest: open a database in memory: %w", err)
	}
	raw, ok := made.(sqliteConn)
	if !ok {
		return nil, fmt.Errorf("routertest: %T cannot be copied", made)
	}
	d := &database{raw}
	if err := d.do("PRAGMA foreign_keys = 1", "PRAGMA query_only = 1"); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *database) close() error { return d.raw.Close() }

// copy returns a database of its own with the same content.
func (d *database) copy() (*database, error) {
	content, err := d.raw.Serialize()
	if err != nil {
		return nil, fmt.Errorf("routertest: copy a database: %w", err)
	}
	other, err := openDatabase()
	if err != nil || len(content) == 0 { // no tables yet
		return other, err
	}
	if err := other.raw.Deserialize(content); err != nil {
		return nil, errors.Join(fmt.Errorf("routertest: copy a database: %w", err), other.close())
	}
	return other, nil
}

// A statement is what a client sent.
type statement struct {
	query string
	args  []driver.NamedValue
	rows  bool // the client wants rows, not a count
}

// newStatement keeps a copy of the arguments, whose bytes belong to the caller, and of the text, which is
// part of a larger buffer where Bun made it.
func newStatement(query string, args []driver.NamedValue, rows bool) statement {
	own := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		if b, ok := arg.Value.([]byte); ok {
			arg.Value = bytes.Clone(b)
		}
		own[i] = arg
	}
	return statement{strings.Clone(query), own, rows}
}

// An answer is all that a server says to a statement. As a driver.Result it holds the counts.
type answer struct {
	columns, types   []string
	rows             [][]driver.Value
	lastID, affected int64
}

func (a *answer) LastInsertId() (int64, error) { return a.lastID, nil }
func (a *answer) RowsAffected() (int64, error) { return a.affected, nil }

// read runs a statement that must not write, outside of a transaction.
func (d *database) read(st statement) (*answer, error) {
	if err := d.do("BEGIN"); err != nil {
		return nil, err
	}
	a, err := d.run(st)
	return a, errors.Join(err, d.do("ROLLBACK"))
}

// apply runs statements in a transaction of their own, all or none, and returns the last one's answer.
func (d *database) apply(sts ...statement) (a *answer, err error) {
	if err := d.begin(); err != nil {
		return nil, err
	}
	err = d.writing(func() error {
		for _, st := range sts {
			if a, err = d.run(st); err != nil {
				return err
			}
		}
		return d.do("COMMIT")
	})
	if err != nil {
		_ = d.do("ROLLBACK") // a failure that SQLite answered with a rollback leaves none to do
		return nil, err
	}
	return a, nil
}

func (d *database) begin() error { return d.do("BEGIN") }

// change runs a statement that may write inside the open transaction. If it fails, it did nothing.
func (d *database) change(st statement) (a *answer, err error) {
	const name = "routertest_statement"
	err = d.writing(func() error {
		if err := d.do("SAVEPOINT " + name); err != nil {
			return err
		}
		if a, err = d.run(st); err != nil {
			_ = d.do("ROLLBACK TO "+name, "RELEASE "+name) // gone already where SQLite rolled back
			return err
		}
		return d.do("RELEASE " + name)
	})
	return a, err
}

func (d *database) writing(do func() error) error {
	if err := d.do("PRAGMA query_only = 0"); err != nil {
		return err
	}
	err := do()
	return errors.Join(err, d.do("PRAGMA query_only = 1"))
}

// do runs statements of this package.
func (d *database) do(queries ...string) error {
	for _, q := range queries {
		if _, err := d.raw.ExecContext(context.Background(), q, nil); err != nil {
			return err
		}
	}
	return nil
}

// run gives modernc.org/sqlite a context that cannot end: for others it starts goroutines.
func (d *database) run(st statement) (*answer, error) {
	if st.rows {
		return d.query(st)
	}
	res, err := d.raw.ExecContext(context.Background(), st.query, st.args)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	if a.lastID, err = res.LastInsertId(); err != nil {
		return nil, err
	}
	a.affected, err = res.RowsAffected()
	return a, err
}

func (d *database) query(st statement) (_ *answer, err error) {
	rows, err := d.raw.QueryContext(context.Background(), st.query, st.args)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	a := &answer{columns: rows.Columns()}
	if t, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		for i := range a.columns {
			a.types = append(a.types, t.ColumnTypeDatabaseTypeName(i))
		}
	}
	for {
		row := make([]driver.Value, len(a.columns))
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return a, nil
		case err != nil:
			return nil, err
		}
		a.rows = append(a.rows, row)
	}
}

// check compiles a statement without running it.
func (d *database) check(query string) error {
	st, err := d.raw.Prepare(query)
	if err != nil {
		return err
	}
	return st.Close()
}
