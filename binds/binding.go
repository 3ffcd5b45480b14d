package binds

import (
	"reflect"
	"slices"

	"github.com/uptrace/bun/schema"
)

// binding is what one type says about its bind.
type binding struct {
	id     uintptr      // of the type asked about, see typeID
	typ    reflect.Type // the model's, without pointers and slices
	key    Key
	err    error
	own    bool // the type declares BindKey itself: ask the value, if there is one
	marker bool // own, and nothing but a name
}

var (
	boundType     = reflect.TypeFor[Bound]()
	keyType       = reflect.TypeFor[Key]()
	baseModelType = reflect.TypeFor[schema.BaseModel]()
)

// readBinding finds out what t says about its bind.
func readBinding(t reflect.Type) *binding {
	t, single := modelType(t)
	b := &binding{typ: t}
	if t.Kind() == reflect.Interface && t.Implements(boundType) || t == keyType && !single {
		b.err = &DynamicBindError{Model: t}
		return b
	}
	found := markersIn(t, nil)
	for _, m := range found {
		if m.err != nil {
			b.err = withModel(m.err, t)
			return b
		}
	}
	key, declared, err := declaredKey(t)
	switch {
	case err != nil:
		b.err = err
	case len(found) > 1:
		b.err = &AmbiguousBindError{Model: t, Markers: found}
	case len(found) == 1 && declared && key != found[0].Key:
		own := Marker{Type: t, Key: key, Path: t.Name()}
		b.err = &AmbiguousBindError{Model: t, Markers: []Marker{own, found[0]}}
	case len(found) == 1:
		b.key = found[0].Key
	case declared:
		b.key, b.own, b.marker = key, single, single && isOnlyName(t)
	}
	return b
}

// modelType takes the pointers and slices off t, and reports whether there was no slice. A named
// slice with a BindKey method stays whole.
func modelType(t reflect.Type) (model reflect.Type, single bool) {
	single = true
	for range 16 { // "type P *P" never ends
		switch {
		case t.Kind() == reflect.Pointer:
		case (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && !declares(t):
			single = false
		default:
			return t, single
		}
		t = t.Elem()
	}
	return t, single
}

// isOnlyName reports whether values of t hold nothing. An embedded bun.BaseModel holds nothing
// either, but names a table.
func isOnlyName(t reflect.Type) bool {
	if t.Size() != 0 {
		return false
	}
	for i := range numField(t) {
		if t.Field(i).Type == baseModelType {
			return false
		}
	}
	return true
}

// markersIn collects the distinct marker types embedded in t, in the order of its fields. Within
// holds the types that embed t, because embedded pointers may go round in circles.
//
// An embedded type counts as a marker if it declares BindKey itself. Reflection does not tell its
// own methods from those it promotes, so a type that embeds one marker and says the same as
// that marker is taken to promote it: either way there is one answer.
func markersIn(t reflect.Type, within []reflect.Type) []Marker {
	var found []Marker
	within = append(within, t)
	for i := range numField(t) {
		f := t.Field(i)
		if !f.Anonymous {
			continue
		}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if !slices.Contains(within, ft) {
			found = merge(found, markersOf(ft, within), f.Name)
		}
	}
	return found
}

// markersOf returns the markers that embedding t brings, their paths beginning below t.
func markersOf(t reflect.Type, within []reflect.Type) []Marker {
	if t == keyType || t.Kind() == reflect.Interface && t.Implements(boundType) {
		return []Marker{{Type: t, err: &DynamicBindError{}}}
	}
	inner := markersIn(t, within)
	for _, m := range inner {
		if m.err != nil {
			return inner
		}
	}
	key, declared, err := declaredKey(t)
	switch {
	case err != nil:
		return []Marker{{Type: t, err: err}}
	case declared && (len(inner) == 0 || len(inner) == 1 && inner[0].Key != key):
		return append([]Marker{{Type: t, Key: key}}, inner...)
	}
	return inner
}

// merge adds the markers that the embedded field brings, each type once.
func merge(found, more []Marker, field string) []Marker {
	for _, m := range more {
		m.Path = join(field, m.Path)
		if !slices.ContainsFunc(found, func(x Marker) bool { return x.Type == m.Type }) {
			found = append(found, m)
		}
		if dynamic, ok := m.err.(*DynamicBindError); ok {
			dynamic.Field = m.Path
		}
	}
	return found
}

func join(field, path string) string {
	if path == "" {
		return field
	}
	return field + "." + path
}

// withModel names the model in errors that were made before it was known.
func withModel(err error, model reflect.Type) error {
	if dynamic, ok := err.(*DynamicBindError); ok {
		dynamic.Model = model
	}
	return err
}

func declares(t reflect.Type) bool {
	return t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(boundType)
}

// declaredKey calls BindKey on a zero value of t whose embedded pointers point somewhere, so that
// a panic is the method's own fault and not that of its promotion.
func declaredKey(t reflect.Type) (key Key, declared bool, err error) {
	if !declares(t) {
		return "", false, nil
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = &BindKeyError{Type: t, Cause: cause}
		}
	}()
	v := reflect.New(t)
	fillEmbedded(v.Elem(), nil)
	return v.Interface().(Bound).BindKey(), true, nil
}

// fillEmbedded points the embedded pointers of v, a struct or not, at zero values.
func fillEmbedded(v reflect.Value, within []reflect.Type) {
	t := v.Type()
	within = append(within, t)
	for i := range numField(t) {
		f := t.Field(i)
		if !f.Anonymous {
			continue
		}
		// By address, because reflection does not set what is embedded by an unexported name.
		field := reflect.NewAt(f.Type, v.Field(i).Addr().UnsafePointer()).Elem()
		if f.Type.Kind() != reflect.Pointer {
			fillEmbedded(field, within)
		} else if !slices.Contains(within, f.Type.Elem()) {
			field.Set(reflect.New(f.Type.Elem()))
			fillEmbedded(field.Elem(), within)
		}
	}
}

// numField returns how many fields t has, 0 if it is no struct.
func numField(t reflect.Type) int {
	if t.Kind() != reflect.Struct {
		return 0
	}
	return t.NumField()
}
