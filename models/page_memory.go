package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// memoryRows are rows that were read before. Bun reads rows from a *sql.Rows alone, which only a
// driver can make, so this is one that has nothing else.
type memoryRows struct {
	names []string
	rows  [][]driver.Value
}

// open returns the rows. They hold nothing that needs closing.
func (m *memoryRows) open() *sql.Rows {
	db := sql.OpenDB(m)
	defer func() { _ = db.Close() }()                    // it does not close what is in use
	rows, _ := db.QueryContext(context.Background(), "") //nolint:rowserrcheck // m never fails
	return rows
}

var errMemoryRows = errors.New("models: rows in memory have no statements")

func (m *memoryRows) Connect(context.Context) (driver.Conn, error) { return m, nil }
func (m *memoryRows) Driver() driver.Driver                        { return nil }
func (m *memoryRows) Prepare(string) (driver.Stmt, error)          { return nil, errMemoryRows }
func (m *memoryRows) Begin() (driver.Tx, error)                    { return nil, errMemoryRows }
func (m *memoryRows) Close() error                                 { return nil }
func (m *memoryRows) Columns() []string                            { return m.names }

func (m *memoryRows) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return m, nil
}

func (m *memoryRows) Next(dest []driver.Value) error {
	if len(m.rows) == 0 {
		return io.EOF
	}
	copy(dest, m.rows[0])
	m.rows = m.rows[1:]
	return nil
}
