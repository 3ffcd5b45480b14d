package models

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A Page is the rows from one place of an order on.
type Page[T any] struct {
	Items []T
	// Next is the cursor for [After] that continues behind the last item; "" if there were no more rows.
	Next string
	// Prev is the cursor for [Before] that goes back from the first item; "" if there were no rows
	// before it, or none were looked for: on the first page, and where there are no items.
	Prev string
}

// A Position is where a page begins or ends. The zero Position is before the first row.
type Position struct {
	cursor string
	back   bool
}

// After is the position behind the row that the cursor, a page's Next, was made of. After("") is before the
// first row.
func After(cursor string) Position { return Position{cursor: cursor} }

// Before is the position before the row that the cursor, a page's Prev, was made of. Before("") is behind
// the last row: the page is the order's last.
func Before(cursor string) Position { return Position{cursor: cursor, back: true} }

// FetchPage reads at most size rows of q, in the order, from a position on:
//
//	page, err := models.FetchPage[User](ctx, db.NewSelect(), order, models.After(cursor), 50)
//
// A page costs as much as its rows, however far it is from the first, given an index on the order's columns.
// The primary key is added to the order, so that it is total, in the direction of its last column: let the
// index end in it. Rows that are inserted, changed or deleted between pages move no others: each row
// that stays where it is in the order is read once. (Offsets repeat and miss rows then: see [Paginate].)
//
// q may have conditions and relations; if it has a model that is a *[]T, which relations need, the rows go
// there, and Items is that slice; else it needs none. It must have no order, limit, offset, grouping, DISTINCT or union, and its
// alternatives must be in a WhereGroup or an [Or]. It is used up. An error of the query is a [*PageError],
// one of the order a [*FilterError], one of the cursor a [*CursorError].
//
// The order's columns are the model's own, of any kind that has an order in the database. A cursor
// holds their values in the last row and can be read by whoever has it; it is not signed, since who changes
// it only gets another place among the same rows. It is of use for this order, model and kind of database.
//
// One row more than the page's is read to see whether there are more.
func FetchPage[T any](ctx context.Context, q *bun.SelectQuery, order Order, at Position, size int) (Page[T], error) {
	k, err := newKeyset[T](q, order, size)
	if err != nil {
		return Page[T]{}, err
	}
	if err := k.place(at); err != nil {
		return Page[T]{}, err
	}
	if err := k.q.Limit(int64(size) + 1).Scan(ctx); err != nil {
		return Page[T]{}, err
	}
	more := len(*k.rows) > size
	if more {
		*k.rows = (*k.rows)[:size]
	}
	if at.back {
		slices.Reverse(*k.rows)
	}
	return k.page(ctx, at, more)
}

// A keyset is a query that is about to be read by pages.
type keyset[T any] struct {
	*renderer
	q       *bun.SelectQuery
	rows    *[]T
	columns []sortColumn // the primary key's included
}

func newKeyset[T any](q *bun.SelectQuery, order Order, size int) (*keyset[T], error) {
	rows, err := destination[T](q, size)
	if err != nil {
		return nil, err
	}
	k := &keyset[T]{q: q, rows: rows}
	if k.renderer, err = newRenderer(q); err != nil {
		return nil, err
	}
	if err := pageable(q, true); err != nil {
		return nil, &PageError{Model: k.table.Type, Err: err}
	}
	if len(k.table.PKs) == 0 {
		return nil, &PageError{Model: k.table.Type, Err: errors.New("no primary key to tell rows apart by")}
	}
	if k.columns, err = k.sortColumns(k.total(order)); err != nil {
		return nil, err
	}
	for _, c := range k.columns {
		if c.qualifiedBy(k.qualifier) != c.sql {
			return nil, c.failed(errors.New("a relation's column, which a cursor cannot hold: use Paginate"))
		}
	}
	if hasColumns(q) {
		for _, c := range k.columns {
			q.ColumnExpr("?", schema.Safe(c.sql))
		}
	}
	return k, nil
}

