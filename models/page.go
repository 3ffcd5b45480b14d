package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/modelhome"
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
// The size is 1 to 1000, or to what [MaxPageSize] says, and an order has at most 16 columns. More is an error, never a smaller page.
//
// q may have conditions and relations; if it has a model that is a *[]T, which relations need, the rows go
// there, and Items is that slice; else it needs none. It must have no order, limit, offset, grouping, DISTINCT or union, and its
// alternatives must be in a WhereGroup or an [Or]. It is used up. An error of the query is a [*PageError],
// one of the order a [*FilterError], one of the cursor a [*CursorError].
//
// If q selects columns, Items have these and no others: a column that the order alone names, the primary key included, is
// zero there. A has-many or many-to-many relation needs the columns that it joins by among them.
//
// The order's columns are the model's own, of any type that has an order in the database. A cursor
// holds their values in the last row, as the database has them and not as Go reads them, so that a page begins exactly behind that
// row. It is of use for this order, this table, as ModelTableExpr names it if q has one, and kind of database, whatever the conditions:
// [CursorScope] binds it to a tenant or user as well. It is safe in a URL; it is about 120 characters long,
// and 16384 at most, else the page is a [*PageError]. It is sealed, by AES-256-GCM: it can neither be read nor made, and two of one row
// differ; its length tells that of its values to 64 bytes. The order itself tells who reads the rows how their values compare. The key is
// one of [CursorKeys], in a manager's configuration cursor_keys; without it, a cursor is good only in the process that made it.
//
// One row more than the page's is read to see whether there are more. On MySQL and MariaDB a page is read twice if
// it is ordered by an ENUM, SET, BIT, FLOAT or a date whose field, such as a string, does not tell it: say so in the field's tag,
// `bun:"type:enum('s','m','l')"`. Pages by an ENUM, SET or BIT find their place by no index there.
//
// Where a database does not compare values as it orders them, the page is a [*PageError] that says so, and never one
// that repeats or misses rows: MySQL's JSON arrays, MariaDB's texts that differ only behind their first
// max_sort_length bytes. PostgreSQL compares no composite types with a cursor: that is its own error.
func FetchPage[T any](ctx context.Context, q *bun.SelectQuery, order Order, at Position, size int, opts ...PageOption) (Page[T], error) {
	bounds, err := pageBoundsOf(opts)
	if err == nil {
		err = bounds.check(size, order)
	}
	if err != nil {
		return Page[T]{}, &PageError{Err: err}
	}
	k, err := newKeyset[T](q, order, bounds.scope)
	if err != nil {
		return Page[T]{}, err
	}
	if err := k.place(at); err != nil {
		return Page[T]{}, err
	}
	k.q.Limit(int64(size) + 1)
	if err := k.scan(ctx); err != nil {
		return Page[T]{}, err
	}
	if err := k.beginsBehind(at); err != nil {
		return Page[T]{}, err
	}
	more := len(*k.rows) > size
	if more {
		if err := k.continues(ctx, at, k.keys[size-1], k.keys[size]); err != nil {
			return Page[T]{}, err
		}
		*k.rows, k.keys = (*k.rows)[:size], k.keys[:size]
	}
	if at.back {
		slices.Reverse(*k.rows)
		slices.Reverse(k.keys)
	}
	return k.page(at, more)
}

// A keyset is a query that is about to be read by pages.
type keyset[T any] struct {
	*renderer
	q       *bun.SelectQuery
	rows    *[]T
	columns []sortColumn    // the primary key's included
	cursors *cursors        // for the columns
	from    []cursorValue   // of the row at which the page begins or ends; nil if it is the first or last
	keys    [][]cursorValue // of each row
}

