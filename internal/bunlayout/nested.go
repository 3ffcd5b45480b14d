package bunlayout

import (
	"reflect"
	"unsafe"

	"github.com/uptrace/bun"
)

// A Visit is called with a builder that is part of a query, and with the model beside which it stands: nil for the
// query's own, else the model of a has-many relation, which is loaded by a query of its own.
type Visit func(part bun.Query, beside reflect.Type) error

// Nested calls visit with every builder that is part of q, at any depth, until visit returns an error,
// which it returns. Parts are arguments, common table expressions, members of set operations, sources,
// joins, columns, assignments and values of rows, and what stands in the fields of a caller's own
// [schema.QueryAppender].
//
// Not seen are what a function appends, and columns that a function gives to a has-many relation: Bun writes them
// before it asks anybody.
func Nested(q bun.Query, visit Visit) error {
	f := &finder{visit: visit}
	return f.parts(q, true)
}

// NestedIn is [Nested] for the arguments of a text that is no builder, and the named arguments of db.
func NestedIn(db *bun.DB, args []any, visit Visit) error {
	f := &finder{visit: visit}
	if db != nil && wordAt(unsafe.Pointer(db), dbArgs) != 0 {
		if err := f.memory(infoOf(dbType), unsafe.Pointer(db)); err != nil {
			return err
		}
	}
	if !argumentsMayHold(args) {
		return nil
	}
	for _, v := range args {
		if err := f.value(v, true); err != nil {
			return err
		}
	}
	return nil
}

// finder walks through a builder, where Bun went when it wrote the query's text.
type finder struct {
	visit  Visit
	beside reflect.Type
	seen   map[unsafe.Pointer]bool
}

// first reports whether p is looked at for the first time.
func (f *finder) first(p unsafe.Pointer) bool {
	if p == nil || f.seen[p] {
		return false
	}
	if f.seen == nil {
		f.seen = make(map[unsafe.Pointer]bool)
	}
	f.seen[p] = true
	return true
}

// value looks at v. Argument says that it is an argument of a text, which may be a struct of named
// arguments.
func (f *finder) value(v any, argument bool) error {
	q, ok := v.(bun.Query)
	if !ok {
		return f.parts(v, argument)
	}
	if r := reflect.ValueOf(v); isHollow(r) || r.Kind() == reflect.Pointer && f.seen[r.UnsafePointer()] {
		return nil
	}
	if err := f.visit(q, f.beside); err != nil {
		return err
	}
	return f.parts(v, true)
}

// isHollow reports whether a builder, or what wraps one, is nil: Bun could not write it.
func isHollow(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || v.Elem().Kind() == reflect.Struct && !isBuns(v.Elem().Type()) && isHollow(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Anonymous && f.Type.Implements(queryType) && isHollow(v.Field(i)) {
				return true
			}
		}
	}
	return false
}

// parts looks at what v leads to.
func (f *finder) parts(v any, argument bool) error {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil
	}
	in := infoOf(t)
	switch {
	case !in.holds:
		return nil
	case in.kind == reflect.Pointer:
		if argument || in.appends || in.isModel || in.elem().kind != reflect.Struct {
			return f.pointed(in.elem(), reflect.ValueOf(v).UnsafePointer())
		}
		return nil
	case in.kind == reflect.Struct && !argument && !in.appends:
		return nil
	}
	at := reflect.New(t)
	at.Elem().Set(reflect.ValueOf(v))
	return f.memory(in, at.UnsafePointer())
}

// pointed looks at the value at p, where a pointer leads.
func (f *finder) pointed(in *typeInfo, p unsafe.Pointer) error {
	if !f.first(p) {
		return nil
	}
	return f.memory(in, p)
}

// memory looks at a value of a type.
func (f *finder) memory(in *typeInfo, p unsafe.Pointer) error {
	switch {
	case !in.holds:
		return nil
	case in.typ == valueType:
		if v := *(*reflect.Value)(p); v.IsValid() && v.CanInterface() {
			return f.value(v.Interface(), false)
		}
		return nil
	case in.kind == reflect.Struct:
		return f.fields(in, p)
	}
	v := reflect.NewAt(in.typ, p).Elem()
	switch in.kind {
	case reflect.Interface:
		if !v.IsNil() {
			return f.value(v.Elem().Interface(), false)
		}
	case reflect.Pointer:
		if in.isQuery {
			return f.value(v.Interface(), false)
		}
		return f.pointed(in.elem(), v.UnsafePointer())
	case reflect.Slice, reflect.Array:
		return f.elements(in, v)
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := f.value(it.Value().Interface(), true); err != nil {
				return err
			}
		}
	}
	return nil
}

// elements looks at a slice or an array. A text's only argument may be a struct of named ones.
func (f *finder) elements(in *typeInfo, v reflect.Value) error {
	if v.Len() == 1 && in.elem().typ == anyType && !v.Index(0).IsNil() {
		return f.value(v.Index(0).Elem().Interface(), true)
	}
	for i := range v.Len() {
		if err := f.memory(in.elem(), v.Index(i).Addr().UnsafePointer()); err != nil {
			return err
		}
	}
	return nil
}

// fields looks at the parts of a struct.
func (f *finder) fields(in *typeInfo, p unsafe.Pointer) error {
	if in.join != nil {
		return f.join(in.join, p)
	}
	for _, part := range in.fields() {
		if err := f.memory(part.of, unsafe.Add(p, part.at)); err != nil {
			return err
		}
	}
	if in.rows {
		return f.rows(reflect.NewAt(in.typ, p).Interface().(bun.Query))
	}
	return nil
}
