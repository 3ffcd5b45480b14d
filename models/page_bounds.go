package models

import (
	"errors"
	"fmt"
	"math"
)

// A PageOption changes a bound of [FetchPage] or [Paginate], or what the cursors of FetchPage are good for.
type PageOption func(*pageBounds) error

// MaxPageSize lets a page have up to so many rows: 1 to 2147483647. Without it, it is 1000. A size comes from a client as a rule,
// and a page's rows are in memory at once.
func MaxPageSize(rows int) PageOption {
	return func(b *pageBounds) error {
		if rows < 1 || rows > math.MaxInt32 {
			return fmt.Errorf("MaxPageSize %d: from 1 to %d", rows, math.MaxInt32)
		}
		b.size = rows
		return nil
	}
}

// MaxOffset lets up to so many rows come before a page of [Paginate]; 0 has it take the first page alone. Without it, they are 1000000. The
// database reads them all. [FetchPage] has no offset.
func MaxOffset(rows int) PageOption {
	return func(b *pageBounds) error {
		if rows < 0 {
			return fmt.Errorf("MaxOffset %d: at least 0", rows)
		}
		b.offset = rows
		return nil
	}
}

// CursorScope has [FetchPage] make cursors that are good only for pages of the same scope: a tenant's or a user's id, or
// whatever else the query's conditions depend on. The scope is authenticated with the cursor, which does not hold it. A cursor of another scope, or of
// none, is a [*CursorError]. It adds no condition to the query.
//
// Without it, a cursor is taken by each page of the same order, table and key, of other binds too. Who reads a table of their own by search_path, by the
// database of the URI or by a common table expression gives a scope: the SQL of two of them is the same.
//
// An empty scope is a [*PageError]: it is a tenant that is missing. [Paginate] has no cursors.
func CursorScope(text string) PageOption {
	return func(b *pageBounds) error {
		if text == "" {
			return errors.New("CursorScope: an empty text: leave it out to have cursors without a scope")
		}
		b.scope = text
		return nil
	}
}

// pageBounds are what a request's numbers may be, and what its cursor is to be of.
type pageBounds struct {
	size, offset int
	scope        string // of cursors; "": none
}

const (
	defaultPageSize = 1000
	defaultOffset   = 1_000_000
)

func pageBoundsOf(opts []PageOption) (pageBounds, error) {
	b := pageBounds{size: defaultPageSize, offset: defaultOffset}
	for _, opt := range opts {
		if err := opt(&b); err != nil {
			return b, err
		}
	}
	return b, nil
}

// check refuses a size, and an order before each of its columns is looked at.
func (b pageBounds) check(size int, order Order) error {
	switch {
	case size < 1 || size > b.size:
		return publicReason(fmt.Sprintf("size %d: at least 1, and at most %d", size, b.size))
	case len(order) > MaxOrderTerms: // each makes the condition of a page longer, and its cursor
		return publicReason(fmt.Sprintf("an order by %d columns: at most %d", len(order), MaxOrderTerms))
	}
	return nil
}

// skip returns the offset of a page by its number.
func (b pageBounds) skip(page, size int) (int64, error) {
	if page < 1 || page-1 > b.offset/size {
		return 0, publicReason(fmt.Sprintf("number %d of %d rows each: from 1 up to the one behind %d rows", page, size, b.offset))
	}
	return int64(page-1) * int64(size), nil
}