func (c *filterColumn) qualifiedBy(qualifier string) string {
	return qualifier + string(c.field.SQLName)
}

// total appends the primary key to an order, so that no two rows are equal in it.
func (r *renderer) total(order Order) Order {
	order = slices.Clone(order)
	desc := len(order) > 0 && order[len(order)-1].Desc
	for _, pk := range r.table.PKs {
		if !slices.ContainsFunc(order, func(k SortKey) bool { return k.Column == pk.Name }) {
			order = append(order, SortKey{Column: pk.Name, Desc: desc})
		}
	}
	return order
}

// destination returns where the query's rows go.
func destination[T any](q *bun.SelectQuery, size int) (*[]T, error) {
	typ := reflect.TypeFor[T]()
	if size < 1 {
		return nil, &PageError{Model: typ, Err: fmt.Errorf("size %d: at least 1", size)}
	}
	if q.GetModel() == nil {
		rows := new([]T)
		q.Model(rows)
		return rows, nil
	}
	if rows, ok := q.GetModel().Value().(*[]T); ok && rows != nil {
		return rows, nil
	}
	return nil, &PageError{Model: typ, Err: fmt.Errorf("the query's model is %T: let it be a *[]%s, or none", q.GetModel().Value(), typ)}
}

// place makes the query begin or end at a position.
func (k *keyset[T]) place(at Position) error {
	columns := k.columns
	if at.back {
		columns = make([]sortColumn, len(k.columns))
		for i, c := range k.columns {
			columns[i] = c.reversed()
		}
	}
	if at.cursor != "" {
		values, err := k.decode(at.cursor, k.columns)
		if err != nil {
			return &CursorError{Model: k.table.Type, Err: err}
		}
		k.q.Where("?", schema.Safe(k.after(columns, values)))
	}
	k.orderBy(k.q, columns)
	return nil
}

// page makes the cursors.
func (k *keyset[T]) page(ctx context.Context, at Position, more bool) (Page[T], error) {
	page := Page[T]{Items: *k.rows}
	if len(page.Items) == 0 {
		return page, nil
	}
	started := at.cursor != ""
	var err error
	if more && !at.back || started && at.back {
		if page.Next, err = k.cursor(ctx, &page.Items[len(page.Items)-1]); err != nil {
			return page, err
		}
	}
	if more && at.back || started && !at.back {
		if page.Prev, err = k.cursor(ctx, &page.Items[0]); err != nil {
			return page, err
		}
	}
	return page, nil
}

// cursor makes the cursor of a row.
func (k *keyset[T]) cursor(ctx context.Context, item *T) (string, error) {
	row := reflect.ValueOf(item)
	for row.Kind() == reflect.Pointer {
		row = row.Elem()
	}
	values := make([]cursorValue, len(k.columns))
	for i, c := range k.columns {
		v, err := cursorValueOf(c.field, row)
		if err != nil {
			return "", c.failed(err)
		}
		if c.nullable && !c.field.IsPtr && v.kind != cursorNull && c.field.HasZeroValue(row) {
			null, err := k.isNull(ctx, c, row)
			if err != nil {
				return "", err
			}
			if null {
				v = cursorValue{kind: cursorNull}
			}
		}
		values[i] = v
	}
	return k.encode(k.columns, values), nil
}

// isNull asks the database whether a row that has a zero value in memory has NULL there: both read
// alike into a field that is no pointer. If the row is gone, it had what Bun writes for the zero value.
func (k *keyset[T]) isNull(ctx context.Context, c sortColumn, row reflect.Value) (bool, error) {
	q := k.q.Clone()
	for _, pk := range k.table.PKs {
		q.Where("? = ?", schema.Safe(k.qualifier+string(pk.SQLName)), schema.Safe(pk.AppendValue(k.gen, nil, row)))
	}
	want := "NULL"
	if c.field.NullZero {
		want = "NOT NULL"
	}
	n, err := q.Where("?", schema.Safe(c.is(want))).Count(ctx)
	return (n > 0) != c.field.NullZero, err
}
