package bunlayout

import (
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// The values of rows are literals as a rule. A field of type any, or of an interface with AppendQuery, may
// hold an expression, as a map's values may.

// writesRows reports whether a builder of struct t writes its model's rows.
func writesRows(t reflect.Type) bool {
	return t == reflect.TypeFor[bun.InsertQuery]() || t == reflect.TypeFor[bun.UpdateQuery]() || t == reflect.TypeFor[bun.ValuesQuery]()
}

// plainTables are tables whose rows hold literals alone, by a hash of their address.
var plainTables [1 << tableBits]atomic.Pointer[schema.Table]

const tableBits = 8

// rowsMayHold reports whether builders may stand in the rows that q writes, whose table model is m: nil if it has none.
func rowsMayHold(q bun.Query, m bun.TableModel) bool {
	if m == nil {
		return q.GetModel() != nil
	}
	t := m.Table()
	const odd = 0x9e3779b97f4a7c15
	slot := &plainTables[uint64(uintptr(unsafe.Pointer(t)))*odd>>(64-tableBits)]
	if slot.Load() == t {
		return false
	}
	if len(openFields(t.Type)) > 0 {
		return true
	}
	slot.Store(t)
	return false
}

var open sync.Map // reflect.Type → [][]int

// openFields returns the indexes of the fields of a model that may hold builders.
func openFields(t reflect.Type) [][]int {
	if fields, ok := open.Load(t); ok {
		return fields.([][]int)
	}
	var fields [][]int
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && f.Type.Kind() == reflect.Interface && holds(f.Type) {
			fields = append(fields, f.Index)
		}
	}
	open.Store(t, fields)
	return fields
}

// rows looks at the values of the rows that q writes.
func (f *finder) rows(q bun.Query) error {
	m := q.GetModel()
	if m == nil {
		return nil
	}
	return f.row(reflect.ValueOf(m.Value()))
}

func (f *finder) row(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return f.row(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		if e := v.Type().Elem(); e.Kind() == reflect.Struct && len(openFields(e)) == 0 {
			return nil
		}
		for i := range v.Len() {
			if err := f.row(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := f.value(it.Value().Interface(), false); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for _, index := range openFields(v.Type()) {
			field, err := v.FieldByIndexErr(index)
			if err != nil || field.IsNil() {
				continue // behind a nil pointer
			}
			if err := f.value(field.Elem().Interface(), false); err != nil {
				return err
			}
		}
	}
	return nil
}
