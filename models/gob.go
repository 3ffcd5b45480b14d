package models

import (
	"bytes"
	"encoding/gob"
	"reflect"
	"sync"
)

// decodeGob reads a gob into v, which is zero. Gob makes a map as large as the data says before it reads what is in it: a few bytes can ask
// for more memory than there is. Where a T may hold a map, the data is read without one first, which fails where it ends.
func decodeGob(data []byte, v any) error {
	if holdsMap(reflect.TypeOf(v).Elem()) {
		if err := gob.NewDecoder(bytes.NewReader(data)).DecodeValue(reflect.Value{}); err != nil {
			return err
		}
	}
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

// mapHolders knows of types whether they may hold a map.
var mapHolders sync.Map // of reflect.Type to bool

func holdsMap(typ reflect.Type) bool {
	if holds, ok := mapHolders.Load(typ); ok {
		return holds.(bool)
	}
	holds := findsMap(typ, map[reflect.Type]bool{})
	mapHolders.Store(typ, holds)
	return holds
}

func findsMap(typ reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[typ] {
		return false
	}
	seen[typ] = true
	switch typ.Kind() {
	case reflect.Map:
		return true
	case reflect.Slice, reflect.Array, reflect.Pointer:
		return findsMap(typ.Elem(), seen)
	case reflect.Struct:
		for i := range typ.NumField() {
			if findsMap(typ.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
