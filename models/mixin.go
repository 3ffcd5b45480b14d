package models

import (
	"context"
	"reflect"
	"time"
	"unsafe"

	"github.com/uptrace/bun"
)

// A mixin is a type that models embed for its columns. Mixins have no hooks of their own: those of
// two would collide. The hooks of whichever Go promotes find all the mixins of the model by its type.
type mixin interface {
	// mixedIn returns the mixin's columns. It is called on a zero value and must not allocate.
	mixedIn() []column
	// fill sets for an insert what the caller has left zero.
	fill(now time.Time)
	// filled reports whether fill has been called.
	filled() bool
	// touch sets what an update refreshes.
	touch(now time.Time)
	// value returns the value of the column of that name, after touch.
	value(name string) any
}

// A column is a column of a mixin.
type column struct {
	name, field string
	write       writing
	pair        string // the column that is kept equal to it, if any
	indexed     bool   // whether CREATE TABLE makes an index on it
	micros      bool   // whether it holds times with microseconds
}

type writing int

const (
	once   writing = iota // by inserts only
	always                // by inserts and updates
	raised                // by inserts; updates add one
)

// hooks is what Bun calls for rows, tableHooks what it calls for tables. Every mixin holds both, see
// below.
//
// The hooks of queries, BeforeInsert and the like, do the work: Bun calls them for models of every
// shape, typed nils included. BeforeAppendModel stands in where the model hides those by its own,
// and the After hooks find what was missed in spite of both.
type (
	hooks      struct{}
	tableHooks struct{}
)

var (
	_ bun.BeforeInsertHook      = (*hooks)(nil)
	_ bun.BeforeUpdateHook      = (*hooks)(nil)
	_ bun.BeforeDeleteHook      = (*hooks)(nil)
	_ bun.BeforeSelectHook      = (*hooks)(nil)
	_ bun.AfterInsertHook       = (*hooks)(nil)
	_ bun.AfterUpdateHook       = (*hooks)(nil)
	_ bun.BeforeAppendModelHook = (*hooks)(nil)
	_ bun.BeforeCreateTableHook = (*tableHooks)(nil)
	_ bun.AfterCreateTableHook  = (*tableHooks)(nil)
	_ bun.AfterSelectHook       = (*tableHooks)(nil)
)

// BeforeInsert is called by Bun.
func (*hooks) BeforeInsert(ctx context.Context, q *bun.InsertQuery) error {
	return BeforeInsert(ctx, q)
}

// BeforeUpdate is called by Bun.
func (*hooks) BeforeUpdate(ctx context.Context, q *bun.UpdateQuery) error {
	return BeforeUpdate(ctx, q)
}

// BeforeDelete is called by Bun.
func (*hooks) BeforeDelete(ctx context.Context, q *bun.DeleteQuery) error {
	return BeforeDelete(ctx, q)
}

// BeforeSelect is called by Bun.
func (*hooks) BeforeSelect(ctx context.Context, q *bun.SelectQuery) error {
	return BeforeSelect(ctx, q)
}

// AfterInsert is called by Bun.
func (*hooks) AfterInsert(_ context.Context, q *bun.InsertQuery) error { return checkInserted(q) }

// AfterUpdate is called by Bun.
func (*hooks) AfterUpdate(_ context.Context, q *bun.UpdateQuery) error { return checkUpdated(q) }

// BeforeCreateTable is called by Bun.
func (*tableHooks) BeforeCreateTable(ctx context.Context, q *bun.CreateTableQuery) error {
	return BeforeCreateTable(ctx, q)
}

// AfterCreateTable is called by Bun.
func (*tableHooks) AfterCreateTable(ctx context.Context, q *bun.CreateTableQuery) error {
	return AfterCreateTable(ctx, q)
}

// AfterSelect is called by Bun. It reports a model whose other hooks are lost.
func (*tableHooks) AfterSelect(_ context.Context, q *bun.SelectQuery) error {
	if model, ok := q.GetModel().(bun.TableModel); ok {
		return planOf(model.Table().Type).err
	}
	return nil
}

// BeforeAppendModel is called by Bun, for each row of a slice: the first one counts.
func (h *hooks) BeforeAppendModel(ctx context.Context, q bun.Query) error {
	switch q := q.(type) {
	case *bun.InsertQuery:
		if h.inFirstRow(q.GetModel()) {
			return stampInsert(ctx, q)
		}
	case *bun.UpdateQuery:
		if h.inFirstRow(q.GetModel()) {
			return stampUpdate(ctx, q)
		}
	}
	return nil
}

