package bunlayout

import (
	"reflect"

	"github.com/uptrace/bun"
)

var connType = reflect.TypeFor[bun.IConn]()

// HasConn reports whether a builder has a connection of its own, as those of a bun.Tx and a bun.Conn
// have: Bun then asks no resolver. A builder of an unknown kind has one.
func HasConn(q bun.Query) bool {
	v := reflect.ValueOf(q)
	for v.Kind() == reflect.Struct && v.NumField() > 0 { // Bun's countQuery and its like hold a builder
		v = v.Field(0)
	}
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return true
	}
	conn, found := connIn(v.Elem())
	return !found || conn
}

// connIn looks for the connection in a struct and in those that it embeds.
func connIn(v reflect.Value) (has, found bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Type == connType:
			return !v.Field(i).IsNil(), true
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			if has, found = connIn(v.Field(i)); found {
				return has, true
			}
		}
	}
	return false, false
}
