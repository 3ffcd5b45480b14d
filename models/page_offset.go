package models

import (
	"context"
	"reflect"

	"github.com/uptrace/bun"
)

// An OffsetPage is one of the numbered pages of a query's rows.
type OffsetPage[T any] struct {
	Items []T
	Page  int   // its number, from 1
	Size  int   // how many rows each page has but the last
	Pages int   // how many pages there are
	Total int64 // how many rows there are
}

// Paginate reads page number page, from 1, of q's rows, size to a page, and counts them all. The
// primary key is added to the order, so that rows that are equal in it stay on their pages.
//
// The database reads all rows before the page, so the last pages of many are slow, and a row that is inserted or
// deleted before the page moves all others: they are missed or read twice. [FetchPage] knows no
// numbers and none of that.
//
// Rows and total are two queries, which run at once unless q runs in a transaction or on a connection. What
// is written between them may show in one only. q is as for FetchPage, but may be grouped or DISTINCT. A
// page behind the last has no items. A page or size below 1 is a [*PageError], and so is a size above 1000, a page with more than 1000000
// rows before it, unless [MaxPageSize] and [MaxOffset] say otherwise, and an order by more than 16 columns.
func Paginate[T any](ctx context.Context, q *bun.SelectQuery, order Order, page, size int, opts ...PageOption) (OffsetPage[T], error) {
	result := OffsetPage[T]{Page: page, Size: size}
	bounds, err := pageBoundsOf(opts)
	if err == nil {
		err = bounds.check(size, order)
	}
	var skip int64
	if err == nil {
		skip, err = bounds.skip(page, size)
	}
	if err != nil {
		return result, &PageError{Err: err}
	}
	rows, err := destination[T](q)
	if err != nil {
		return result, err
	}
	r, err := newRenderer(q)
	if err != nil {
		return result, err
	}
	if err := pageable(q, false); err != nil {
		return result, &PageError{Model: r.table.Type, Err: err}
	}
	columns, err := r.sortColumns(r.numbered(q, order))
	if err != nil {
		return result, err
	}
	r.orderBy(q, columns)
	result.Total, err = q.Limit(int64(size)).Offset(skip).ScanAndCount(ctx)
	if err != nil {
		return result, err
	}
	result.Items = *rows
	result.Pages = int((result.Total + int64(size) - 1) / int64(size))
	return result, nil
}

// numbered is the order with the primary key, unless the rows are no longer the table's.
func (r *renderer) numbered(q *bun.SelectQuery, order Order) Order {
	for _, name := range []string{"group", "distinctOn", "union"} {
		if v, ok := part(q, name, reflect.Slice); !ok || !v.IsNil() {
			return order
		}
	}
	return r.total(order)
}
