package binds

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"slices"
	"strings"

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
		if m.err != nil && !(m.weak && len(found) > 1) {
			b.err = withModel(m.err, t)
			return b
		}
	}
	found = slices.DeleteFunc(found, func(m Marker) bool { return m.weak })
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

// markersIn collects the distinct marker types embedded in t, in the order of its fields, and those that
// should have been. Within
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
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		embedded := f.Anonymous || isEmbedded(f)
		switch {
		case embedded && !slices.Contains(within, ft):
			found = merge(found, markersOf(ft, within), f.Name)
		case !embedded:
			if marker, weak := namedMarker(f); marker != nil {
				found = merge(found, []Marker{{Type: marker, err: &NamedMarkerError{Marker: marker}, weak: weak}}, f.Name)
			}
		}
	}
	return found
}

// isEmbedded reports whether Bun takes the columns of a field that has a name for the model's own.
func isEmbedded(f reflect.StructField) bool {
	for _, option := range strings.Split(f.Tag.Get("bun"), ",") {
		if strings.HasPrefix(strings.TrimSpace(option), "embed:") {
			return true
		}
	}
	return false
}

// namedMarker returns the type of a field with a name that was meant to be a marker: it declares a bind, and no tag of Bun's
// says that it is a column, a relation or nothing. Weak says that it may be a value all the same: where the model has another
// marker, that decides.
func namedMarker(f reflect.StructField) (marker reflect.Type, weak bool) {
	t := f.Type
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Interface && t.Implements(boundType):
		return t, true
	case t.Kind() != reflect.Struct || !declares(t) || f.Tag.Get("bun") == "-":
		return nil, false
	case holdsOnlyMarkers(t):
		return t, false
	case f.Tag.Get("bun") != "" || len(markersIn(t, nil)) > 0 || isValue(t):
		return nil, false // a column, a relation, a model of its own
	}
	return t, true
}

// holdsOnlyMarkers reports whether values of a struct have nothing to store.
func holdsOnlyMarkers(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Size() != 0 || f.Type == baseModelType || f.Anonymous && f.Type.Kind() != reflect.Struct {
			return false
		}
	}
	return true
}

// isValue reports whether a type says itself how a column holds it.
func isValue(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(valuerType) || p.Implements(scannerType) || p.Implements(appenderType)
}

var (
	valuerType   = reflect.TypeFor[driver.Valuer]()
	scannerType  = reflect.TypeFor[sql.Scanner]()
	appenderType = reflect.TypeFor[schema.QueryAppender]()
)

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
		return append([]Marker{{Type: t, err: err, weak: isSignature(err)}}, inner...)
	case declared && len(inner) == 0 && asksItsFields(t, key):
		return []Marker{{Type: t, err: &DynamicBindError{}}}
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
		switch err := m.err.(type) {
		case *DynamicBindError:
			err.Field = m.Path
		case *NamedMarkerError:
			err.Field = m.Path
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
	switch err := err.(type) {
	case *DynamicBindError:
		err.Model = model
	case *NamedMarkerError:
		err.Model = model
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
		return "", false, wrongSignature(t)
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

// wrongSignature returns an error if t, which declares no bind, was meant to: it has a method called BindKey, but for its case,
// that takes nothing and returns one value.
func wrongSignature(t reflect.Type) error {
	if t.Kind() == reflect.Interface {
		return nil
	}
	p := reflect.PointerTo(t)
	for i := range p.NumMethod() {
		m := p.Method(i)
		if strings.EqualFold(m.Name, "BindKey") && m.Type.NumIn() == 1 && m.Type.NumOut() == 1 {
			return &BindKeyError{Type: t, Method: m.Name, Signature: reflect.Zero(p).Method(i).Type()}
		}
	}
	return nil
}

func isSignature(err error) bool {
	e, ok := err.(*BindKeyError)
	return ok && e.Signature != nil
}

// asksItsFields reports whether BindKey of t says something else than key, its answer for a zero value, when t's
// fields are set.
func asksItsFields(t reflect.Type, key Key) (asks bool) {
	if t.Size() == 0 {
		return false
	}
	defer func() {
		if recover() != nil {
			asks = false // values of ours are not what it expects
		}
	}()
	v := reflect.New(t)
	fillEmbedded(v.Elem(), nil)
	setAll(v.Elem(), t.PkgPath(), 0)
	return v.Interface().(Bound).BindKey() != key
}

const deepestField = 8

// setAll makes numbers, texts and truth values in v other than zero, but for those in structs of packages other than pkg:
// these may not bear it, as a mutex does not.
func setAll(v reflect.Value, pkg string, depth int) {
	switch k := v.Kind(); {
	case depth > deepestField, k == reflect.Struct && v.Type().PkgPath() != pkg:
	case k == reflect.String:
		v.SetString("x")
	case k == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.CanFloat():
		v.SetFloat(1)
	case k == reflect.Array:
		for i := range v.Len() {
			setAll(v.Index(i), pkg, depth+1)
		}
	case k == reflect.Pointer && v.IsNil():
		v.Set(reflect.New(v.Type().Elem()))
		setAll(v.Elem(), pkg, depth+1)
	case k == reflect.Struct:
		for i := range v.NumField() { // by address: reflection does not set unexported fields
			f := v.Field(i)
			setAll(reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem(), pkg, depth+1)
		}
	}
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
