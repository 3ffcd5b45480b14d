package models

import (
	"fmt"
	"reflect"

	"github.com/uptrace/bun"
)

// PrimaryKeys returns the names of the columns of model's primary key, in the order of its fields;
// none if it has none. model is a struct, a slice of structs, or a pointer to either, also a nil
// one. For their values see [ToMap] with [PrimaryKeyColumns].
func PrimaryKeys(db bun.IDB, model any) ([]string, error) {
	typ, err := structType("PrimaryKeys", model)
	if err != nil {
		return nil, err
	}
	if err := checkHome(db, typ); err != nil {
		return nil, fmt.Errorf("models: PrimaryKeys: %w", err)
	}
	var names []string
	for _, pk := range db.Dialect().Tables().Get(typ).PKs {
		names = append(names, pk.Name)
	}
	return names, nil
}

// structType returns the struct that model is, points to, or is a slice of.
func structType(call string, model any) (reflect.Type, error) {
	typ := reflect.TypeOf(model)
	for t := typ; t != nil; t = t.Elem() {
		switch t.Kind() {
		case reflect.Struct:
			return t, nil
		case reflect.Pointer, reflect.Slice, reflect.Array:
			continue
		}
		break
	}
	return nil, &ModelError{Call: call, Type: typ, Want: "a struct, a slice of structs or a pointer to either"}
}
