package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// An Order is the columns that rows are ordered by, the most significant first. A column is named
// as for a [Condition].
type Order []SortKey

// A SortKey is one column of an [Order], ascending unless it says otherwise.
type SortKey struct {
	Column string
	Desc   bool
	Nulls  NullsPlacement
}

// NullsPlacement says where an order has the rows whose column is NULL.
type NullsPlacement int

const (
	// NullsAnywhere leaves them where the database has them, and its index, too: PostgreSQL takes NULL
	// for the greatest value, MySQL and SQLite for the least.
	NullsAnywhere NullsPlacement = iota
	// NullsFirst has them before all others, whatever the direction.
	NullsFirst
	// NullsLast has them after all others, whatever the direction.
	NullsLast
)

// Asc orders by the column, the least value first.
func Asc(column string) SortKey { return SortKey{Column: column} }

// Desc orders by the column, the greatest value first.
func Desc(column string) SortKey { return SortKey{Column: column, Desc: true} }

// NullsFirst returns the key with NULL before all values.
func (k SortKey) NullsFirst() SortKey {
	k.Nulls = NullsFirst
	return k
}

// NullsLast returns the key with NULL after all values.
func (k SortKey) NullsLast() SortKey {
	k.Nulls = NullsLast
	return k
}

// OrderBy adds keys to a select's order:
//
//	q.Apply(models.OrderBy(models.Desc("created_at"), models.Asc("name").NullsLast()))
//
// The query's Model must be set before. A key that the model cannot have becomes the query's error, a
// *[FilterError]. MySQL, which has no NULLS FIRST, orders by "column IS NULL" before the column,
// unless its field says notnull.
func OrderBy(keys ...SortKey) func(*bun.SelectQuery) *bun.SelectQuery {
	return func(q *bun.SelectQuery) *bun.SelectQuery {
		r, err := newRenderer(q)
		var columns []sortColumn
		if err == nil {
			columns, err = r.sortColumns(keys)
		}
		if err != nil {
			return q.Err(err)
		}
		return r.orderBy(q, columns)
	}
}

// ParseOrder reads an order from text, as a user sends it: "-created_at,name" is by created_at,
// descending, then by name. Each column may have + or - before it and "nulls first" or "nulls last"
// behind it. An empty text is no order.
//
// columns are those that the text may name: without any, every name is an error. The columns are at most [MaxOrderTerms], their names at
// most [MaxNameLength] long. An error is a [*FilterError], of which [PublicText] has what may be told to the user. What the model has is
// checked by [OrderBy] and [FetchPage].
func ParseOrder(text string, columns ...string) (Order, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if err := atMost(strings.Count(text, ",")+1, MaxOrderTerms, "columns in an order"); err != nil {
		return nil, &FilterError{Err: err, sent: true}
	}
	var order Order
	for part := range strings.SplitSeq(text, ",") {
		if err := atMost(len(part), MaxNameLength+len(" - nulls first "), "bytes for a column in an order"); err != nil {
			return nil, &FilterError{Err: err, sent: true}
		}
		key, err := parseSortKey(part)
		if err == nil {
			err = atMost(len(key.Column), MaxNameLength, "bytes in a name")
		}
		if err == nil && !slices.Contains(columns, key.Column) {
			err = nameList(columns).orderHint(key.Column)
		}
		if err != nil {
			return nil, &FilterError{Column: shortName(key.Column), Err: err, sent: true}
		}
		order = append(order, key)
	}
	return order, nil
}

func parseSortKey(text string) (SortKey, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return SortKey{}, publicReason("an order with nothing between its commas")
	}
	key := SortKey{Column: words[0]}
	switch key.Column[0] {
	case '-':
		key.Column, key.Desc = key.Column[1:], true
	case '+':
		key.Column = key.Column[1:]
	}
	switch nulls := strings.ToLower(strings.Join(words[1:], " ")); nulls {
	case "":
	case "nulls first":
		key.Nulls = NullsFirst
	case "nulls last":
		key.Nulls = NullsLast
	default:
		return key, publicReason(fmt.Sprintf(`an order with %q behind its column: it may have "nulls first" or "nulls last"`, nulls))
	}
	return key, nil
}

// A sortColumn is a key as it is for one model and database.
type sortColumn struct {
	*filterColumn
	desc       bool
	nullable   bool
	nullsFirst bool
	native     bool // whether the database has NULL there by itself
}

func (r *renderer) sortColumns(keys []SortKey) ([]sortColumn, error) {
	columns := make([]sortColumn, 0, len(keys))
	var errs []error
	for _, k := range keys {
		c, err := r.column(k.Column)
		if err == nil && c.kind == kindSealed {
			err = c.failed(errSealed)
		}
		if err == nil && c.kind == kindStored {
			err = c.failed(errStoredOrder)
		}
		if err == nil && slices.ContainsFunc(columns, func(s sortColumn) bool { return s.sql == c.sql }) {
			err = c.failed(errTwice)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		columns = append(columns, r.sortColumn(c, k))
	}
	return columns, errors.Join(errs...)
}

func (r *renderer) sortColumn(c *filterColumn, k SortKey) sortColumn {
	joined := strings.Contains(k.Column, ".") // a LEFT JOIN may find no row
	s := sortColumn{filterColumn: c, desc: k.Desc, nullable: joined || !c.field.NotNull}
	byItself := k.Desc == (r.dialect == dialect.PG)
	switch k.Nulls {
	case NullsFirst:
		s.nullsFirst = true
	case NullsLast:
		s.nullsFirst = false
	default:
		s.nullsFirst = byItself
	}
	s.native = !s.nullable || s.nullsFirst == byItself
	return s
}

// reversed is the column as it is from the last row to the first.
func (s sortColumn) reversed() sortColumn {
	s.desc, s.nullsFirst = !s.desc, !s.nullsFirst
	return s
}

func (r *renderer) orderBy(q *bun.SelectQuery, columns []sortColumn) *bun.SelectQuery {
	for _, s := range columns {
		q = q.OrderExpr("?", schema.Safe(s.order(r.dialect)))
	}
	return q
}

func (s sortColumn) order(d dialect.Name) string {
	text := s.sql
	if s.desc {
		text += " DESC"
	}
	switch {
	case s.native:
	case d != dialect.PG && d != dialect.SQLite:
		if s.nullsFirst {
			return s.sql + " IS NULL DESC, " + text
		}
		return s.sql + " IS NULL, " + text
	case s.nullsFirst:
		text += " NULLS FIRST"
	default:
		text += " NULLS LAST"
	}
	return text
}
