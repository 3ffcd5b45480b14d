package binds

import (
	"reflect"
	"sync"
)

// KeyOf returns the key of the bind that model lives in, "" being the default bind.
//
// A model is a struct, a pointer to one, a slice of either, or a nil pointer of such a type. Its
// key comes from the marker it embeds, at any depth, by value or by pointer; a model without a
// marker belongs to the default bind. A marker value and a [Key] are answered by themselves.
//
// Two markers in one model are an [*AmbiguousBindError], never the default bind: at one depth Go
// promotes neither, at two depths one silently hides the other. An untyped nil is [ErrNilModel].
//
// The answer belongs to the type and is remembered; asking again takes nanoseconds and allocates
// nothing. KeyOf is safe for concurrent use.
func KeyOf(model any) (Key, error) {
	switch m := model.(type) {
	case nil:
		return "", ErrNilModel
	case Key:
		return m, nil
	}
	t := lookUp(reflect.TypeOf(model))
	if t.own {
		if b, ok := model.(Bound); ok && !isNilPointer(model) {
			return b.BindKey(), nil
		}
	}
	return t.key, t.err
}

// KeyOfType is [KeyOf] for the type of a model.
func KeyOfType(t reflect.Type) (Key, error) {
	if t == nil {
		return "", ErrNilModel
	}
	b := lookUp(t)
	return b.key, b.err
}

// IsMarker reports whether model only names a bind: a [Key], or a value of an empty type that
// declares BindKey itself. Such a value is no row of any table.
func IsMarker(model any) bool {
	switch model.(type) {
	case nil:
		return false
	case Key, *Key:
		return true
	}
	return lookUp(reflect.TypeOf(model)).marker
}

// binding is what one type says about its bind.
type binding struct {
	key    Key
	err    error
	own    bool // the type declares BindKey itself: ask the value, if there is one
	marker bool // own, and nothing but a name
}

var (
	boundType = reflect.TypeFor[Bound]()
	bindings  sync.Map // reflect.Type → *binding
)

func lookUp(t reflect.Type) *binding {
	if b, ok := bindings.Load(t); ok {
		return b.(*binding)
	}
	b, _ := bindings.LoadOrStore(t, read(t))
	return b.(*binding)
}

// read finds out what t says about its bind.
func read(t reflect.Type) *binding {
	direct := t.Kind() != reflect.Slice && t.Kind() != reflect.Array
	for isContainer(t) && !t.Implements(boundType) || t.Kind() == reflect.Pointer {
		if t.Kind() != reflect.Pointer {
			direct = false
		}
		t = t.Elem()
	}
	var found []Marker
	if t.Kind() == reflect.Struct {
		found = markersIn(t, nil, "", map[reflect.Type]bool{})
	}
	if len(found) > 1 {
		return &binding{err: &AmbiguousBindError{Model: t, Markers: found}}
	}
	key, declared := declaredKey(t)
	switch {
	case len(found) == 0 && !declared:
		return &binding{}
	case len(found) == 0:
		return &binding{key: key, own: direct, marker: direct && t.Size() == 0}
	case found[0].err != nil:
		return &binding{err: found[0].err}
	case declared && key != found[0].Key:
		own := Marker{Type: t, Key: key, Path: t.Name()}
		return &binding{err: &AmbiguousBindError{Model: t, Markers: append([]Marker{own}, found...)}}
	}
	return &binding{key: found[0].Key}
}

func isContainer(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return true
	}
	return false
}

// markersIn collects the distinct marker types embedded in t, outermost first.
func markersIn(t reflect.Type, found []Marker, path string, seen map[reflect.Type]bool) []Marker {
	if seen[t] {
		return found
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.Anonymous {
			continue
		}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		at := path + f.Name
		if ft.Kind() == reflect.Interface {
			if ft.Implements(boundType) {
				found = addMarker(found, Marker{Type: ft, Path: at, err: &DynamicBindError{Model: t, Field: f.Name}})
			}
			continue
		}
		inner := found
		if ft.Kind() == reflect.Struct {
			inner = markersIn(ft, found, at+".", seen)
		}
		key, declared := declaredKey(ft)
		switch {
		case !declared:
		case len(inner) == len(found), len(inner) == len(found)+1 && inner[len(found)].Key != key:
			inner = addMarker(inner, Marker{Type: ft, Key: key, Path: at})
		}
		found = inner
	}
	return found
}

func addMarker(found []Marker, m Marker) []Marker {
	for _, f := range found {
		if f.Type == m.Type {
			return found
		}
	}
	return append(found, m)
}

// declaredKey calls BindKey on a zero value of t. A method promoted through a nil embedded pointer
// panics: it is not t's own, and the embedded type is found by itself.
func declaredKey(t reflect.Type) (key Key, ok bool) {
	if !reflect.PointerTo(t).Implements(boundType) || t.Kind() == reflect.Interface {
		return "", false
	}
	defer func() {
		if recover() != nil {
			key, ok = "", false
		}
	}()
	return reflect.New(t).Interface().(Bound).BindKey(), true
}

func isNilPointer(model any) bool {
	v := reflect.ValueOf(model)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
