package models

import (
	"database/sql"
	"errors"
	"reflect"
	"strings"
)

// StorageOnly is a field's type whose Scan reads what was written to a database and nothing else: [SerializedAs] and [Encrypted], and
// types of your own that say so, such as one that decodes a format which is not made for strangers. Filters and maps take a value of the
// type itself for such a column, or nil, and never give its Scan a value of a request. Rows cannot be ordered by it.
//
// A type with a Scan that has such a type in a field, behind a pointer or in a slice, as [database/sql.Null] of a [Serialized] has, counts as one too,
// since its Scan may call that of the other. A [JSON] or a [List] does not: they call no other Scan. What a Scan of yours reaches in another
// way, by an interface or a variable of its own, is not seen: give its type the method StorageOnly.
type StorageOnly interface {
	StorageOnly()
}

// A heldField is a StorageOnly type that also takes a value of the type that it holds.
type heldField interface {
	heldType() reflect.Type    // of a nil receiver, too
	hold(v reflect.Value) bool // in the receiver; false if that is nil, as a pointer that a struct embeds
}

var (
	errStored      = reason{"a serialized column: it takes a value of the type that it holds, or nil", noSuchValue}
	errStoredOrder = errors.New("a column of serialized values, which have no order")
)

// StorageOnly says that Scan reads what was written to a database alone.
func (SerializedAs[T, E]) StorageOnly() {}

// StorageOnly says that Scan reads what was written to a database alone.
func (Encrypted[T, C]) StorageOnly() {}

func (*SerializedAs[T, E]) heldType() reflect.Type { return reflect.TypeFor[T]() }

func (s *SerializedAs[T, E]) hold(v reflect.Value) bool {
	if s == nil {
		return false
	}
	reflect.ValueOf(&s.V).Elem().Set(v)
	return true
}

// A jsonField is a type whose Scan reads JSON, and calls no Scan of what it holds.
type jsonField interface{ readsJSON() }

func (*JSON[T]) readsJSON() {}
func (*List[T]) readsJSON() {}

// storedTypes and sealedTypes look for a StorageOnly and for an Encrypted in what a Scan may call.
var storedTypes, sealedTypes = searchScans[StorageOnly](), searchScans[sealedField]()

func searchScans[I any]() *typeSearch {
	return &typeSearch{is: func(typ reflect.Type) (found, goOn bool) {
		ptr := reflect.PointerTo(typ)
		return implements[I](ptr), !implements[jsonField](ptr)
	}}
}

// isStored reports whether no value of a request may reach the type's Scan.
func isStored(typ reflect.Type) bool { return scansOrStores(typ) && storedTypes.in(typ) }

// hasSealed reports whether the type is an [Encrypted], or its Scan may read one.
func hasSealed(typ reflect.Type) bool { return scansOrStores(typ) && sealedTypes.in(typ) }

func scansOrStores(typ reflect.Type) bool {
	ptr := reflect.PointerTo(typ)
	return implements[sql.Scanner](ptr) || implements[StorageOnly](ptr)
}

// held returns a value of the storage-only type, made of v, which may be one or what such holds, or a pointer to either. It returns the zero
// Value for nil, and false for anything else.
func held(typ reflect.Type, v reflect.Value) (reflect.Value, bool) {
	into := reflect.New(typ).Elem()
	for v.IsValid() {
		if k := v.Kind(); (k == reflect.Pointer || k == reflect.Interface) && v.IsNil() {
			return reflect.Value{}, true
		}
		switch {
		case v.Type() == typ:
			return v, true
		case v.Kind() == reflect.Pointer && v.Type().Elem() == typ:
			return v.Elem(), true
		case hold(into, v):
			return into, true
		case v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface:
			return reflect.Value{}, false
		}
		v = v.Elem()
	}
	return reflect.Value{}, true
}

// hold sets into, of a storage-only type, to hold v, and reports whether it does.
func hold(into, v reflect.Value) bool {
	if holder, ok := into.Addr().Interface().(heldField); ok {
		return v.Type().AssignableTo(holder.heldType()) && holder.hold(v)
	}
	if typ := into.Type(); typ.PkgPath() != "database/sql" || !strings.HasPrefix(typ.Name(), "Null[") {
		return false
	}
	inner := into.FieldByName("V")
	if v.Type() != inner.Type() && !hold(inner, v) {
		return false
	}
	if v.Type() == inner.Type() {
		inner.Set(v)
	}
	into.FieldByName("Valid").SetBool(true)
	return true
}
