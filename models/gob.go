package models

import (
	"bytes"
	"encoding/gob"
	"reflect"
)

// decodeGob reads a gob into v, which is zero. Gob makes a map as large as the data says before it reads what is in it: a few bytes can ask
// for more memory than there is. Where a T may hold a map, the data is read without one first, which fails where it ends.
func decodeGob(data []byte, v any) error {
	if mapHolders.in(reflect.TypeOf(v).Elem()) {
		if err := gob.NewDecoder(bytes.NewReader(data)).DecodeValue(reflect.Value{}); err != nil {
			return err
		}
	}
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

// mapHolders are types whose values may hold a map.
var mapHolders = &typeSearch{is: func(typ reflect.Type) (found, goOn bool) { return typ.Kind() == reflect.Map, true }}
