package models

import (
	"reflect"
	"sync"
)

// A typeSearch looks for something in a type and in all that it is made of, except what is behind an interface. It remembers the types that
// were searched, and is safe for concurrent use.
type typeSearch struct {
	// is reports whether a type is what is looked for and, if not, whether what it is made of counts.
	is    func(reflect.Type) (found, goOn bool)
	field func(reflect.StructField) bool // whether a struct's field counts; nil: each does
	known sync.Map                       // of reflect.Type to bool
}

func (s *typeSearch) in(typ reflect.Type) bool {
	if found, ok := s.known.Load(typ); ok {
		return found.(bool)
	}
	found := s.search(typ, map[reflect.Type]bool{})
	s.known.Store(typ, found)
	return found
}

func (s *typeSearch) search(typ reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[typ] {
		return false
	}
	seen[typ] = true
	if found, goOn := s.is(typ); found || !goOn {
		return found
	}
	switch typ.Kind() {
	case reflect.Map:
		return s.search(typ.Key(), seen) || s.search(typ.Elem(), seen)
	case reflect.Slice, reflect.Array, reflect.Pointer:
		return s.search(typ.Elem(), seen)
	case reflect.Struct:
		for i := range typ.NumField() {
			if f := typ.Field(i); (s.field == nil || s.field(f)) && s.search(f.Type, seen) {
				return true
			}
		}
	}
	return false
}