func newKeyset[T any](q *bun.SelectQuery, order Order, scope string) (*keyset[T], error) {
	rows, err := destination[T](q)
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
	with := cursorSealOf(q.DB().Dialect())
	if with.err != nil {
		return nil, &PageError{Model: k.table.Type, Err: with.err}
	}
	table, err := tableText(q)
	if err != nil {
		return nil, &PageError{Model: k.table.Type, Err: err}
	}
	k.cursors = k.renderer.cursors(table, scope, k.columns, with)
	k.selectKeys()
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
func destination[T any](q *bun.SelectQuery) (*[]T, error) {
	typ := reflect.TypeFor[T]()
	if q.GetModel() == nil {
		q.Model(new([]T))
	}
	if rows, ok := q.GetModel().Value().(*[]T); ok && rows != nil {
		*rows = nil // else Bun reads into the rows of the page before, and adds to what their relations hold
		if err := modelhome.CheckQuery(q.DB().Dialect(), q); err != nil {
			return nil, &PageError{Model: typ, Err: err}
		}
		return rows, nil
	}
	return nil, &PageError{Model: typ, Err: fmt.Errorf("the query's model is %T: let it be a *[]%s, or none", q.GetModel().Value(), typ)}
}

// ordered returns the columns as the query orders by them.
func (k *keyset[T]) ordered(at Position) []sortColumn {
	if !at.back {
		return k.columns
	}
	columns := make([]sortColumn, len(k.columns))
	for i, c := range k.columns {
		columns[i] = c.reversed()
	}
	return columns
}

// place makes the query begin or end at a position.
func (k *keyset[T]) place(at Position) error {
	columns := k.ordered(at)
	if at.cursor != "" {
		var err error
		var behind clause
		if k.from, err = k.cursors.decode(at.cursor); err == nil {
			behind, err = k.behind(columns, k.from)
		}
		if err != nil {
			return &CursorError{Model: k.table.Type, Err: err}
		}
		k.q.Where("?", schema.Safe(behind))
	}
	k.orderBy(k.q, columns)
	return nil
}

// beginsBehind refuses a page whose first row is the one behind which it should begin, or one before that: whoever went on
// from there would read the same rows for ever.
func (k *keyset[T]) beginsBehind(at Position) error {
	if k.from == nil || len(k.keys) == 0 || !notBehind(k.ordered(at), k.keys[0], k.from) {
		return nil
	}
	return k.disordered()
}

func (k *keyset[T]) disordered() error {
	names := make([]string, len(k.columns))
	for i, c := range k.columns {
		names[i] = c.name
	}
	return &PageError{Model: k.table.Type, Err: fmt.Errorf(
		"the database does not compare a column's values as it orders them, by %s: pages would repeat or miss rows. Order by other columns first", strings.Join(names, ", "))}
}

// continues refuses a page behind whose last row the next page would miss a row. MySQL compares JSON as it does not
// order it, and MariaDB orders texts by their first max_sort_length bytes; where the rows hold such, it is asked.
func (k *keyset[T]) continues(ctx context.Context, at Position, last, next []cursorValue) error {
	doubtful := func(v cursorValue) bool {
		return v.kind == cursorJSON || v.kind == cursorText && len(v.text) > shortText
	}
	if k.dialect != dialect.MySQL || !slices.ContainsFunc(last, doubtful) {
		return nil
	}
	behind, err := k.behind(k.ordered(at), last)
	if err != nil {
		return &PageError{Model: k.table.Type, Err: err}
	}
	q := k.q.Clone().Where("?", schema.Safe(behind))
	for i, c := range k.columns {
		if !c.field.IsPK {
			continue
		}
		c, o, err := k.keyOperand(c, next[i])
		if err != nil {
			return &PageError{Model: k.table.Type, Err: err}
		}
		q.Where("?", schema.Safe(c.op(opEq, o.sql)))
	}
	if n, err := q.Count(ctx); err != nil || n > 0 {
		return err
	}
	return k.disordered()
}

// shortText is the length of a text that is ordered by all of it: max_sort_length is 1024 bytes by default, of up to 4 a character.
const shortText = 256

// page makes the cursors.
func (k *keyset[T]) page(at Position, more bool) (Page[T], error) {
	page := Page[T]{Items: *k.rows}
	if len(page.Items) == 0 {
		return page, nil
	}
	started := at.cursor != ""
	var errs [2]error
	if more && !at.back || started && at.back {
		page.Next, errs[0] = k.cursors.encode(k.keys[len(k.keys)-1])
	}
	if more && at.back || started && !at.back {
		page.Prev, errs[1] = k.cursors.encode(k.keys[0])
	}
	if err := cmp.Or(errs[0], errs[1]); err != nil {
		return Page[T]{}, &PageError{Model: k.table.Type, Err: err}
	}
	return page, nil
}
