package models

import (
	"context"
	"errors"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/feature"
)

// insertAlone inserts a batch that stays whatever becomes of the next one.
func (b *bulk[E]) insertAlone(ctx context.Context, batch []E) error {
	// In a transaction a batch that fails must leave the rest usable; and the count of ignored rows is
	// kept in the session.
	if !inTx(ctx, b.db) && !b.countsIgnored() {
		return b.insert(ctx, b.db, batch) // one statement is a transaction
	}
	before := b.done
	err := runInTx(ctx, b.db, nil, func(ctx context.Context, tx bun.IDB) error { return b.insert(ctx, tx, batch) })
	if err == nil {
		return nil
	}
	b.done = before // what is not committed is not done
	if failed := (*BulkError)(nil); errors.As(err, &failed) {
		return failed
	}
	return b.failed(batch, err)
}

// insert inserts one batch by one statement.
func (b *bulk[E]) insert(ctx context.Context, db bun.IDB, batch []E) error {
	ignored, err := b.ignoredBefore(ctx, db)
	if err != nil {
		return b.failed(batch, err)
	}
	restore := b.keepKeys(batch)
	model := batch // Bun cuts it to the rows that came back
	res, err := b.query(db, &model).Exec(ctx)
	restore()
	if err != nil {
		return b.failed(batch, err)
	}
	affected, err := res.RowsAffected()
	if err != nil {
		return b.failed(batch, err)
	}
	switch {
	case b.conflict.mode != ignoreConflict:
		ignored = 0
	case b.countsIgnored():
		before := ignored
		if ignored, err = ignoredSoFar(ctx, db); err != nil {
			return b.failed(batch, err)
		}
		ignored -= before
		affected = int64(len(batch) - ignored)
	default:
		ignored = len(batch) - int(affected)
	}
	b.done.Rows += len(batch)
	b.done.Batches++
	b.done.Ignored += ignored
	b.done.Affected += affected
	if b.progress != nil {
		b.progress(b.done)
	}
	return nil
}

func (b *bulk[E]) failed(batch []E, err error) error {
	return &BulkError{From: b.done.Rows, To: b.done.Rows + len(batch), Kept: b.done.Rows, Err: err}
}

// query makes the statement. The slice is the model itself, so that what comes back is stored in
// the caller's rows.
func (b *bulk[E]) query(db bun.IDB, batch *[]E) *bun.InsertQuery {
	q := db.NewInsert().Model(batch)
	if !b.has(feature.DefaultPlaceholder) {
		// Where DEFAULT cannot be written for one row, Bun leaves out each column that the first row
		// leaves to the database, and with it the values of all others.
		q = q.Column(columnNames(b.table.Fields)...)
	}
	if b.into != nil {
		q = q.ModelTableExpr(b.into.Query, b.into.Args...)
	}
	if b.conflict.mode == ignoreConflict {
		q = q.Returning("") // rows would be missing, and the next ones take their places
	}
	return b.conflict.apply(q, b.table)
}

// keepKeys returns what undoes Bun's guess at the keys where they do not come back: it counts on from
// the first, or, when the rows have brought their own, from the last of those.
func (b *bulk[E]) keepKeys(batch []E) (restore func()) {
	if b.has(feature.Returning) || len(b.table.PKs) != 1 || !b.table.PKs[0].AutoIncrement {
		return func() {}
	}
	key := b.table.PKs[0]
	held := reflect.MakeSlice(reflect.SliceOf(key.StructField.Type), len(batch), len(batch))
	rows := reflect.ValueOf(batch)
	comeBack := false
	for i := range batch {
		row := reflect.Indirect(rows.Index(i))
		held.Index(i).Set(key.Value(row))
		comeBack = comeBack || key.HasZeroValue(row)
	}
	if comeBack && b.has(feature.InsertReturning) && b.conflict.mode != ignoreConflict {
		return func() {}
	}
	return func() {
		for i := range batch {
			key.Value(reflect.Indirect(rows.Index(i))).Set(held.Index(i))
		}
	}
}

func (b *bulk[E]) has(f feature.Feature) bool { return b.db.Dialect().Features().Has(f) }

// countsIgnored says that ignored rows are counted in the session's variable.
func (b *bulk[E]) countsIgnored() bool {
	return b.conflict.mode == ignoreConflict && b.has(feature.InsertOnDuplicateKey)
}

func (b *bulk[E]) ignoredBefore(ctx context.Context, db bun.IDB) (int, error) {
	if !b.countsIgnored() {
		return 0, nil
	}
	return ignoredSoFar(ctx, db)
}

// ignoredSoFar returns what the session has counted.
func ignoredSoFar(ctx context.Context, db bun.IDB) (n int, err error) {
	err = db.NewRaw("SELECT CAST(IFNULL("+ignoredVariable+", 0) AS SIGNED)").Scan(ctx, &n)
	return n, err
}
