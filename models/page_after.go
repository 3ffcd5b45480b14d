package models

import (
	"strings"

	"github.com/uptrace/bun/dialect"
)

// after is the condition that a row comes behind the one with the values, in the order of the columns.
//
// Where it is right, that is one comparison of rows, (a, b) > (1, 2), which PostgreSQL and SQLite look up in an
// index; MySQL reads the index from its beginning for it. Elsewhere it is a chain,
//
//	a >= 1 AND (a > 1 OR b > 2 AND …)
//
// whose first part lets a database find the place in an index on a, if it can find no more.
func (r *renderer) after(columns []sortColumn, values []operand) clause {
	if r.dialect != dialect.MySQL && rowsCompare(columns, values) {
		return compareRows(columns, values)
	}
	return chain(columns, values)
}

// rowsCompare reports whether a comparison of rows says the same as the chain: all columns have
// one direction, and none has NULL in the row or behind it.
func rowsCompare(columns []sortColumn, values []operand) bool {
	for i, c := range columns {
		if c.desc != columns[0].desc || values[i].null || c.nullable && !c.nullsFirst {
			return false
		}
	}
	return true
}

func compareRows(columns []sortColumn, values []operand) clause {
	names, literals := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], literals[i] = c.sql, values[i].sql
	}
	if len(columns) == 1 {
		return columns[0].op(columns[0].beyond(), literals[0])
	}
	return clause("(" + strings.Join(names, ", ") + ") " + string(columns[0].beyond()) + " (" + strings.Join(literals, ", ") + ")")
}

func (s sortColumn) beyond() operator {
	if s.desc {
		return opLt
	}
	return opGt
}

func (s sortColumn) notBefore() operator {
	if s.desc {
		return opLe
	}
	return opGe
}

// chain compares column by column.
func chain(columns []sortColumn, values []operand) clause {
	if len(columns) == 0 {
		return noRow // the row itself
	}
	c, v := columns[0], values[0]
	rest := chain(columns[1:], values[1:])
	if v.null {
		equal := join(" AND ", []clause{c.is("NULL"), rest})
		if c.nullsFirst {
			return join(" OR ", []clause{c.is("NOT NULL"), equal})
		}
		return equal
	}
	beyond, from := c.op(c.beyond(), v.sql), c.op(c.notBefore(), v.sql)
	if c.nullable && !c.nullsFirst {
		equal := join(" AND ", []clause{c.op(opEq, v.sql), rest})
		return join(" OR ", []clause{beyond, c.is("NULL"), equal})
	}
	if rest == noRow {
		return beyond
	}
	return join(" AND ", []clause{from, join(" OR ", []clause{beyond, rest})})
}
