package models

import (
	"errors"
	"reflect"
)

// StorageOnly is a field's type whose Scan reads what was written to a database and nothing else: [SerializedAs] and [Encrypted], and
// types of your own that say so, such as one that decodes a format which is not made for strangers. Filters and maps take a value of the
// type itself for such a column, or nil, and never give its Scan a value of a request. Rows cannot be ordered by it.
type StorageOnly interface {
	StorageOnly()
}

// A heldField is a StorageOnly type that also takes a value of the type that it holds.
type heldField interface {
	heldType() reflect.Type
	hold(v reflect.Value) // in the receiver, a pointer
}

var (
	errStored      = errors.New("a serialized column: it takes a value of the type that it holds, or nil")
	errStoredOrder = errors.New("a column of serialized values, which have no order")
)

// StorageOnly says that Scan reads what was written to a database alone.
func (SerializedAs[T, E]) StorageOnly() {}

// StorageOnly says that Scan reads what was written to a database alone.
func (Encrypted[T, C]) StorageOnly() {}

func (SerializedAs[T, E]) heldType() reflect.Type { return reflect.TypeFor[T]() }

func (s *SerializedAs[T, E]) hold(v reflect.Value) { reflect.ValueOf(&s.V).Elem().Set(v) }

func isStored(typ reflect.Type) bool { return implements[StorageOnly](reflect.PointerTo(typ)) }

// held returns a value of the storage-only type, made of v, which may be one or what such holds, or a pointer to either. It returns the zero
// Value for nil, and false for anything else.
func held(typ reflect.Type, v reflect.Value) (reflect.Value, bool) {
	into := reflect.New(typ)
	holder, _ := into.Interface().(heldField)
	for v.IsValid() {
		if k := v.Kind(); (k == reflect.Pointer || k == reflect.Interface) && v.IsNil() {
			return reflect.Value{}, true
		}
		switch {
		case v.Type() == typ:
			return v, true
		case v.Kind() == reflect.Pointer && v.Type().Elem() == typ:
			return v.Elem(), true
		case holder != nil && v.Type().AssignableTo(holder.heldType()):
			holder.hold(v)
			return into.Elem(), true
		case v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface:
			return reflect.Value{}, false
		}
		v = v.Elem()
	}
	return reflect.Value{}, true
}
