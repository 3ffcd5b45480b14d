package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Version is a mixin with a row's version, for optimistic locking by [UpdateVersioned] and
// [DeleteVersioned]. An insert sets version 1, unless the caller has set another. Every other update
// raises it too, so that nobody who holds the old version overwrites that update unawares; such an
// update does not check it, and leaves the model's own RowVersion as it was: read the row again
// before the next UpdateVersioned. A soft delete does not raise it.
type Version struct {
	versionHooks

	// RowVersion is the version that was read; 0 is a row that was never inserted.
	RowVersion int64 `bun:"version,notnull,skipupdate" json:"version"`
}

var _ mixin = (*Version)(nil)

const versionColumn = "version"

var versionColumns = []column{{name: versionColumn, field: "RowVersion", write: raised}}

func (*Version) mixedIn() []column { return versionColumns }

func (v *Version) fill(time.Time) {
	if v.RowVersion == 0 {
		v.RowVersion = 1
	}
}

func (v *Version) filled() bool { return v.RowVersion != 0 }

func (*Version) touch(time.Time) {}

func (v *Version) value(string) any { return v.RowVersion }

// UpdateVersioned updates the row of model, a pointer to a struct that embeds [Version], if it still
// has the version that the model holds, and raises that: in one statement,
//
//	UPDATE … SET …, version = version + 1 WHERE <primary key> AND version = <held>
//
// It writes the columns named, or all of them, and refreshes the other mixins as any update does. If
// the row has changed or is gone, the error is a [*StaleError], and nothing is written; one more
// query finds out which. The version in memory moves, and other mixins' times do, only if the
// statement succeeded. If the surrounding transaction is rolled back after that, the model is ahead
// of the row: read it again, as after any rollback. The same goes for a statement whose answer was
// lost: the model then is behind the row if it was written, and the next UpdateVersioned says so.
func UpdateVersioned(ctx context.Context, db bun.IDB, model any, columns ...string) error {
	v, err := versionedOf("UpdateVersioned", db, model)
	if err != nil {
		return err
	}
	if len(columns) == 0 {
		for _, f := range v.table.DataFields {
			columns = append(columns, f.Name)
		}
	}
	for _, c := range columns {
		if !v.table.HasField(c) {
			return &UnknownColumnError{Model: v.table.Type, Column: c, Columns: columnNames(v.table.Fields)}
		}
	}
	q := db.NewUpdate().Model(model).Column(columns...).WherePK().
		Set("? = ? + 1", bun.Ident(versionColumn), bun.Ident(versionColumn)).
		Where("? = ?", bun.Ident(versionColumn), v.held)
	undo := v.remember()
	res, err := q.Exec(ctx)
	if err = v.outcome(ctx, "update", res, err); err != nil {
		undo()
		return err
	}
	v.row.RowVersion = v.held + 1
	return nil
}

// DeleteVersioned deletes the row of model, a pointer to a struct that embeds [Version], if it still
// has the version that the model holds; otherwise the error is a [*StaleError]. A model with a soft
// delete column is deleted softly.
func DeleteVersioned(ctx context.Context, db bun.IDB, model any) error {
	v, err := versionedOf("DeleteVersioned", db, model)
	if err != nil {
		return err
	}
	res, err := db.NewDelete().Model(model).WherePK().Where("? = ?", bun.Ident(versionColumn), v.held).Exec(ctx)
	return v.outcome(ctx, "delete", res, err)
}

// versioned is a model that is being written.
type versioned struct {
	db    bun.IDB
	model reflect.Value // the struct
	table *schema.Table
	plan  *plan
	row   *Version // within the model
	held  int64
}

func versionedOf(call string, db bun.IDB, model any) (*versioned, error) {
	m := reflect.ValueOf(model)
	if m.Kind() != reflect.Pointer || m.IsNil() || m.Elem().Kind() != reflect.Struct {
		return nil, &ModelError{Call: call, Type: reflect.TypeOf(model), Want: "a pointer to one struct"}
	}
	if err := checkHome(db, m.Type().Elem()); err != nil {
		return nil, fmt.Errorf("models: %s: %w", call, err)
	}
	v := &versioned{db: db, model: m.Elem(), table: db.Dialect().Tables().Get(m.Type()), plan: planOf(m.Type().Elem())}
	if v.plan.err != nil {
		return nil, v.plan.err
	}
	for i := range v.plan.mixins {
		if row, ok := v.plan.mixins[i].in(v.model); ok {
			if version, ok := row.(*Version); ok {
				v.row, v.held = version, version.RowVersion
			}
		}
	}
	if v.row == nil {
		return nil, &ModelError{Call: call, Type: m.Type(), Want: "a model that embeds models.Version"}
	}
	return v, v.plan.checkColumns(v.table)
}

// remember returns what puts the mixins back to what they are now.
func (v *versioned) remember() (undo func()) {
	var before []reflect.Value
	for i := range v.plan.mixins {
		if m, ok := v.plan.mixins[i].in(v.model); ok {
			was := reflect.New(v.plan.mixins[i].typ).Elem()
			was.Set(reflect.ValueOf(m).Elem())
			before = append(before, was)
		} else {
			before = append(before, reflect.Value{})
		}
	}
	return func() {
		for i := range v.plan.mixins {
			if m, ok := v.plan.mixins[i].in(v.model); ok && before[i].IsValid() {
				reflect.ValueOf(m).Elem().Set(before[i])
			}
		}
	}
}

// outcome is the error of a statement that should have written one row.
func (v *versioned) outcome(ctx context.Context, verb string, res sql.Result, err error) error {
	var n int64
	if err == nil {
		// MySQL counts the rows that changed, unless told to count those that matched. Here they are
		// the same: the version always changes.
		n, err = res.RowsAffected()
	}
	if err != nil {
		endUndone(v.db, err)
		if refusedAsStale(v.db, err) {
			e := v.staleError()
			e.Err = err
			return e
		}
		return fmt.Errorf("models: %s %s: %w", verb, v.table.Type, err)
	}
	if n > 0 {
		return nil
	}
	return v.stale(ctx)
}

// stale finds out what became of the row.
func (v *versioned) stale(ctx context.Context) error {
	found := reflect.New(v.table.Type)
	found.Elem().Set(v.model)
	q := v.db.NewSelect().Model(found.Interface()).Column(versionColumn).WherePK()
	switch v.db.Dialect().Name() {
	case dialect.PG:
		q.For("KEY SHARE") // the weakest lock: to any router this is no read for a replica
	case dialect.MySQL:
		q.For("UPDATE") // also, a plain read would show the transaction's snapshot
	}
	e := v.staleError()
	err := q.Scan(reread(ctx))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		e.Gone = true
	case err != nil:
		endUndone(v.db, err)
		return fmt.Errorf("%w; what became of it cannot be read: %w", e, err)
	default:
		for i := range v.plan.mixins {
			if m, ok := v.plan.mixins[i].in(found.Elem()); ok && v.plan.mixins[i].typ == reflect.TypeFor[Version]() {
				e.Found = m.(*Version).RowVersion
			}
		}
	}
	return e
}

func (v *versioned) staleError() *StaleError {
	e := &StaleError{Model: v.table.Type, Held: v.held}
	for _, pk := range v.table.PKs {
		e.Key = append(e.Key, KeyValue{Column: pk.Name, Value: pk.Value(v.model).Interface()})
	}
	return e
}
