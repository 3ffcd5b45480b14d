package models

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A BulkResult counts what a bulk insert has done.
type BulkResult struct {
	// Rows counts the rows of all batches that the database accepted, ignored ones included.
	Rows int
	// Batches counts the statements.
	Batches int
	// Ignored counts the rows that [IgnoreConflicts] left out.
	Ignored int
	// Affected adds up what the database says. For [ReplaceOnConflict] that is one for every row on
	// PostgreSQL and SQLite, and on MariaDB where keys come back. Elsewhere MySQL and MariaDB count
	// 1 for a new row, 2 for one that was changed, and 0 for one that held the values already (1
	// with the driver's clientFoundRows, which a manager's binds have on). For [IgnoreConflicts] it
	// is Rows - Ignored.
	Affected int64
}

// BulkInsert inserts rows in batches, each one INSERT of many rows. E is a model's struct or a
// pointer to it. Bun's and the model's hooks run as they do for a slice.
//
// All batches are one transaction, or, in a bun.Tx or manager.InTx, one savepoint in it: a failure
// leaves nothing behind, and the caller's transaction stays usable. [CommitEachBatch] keeps what
// succeeded.
//
// Keys and defaults that the database fills in are stored in rows where it can return them:
// PostgreSQL, SQLite and MariaDB since 10.5, and not with [IgnoreConflicts], where rows are missing
// in the answer. Elsewhere a key that was zero stays zero: MySQL tells only the first one, and
// counting on from there is wrong as soon as a row brings its own.
//
// A batch that fails is a [*BulkError], which says which rows it had. No rows, no statement.
func BulkInsert[E any](ctx context.Context, db bun.IDB, rows []E, opts ...BulkOption) (BulkResult, error) {
	b, err := newBulk[E](db, opts)
	if err != nil || len(rows) == 0 {
		return BulkResult{}, err
	}
	return b.run(ctx, func(insert func([]E) error) error { return b.split(rows, insert) })
}

// BulkInsertSeq is [BulkInsert] for rows that are made one by one: it holds one batch at a time. The
// keys that come back are seen by those who kept the pointers, if E is one. What ends the sequence
// early, such as an unreadable file, is the caller's to notice: run it in a transaction and return
// the error there.
func BulkInsertSeq[E any](ctx context.Context, db bun.IDB, rows iter.Seq[E], opts ...BulkOption) (BulkResult, error) {
	b, err := newBulk[E](db, opts)
	if err != nil {
		return BulkResult{}, err
	}
	return b.run(ctx, func(insert func([]E) error) error { return b.collect(rows, insert) })
}

// bulk is one bulk insert under way.
type bulk[E any] struct {
	bulkOptions
	db       bun.IDB
	table    *schema.Table
	sizer    *rowSizer // nil: batches have no bound in bytes
	pointers bool      // E is a pointer
	done     BulkResult
}

func newBulk[E any](db bun.IDB, opts []BulkOption) (*bulk[E], error) {
	b := &bulk[E]{db: db, bulkOptions: bulkOptions{maxRows: defaultBatchRows, maxBytes: defaultBatchBytes}}
	for _, opt := range opts {
		opt(&b.bulkOptions)
	}
	typ := reflect.TypeFor[E]()
	if typ.Kind() == reflect.Pointer {
		b.pointers, typ = true, typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return nil, fmt.Errorf("models: bulk insert of %v: a row must be a struct or a pointer to one", reflect.TypeFor[E]())
	}
	if err := checkHome(db, typ); err != nil {
		return nil, fmt.Errorf("models: bulk insert of %v: %w", typ, err)
	}
	b.table = db.Dialect().Tables().Get(typ)
	if err := b.check(b.table); err != nil {
		return nil, fmt.Errorf("models: bulk insert of %v: %w", typ, err)
	}
	if b.maxBytes > 0 {
		b.sizer = newRowSizer(schema.NewQueryGen(db.Dialect()), b.table)
	}
	return b, nil
}

// run inserts the batches that the source hands out.
func (b *bulk[E]) run(ctx context.Context, source func(insert func([]E) error) error) (BulkResult, error) {
	if b.commitEach {
		err := source(func(batch []E) error { return b.insertAlone(ctx, batch) })
		return b.done, err
	}
	err := runInTx(ctx, b.db, nil, func(ctx context.Context, tx bun.IDB) error {
		return source(func(batch []E) error { return b.insert(ctx, tx, batch) })
	})
	if err == nil {
		return b.done, nil
	}
	if failed := (*BulkError)(nil); !errors.As(err, &failed) {
		err = fmt.Errorf("models: bulk insert of %v: %w", b.table.Type, err)
	} else {
		failed.Kept = 0
	}
	return BulkResult{}, err
}

// split cuts rows into batches.
func (b *bulk[E]) split(rows []E, insert func([]E) error) error {
	for start := 0; start < len(rows); {
		end, bytes := start, 0
		for ; end < len(rows) && end-start < b.maxRows; end++ {
			size, err := b.size(&rows[end], end)
			if err != nil {
				return err
			}
			if bytes += size; b.full(end-start, bytes) {
				break
			}
		}
		if err := insert(rows[start:end:end]); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// collect gathers batches.
func (b *bulk[E]) collect(rows iter.Seq[E], insert func([]E) error) error {
	var batch []E
	bytes, index := 0, 0
	next := new(E) // a loop's variable would be allocated for every row
	for *next = range rows {
		size, err := b.size(next, index)
		if err != nil {
			return err
		}
		if len(batch) == b.maxRows || b.full(len(batch), bytes+size) {
			if err := insert(batch); err != nil {
				return err
			}
			clear(batch)
			batch, bytes = batch[:0], 0
		}
		batch = append(batch, *next)
		bytes += size
		index++
	}
	if len(batch) == 0 {
		return nil
	}
	return insert(batch)
}

// full says that a batch of some rows cannot take another one, with which it would have bytes.
func (b *bulk[E]) full(rows, bytes int) bool {
	return b.sizer != nil && rows > 0 && bytes > b.maxBytes
}

// size bounds the bytes of a row in the statement.
func (b *bulk[E]) size(row *E, index int) (int, error) {
	if !b.pointers && b.sizer == nil {
		return 0, nil
	}
	v := reflect.ValueOf(row).Elem()
	if b.pointers {
		if v.IsNil() {
			return 0, &BulkError{From: index, To: index + 1, Kept: b.done.Rows, Err: errors.New("the row is nil")}
		}
		v = v.Elem()
	}
	if b.sizer == nil {
		return 0, nil
	}
	return b.sizer.size(v), nil
}