func (h *hooks) inFirstRow(model bun.Model) bool {
	for row := range rows(model) {
		at, start := uintptr(unsafe.Pointer(h)), row.UnsafeAddr()
		return at >= start && at < start+row.Type().Size()
	}
	return false
}

// BeforeInsert does for q what the model's mixins do before an insert. Call it from a BeforeInsert
// of the model's own, which hides theirs.
func BeforeInsert(ctx context.Context, q *bun.InsertQuery) error {
	if err := callLost(ctx, q); err != nil {
		return err
	}
	return stampInsert(ctx, q)
}

// BeforeUpdate does for q what the model's mixins do before an update. Call it from a BeforeUpdate
// of the model's own, which hides theirs.
func BeforeUpdate(ctx context.Context, q *bun.UpdateQuery) error {
	if err := callLost(ctx, q); err != nil {
		return err
	}
	return stampUpdate(ctx, q)
}

// BeforeDelete calls each BeforeAppendModel that Go does not promote to the model because it embeds
// several. Call it from a BeforeDelete of the model's own.
func BeforeDelete(ctx context.Context, q *bun.DeleteQuery) error { return callLost(ctx, q) }

// BeforeSelect calls each BeforeAppendModel that Go does not promote to the model because it embeds
// several. Call it from a BeforeSelect of the model's own.
func BeforeSelect(ctx context.Context, q *bun.SelectQuery) error { return callLost(ctx, q) }

// callLost calls the hooks of embedded types that Go promotes from none of them, because there are
// several, in the order of the fields.
func callLost(ctx context.Context, q bun.Query) error {
	model, ok := q.GetModel().(bun.TableModel)
	if !ok {
		return nil
	}
	p := planOf(model.Table().Type)
	if p.err != nil {
		return p.err
	}
	if len(p.lost) == 0 {
		return nil
	}
	for row := range rows(model) {
		for _, index := range p.lost {
			field, ok := fieldAt(row, index)
			if !ok {
				continue
			}
			if err := field.(bun.BeforeAppendModelHook).BeforeAppendModel(ctx, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// rows yields the structs that a query's model points to: one, those of a slice, or none.
func rows(model bun.Model) func(yield func(reflect.Value) bool) {
	return func(yield func(reflect.Value) bool) {
		table, ok := model.(bun.TableModel)
		if !ok {
			return
		}
		v := reflect.ValueOf(table.Value())
		if v.Kind() != reflect.Pointer || v.IsNil() {
			return
		}
		v = v.Elem()
		if v.Kind() == reflect.Struct {
			yield(v)
			return
		}
		if v.Kind() != reflect.Slice {
			return
		}
		for i := range v.Len() {
			row := v.Index(i)
			for row.Kind() == reflect.Pointer || row.Kind() == reflect.Interface {
				row = row.Elem()
			}
			if row.IsValid() && row.Kind() == reflect.Struct && !yield(row) {
				return
			}
		}
	}
}

// fieldAt returns a pointer to the field of row at index, or false if a nil pointer is on the way.
func fieldAt(row reflect.Value, index []int) (any, bool) {
	for _, i := range index {
		if row.Kind() == reflect.Pointer {
			if row.IsNil() {
				return nil, false
			}
			row = row.Elem()
		}
		row = row.Field(i)
	}
	if row.Kind() == reflect.Pointer {
		return row.Interface(), !row.IsNil()
	}
	return row.Addr().Interface(), true
}

// Each mixin holds the hooks at depths of its own, the least for the one that is embedded most: with
// Timestamps and Version side by side Go promotes those of Timestamps, three levels down, and those of
// Version, seven levels down, are no rivals. That holds while a mixin is embedded by way of at most three
// structs more than another. Should both meet at one depth, one kind of hook is lost and the other,
// whose distances differ, says so.
type (
	timestampsHooks struct { // three levels down
		hooks
		tableHooks
	}

	versionHooks  struct{ versionHooks1 }
	versionHooks1 struct{ versionHooks2 }
	versionHooks2 struct{ versionHooks3 }
	versionHooks3 struct{ versionHooks4 }
	versionHooks4 struct { // seven and eight levels down
		hooks
		tableHooks1
	}

	epochHooks  struct{ epochHooks1 }
	epochHooks1 struct{ epochHooks2 }
	epochHooks2 struct{ epochHooks3 }
	epochHooks3 struct{ epochHooks4 }
	epochHooks4 struct{ epochHooks5 }
	epochHooks5 struct{ epochHooks6 }
	epochHooks6 struct{ epochHooks7 }
	epochHooks7 struct{ epochHooks8 }
	epochHooks8 struct { // eleven and thirteen levels down
		hooks
		tableHooks2
	}

	tableHooks1 struct{ tableHooks }
	tableHooks2 struct{ tableHooks1 }
)
