package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Where a row stands in an order is told by its columns' values as the database holds them. A Go value does not tell
// it: a float64 has fewer digits than a DECIMAL, MariaDB shows six of a FLOAT's, orders an ENUM by numbers
// of which a string says nothing, and SQLite orders times by a text that a time.Time does not keep. So the
// select of a page has further columns, which write those values so that a literal of them is exact.

// keyPrefix begins the names of these columns. Bun's models pass over a column whose name begins with an underscore.
const keyPrefix = "_bindery_"

// A keyForm is a further way to write a column, where what the driver gives is not exact.
type keyForm byte

const (
	formNone   keyForm = 0
	formText   keyForm = 't' // as text: dates, some of which no time.Time can be
	formDouble keyForm = 'd' // as a double: FLOAT, of which the server shows six digits
	formNumber keyForm = 'n' // as an integer: the number by which ENUM, SET and BIT are ordered
)

var formExprs = map[keyForm]string{formText: "CAST(%s AS CHAR)", formDouble: "%s + 0e0", formNumber: "CAST(%s AS UNSIGNED)"}

func keyName(i int, form keyForm) string {
	if form == formNone {
		return fmt.Sprintf("%s%d", keyPrefix, i)
	}
	return fmt.Sprintf("%s%d%c", keyPrefix, i, form)
}

// keyExpr writes a column as its value is read back exactly.
func (r *renderer) keyExpr(c sortColumn) string {
	switch r.dialect {
	case dialect.PG:
		return c.sql + "::text"
	case dialect.SQLite:
		// quote cuts a text at its first NUL.
		return "CASE typeof(" + c.sql + ") WHEN 'null' THEN NULL WHEN 'text' THEN 't' || hex(" + c.sql + ") ELSE quote(" + c.sql + ") END"
	}
	return c.sql
}

// likelyForm is the form that MySQL's column needs if it was made for its field. What it is indeed is known with
// the rows.
func (r *renderer) likelyForm(c sortColumn) keyForm {
	if r.dialect != dialect.MySQL {
		return formNone
	}
	declared := strings.ToUpper(columnType(r.dialect, c.field))
	switch {
	case strings.HasPrefix(declared, "ENUM"), strings.HasPrefix(declared, "SET"), strings.HasPrefix(declared, "BIT"):
		return formNumber
	case c.kind == kindTime, c.kind == kindDate:
		return formText
	case c.kind == kindFloat:
		return formDouble
	}
	return formNone
}

// formOf is the form that a column of MySQL's needs, by the name of its type.
func formOf(databaseType string) keyForm {
	switch databaseType {
	case "DATE", "DATETIME", "TIMESTAMP":
		return formText
	case "FLOAT", "DOUBLE":
		return formDouble
	case "ENUM", "SET", "BIT":
		return formNumber
	}
	return formNone
}

// selectKeys adds the columns to the query. The order's columns themselves are selected only if the query does so: what
// nobody asked for is not in the rows.
func (k *keyset[T]) selectKeys() {
	if !hasColumns(k.q) {
		k.q.ColumnExpr("?TableColumns")
	}
	for i, c := range k.columns {
		k.q.ColumnExpr("? AS ?", schema.Safe(k.keyExpr(c)), bun.Ident(keyName(i, formNone)))
		k.selectForm(i, k.likelyForm(c))
	}
}

func (k *keyset[T]) selectForm(i int, form keyForm) {
	if form != formNone {
		k.q.ColumnExpr("? AS ?", schema.Safe(fmt.Sprintf(formExprs[form], k.columns[i].sql)), bun.Ident(keyName(i, form)))
	}
}

// scan reads the rows and their keys. Where a column of MySQL's turns out to be of a type that needs a form which was not
// asked for, as an ENUM that is read into a string, the page is read again with it.
func (k *keyset[T]) scan(ctx context.Context) error {
	joined, err := joinedBy(k.q)
	if err != nil {
		return err
	}
	model := &keyedRows{TableModel: k.q.GetModel().(bun.TableModel), keys: &k.keys, columns: k.columns, renderer: k.renderer, joined: joined}
	if err := k.q.Model(model).Scan(ctx); err != nil || model.missing == nil {
		return err
	}
	for i, form := range model.missing {
		k.selectForm(i, form)
	}
	model.missing = nil
	if err := k.q.Scan(ctx); err != nil {
		return err
	}
	if model.missing != nil {
		return fmt.Errorf("models: the types of %v's columns change while they are read", k.table.Type)
	}
	return nil
}

// keyedRows is Bun's model of a slice that sees each row's keys.
type keyedRows struct {
	bun.TableModel
	*renderer
	columns []sortColumn
	keys    *[][]cursorValue
	joined  []joinedColumn  // that must be among the columns
	missing map[int]keyForm // the forms that the query lacks
}

// ScanRows takes the keys out of the rows and gives what is left to Bun.
func (m *keyedRows) ScanRows(ctx context.Context, rows *sql.Rows) (int, error) {
	names, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	for _, j := range m.joined {
		if !slices.Contains(names, j.column) {
			return 0, &PageError{Model: m.table.Type,
				Err: fmt.Errorf("the relation %s joins by the column %q, which the query does not select: add it to its columns", j.relation, j.column)}
		}
	}
	keys, err := m.place(rows, names)
	if err != nil || m.missing != nil {
		return 0, err
	}
	*m.keys = (*m.keys)[:0]
	rest := &memoryRows{}
	for i, name := range names {
		if !strings.HasPrefix(name, keyPrefix) {
			rest.names = append(rest.names, names[i])
		}
	}
	row, into := make([]any, len(names)), make([]any, len(names))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
		values := make([]cursorValue, len(keys))
		for i, key := range keys {
			if values[i], err = m.keyValue(m.columns[i], key, row); err != nil {
				return 0, &PageError{Model: m.table.Type, Err: fmt.Errorf("by %q: %w", m.columns[i].name, err)}
			}
		}
		*m.keys = append(*m.keys, values)
		left := make([]driver.Value, 0, len(rest.names))
		for i, v := range row {
			if !strings.HasPrefix(names[i], keyPrefix) {
				left = append(left, v)
			}
		}
		rest.rows = append(rest.rows, left)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	return m.TableModel.ScanRows(ctx, rest.open())
}

// A keyPlace is where a row has a column's key, and what type the column has.
type keyPlace struct {
	at           int
	databaseType string // of MySQL
}

// place finds the keys among the columns of a result.
func (m *keyedRows) place(rows *sql.Rows, names []string) ([]keyPlace, error) {
	at := make(map[string]int, len(names))
	for i, name := range names {
		at[name] = i
	}
	keys := make([]keyPlace, len(m.columns))
	for i := range keys {
		n, ok := at[keyName(i, formNone)]
		if !ok {
			return nil, fmt.Errorf("models: the result lacks the column %q", keyName(i, formNone))
		}
		keys[i].at = n
	}
	if m.dialect != dialect.MySQL {
		return keys, nil
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for i := range keys {
		keys[i].databaseType = types[keys[i].at].DatabaseTypeName()
		form := formOf(keys[i].databaseType)
		if form == formNone {
			continue
		}
		n, ok := at[keyName(i, form)]
		if !ok {
			if m.missing == nil {
				m.missing = map[int]keyForm{}
			}
			m.missing[i] = form
		}
		keys[i].at = n
	}
	return keys, nil
}
