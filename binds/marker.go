package binds

import "reflect"

// KeyOf returns the key of the bind that model lives in, "" being the default bind.
//
// A model is a struct, a pointer to one, a slice of either, or a nil pointer of such a type. Its
// key comes from the marker it embeds, at any depth, by value or by pointer (which may stay nil:
// neither KeyOf nor Bun follows it), or by a field with the tag `bun:"embed:"`; a model without a marker belongs to the default bind, and so do maps, scalars and what else is no model. A marker
// value, a [Key] and any other [Bound] that embeds no marker are asked themselves.
//
// Two marker types in one model are an [*AmbiguousBindError], never the default bind: at one depth
// Go promotes neither, at two depths one silently hides the other. A marker in a field with a name is a
// [*NamedMarkerError], an embedded interface, or a marker whose answer changes with its fields, a
// [*DynamicBindError], a BindKey that panics, or is none, a [*BindKeyError]. An untyped nil, or a nil *Key, is
// [ErrNilModel].
//
// The answer belongs to the type and is remembered; asking again takes nanoseconds and allocates
// nothing. KeyOf is safe for concurrent use.
func KeyOf(model any) (Key, error) {
	if model == nil {
		return "", ErrNilModel
	}
	if k, ok := model.(Key); ok {
		return k, nil
	}
	b := bindingOf(model)
	if b.own {
		return b.ask(model)
	}
	return b.key, b.err
}

// KeyOfType is [KeyOf] for the type of a model.
func KeyOfType(t reflect.Type) (Key, error) {
	if t == nil {
		return "", ErrNilModel
	}
	b := bindingOf(reflect.Zero(reflect.PointerTo(t)).Interface())
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
	return bindingOf(model).marker
}

// IsFixed reports whether [KeyOf] says the same of every value of model's type, so that a caller may
// remember it: of all but a [Key] and what declares BindKey itself, which are asked each time.
func IsFixed(model any) bool {
	switch model.(type) {
	case nil, Key, *Key:
		return false
	}
	return !bindingOf(model).own
}

// ask returns what a value says that declares BindKey itself. Where there is no value, its type
// answers; a nil *Key has no answer.
func (b *binding) ask(model any) (Key, error) {
	v := reflect.ValueOf(model)
	for v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Pointer {
		v = v.Elem()
		model = v.Interface()
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		if b.typ == keyType {
			return "", ErrNilModel
		}
		return b.key, nil
	}
	if bound, ok := model.(Bound); ok {
		return bound.BindKey(), nil
	}
	return b.key, nil
}
