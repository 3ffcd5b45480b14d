package bunlayout

import (
	"reflect"
	"slices"
	"unsafe"

	"github.com/uptrace/bun"
)

// Nested calls visit with every builder that is part of q, at any depth, until visit returns an error,
// which it returns. Parts are arguments, common table expressions, members of set operations, sources,
// joins, columns and assignments, and what stands in the fields of a caller's own
// [schema.QueryAppender]. What a function appends is not seen.
func Nested(q bun.Query, visit func(bun.Query) error) error {
	return (&finder{visit: visit}).parts(q, true)
}

// finder walks through a builder, where Bun went when it wrote the query's text.
type finder struct {
	visit func(bun.Query) error
	seen  []unsafe.Pointer
}

// value looks at v. Argument says that it is an argument of a text, which may be a struct of named
// arguments.
func (f *finder) value(v any, argument bool) error {
	q, ok := v.(bun.Query)
	if !ok {
		return f.parts(v, argument)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && (r.IsNil() || slices.Contains(f.seen, r.UnsafePointer())) {
		return nil
	}
	if err := f.visit(q); err != nil {
		return err
	}
	return f.parts(v, true)
}

// parts looks at what v leads to.
func (f *finder) parts(v any, argument bool) error {
	t := reflect.TypeOf(v)
	switch {
	case t == nil:
		return nil
	case t.Kind() == reflect.Pointer:
		if argument || isFollowed(t) {
			return f.pointed(t, reflect.ValueOf(v).UnsafePointer())
		}
		return nil
	case t.Kind() == reflect.Struct && !argument && !t.Implements(appenderType) && !t.Implements(namedType),
		!holds(t):
		return nil
	}
	at := reflect.New(t)
	at.Elem().Set(reflect.ValueOf(v))
	return f.memory(t, at.UnsafePointer())
}

// pointed looks at what a pointer of type t leads to.
func (f *finder) pointed(t reflect.Type, p unsafe.Pointer) error {
	if p == nil || slices.Contains(f.seen, p) {
		return nil
	}
	f.seen = append(f.seen, p)
	return f.memory(t.Elem(), p)
}

// memory looks at a value of type t.
func (f *finder) memory(t reflect.Type, p unsafe.Pointer) error {
	if !holds(t) {
		return nil
	}
	if t == valueType {
		if v := *(*reflect.Value)(p); v.IsValid() {
			return f.value(v.Interface(), false)
		}
		return nil
	}
	v := reflect.NewAt(t, p).Elem()
	switch t.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			return f.value(v.Elem().Interface(), false)
		}
	case reflect.Pointer:
		if t.Implements(queryType) {
			return f.value(v.Interface(), false)
		}
		return f.pointed(t, v.UnsafePointer())
	case reflect.Slice, reflect.Array:
		if v.Len() == 1 && t.Elem() == anyType && !v.Index(0).IsNil() {
			return f.value(v.Index(0).Elem().Interface(), true)
		}
		for i := range v.Len() {
			if err := f.memory(t.Elem(), v.Index(i).Addr().UnsafePointer()); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := f.value(it.Value().Interface(), true); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if field := t.Field(i); isPart(t, field) {
				if err := f.memory(field.Type, unsafe.Add(p, field.Offset)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// NestedIn is [Nested] for the arguments of a text that is no builder.
func NestedIn(args []any, visit func(bun.Query) error) error {
	if !argumentsMayHold(args) {
		return nil
	}
	f := &finder{visit: visit}
	for _, v := range args {
		if err := f.value(v, true); err != nil {
			return err
		}
	}
	return nil
}
