package bunlayout

import (
	"database/sql/driver"
	"reflect"
	"slices"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

var (
	queryType    = reflect.TypeFor[bun.Query]()
	appenderType = reflect.TypeFor[schema.QueryAppender]()
	namedType    = reflect.TypeFor[schema.NamedArgAppender]()
	valuerType   = reflect.TypeFor[driver.Valuer]()
	modelType    = reflect.TypeFor[bun.Model]()
	valueType    = reflect.TypeFor[reflect.Value]()
	anyType      = reflect.TypeFor[any]()
	dbType       = reflect.TypeFor[bun.DB]()
	genType      = reflect.TypeFor[schema.QueryGen]()
)

// neverHold are the structs of Bun that hold no builder and lead to all that Bun knows of the models.
var neverHold = []reflect.Type{
	reflect.TypeFor[schema.Table](), reflect.TypeFor[schema.Field](), reflect.TypeFor[schema.Relation](),
}

// holds reports whether a value of type t may hold a builder, at any depth, where Bun would write that
// builder into a query.
func holds(t reflect.Type) bool { return infoOf(t).holds }

// mayHold is [holds] for a type that is met for the first time. Seen are the types that have been looked at: none of
// them is looked at twice.
func mayHold(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || slices.Contains(neverHold, t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return t == anyType || t.Implements(appenderType) || t.Implements(namedType) || t.Implements(modelType)
	case reflect.Pointer:
		return t.Implements(queryType) || !isPlainValue(t) && mayHold(t.Elem(), seen)
	case reflect.Slice, reflect.Array:
		return mayHold(t.Elem(), seen)
	case reflect.Map:
		return (isBuns(t.Elem()) || appends(t)) && mayHold(t.Elem(), seen)
	case reflect.Struct:
		if t == valueType {
			return true // bun.In keeps its slice so
		}
		if isPlainValue(t) {
			return false
		}
		for i := range t.NumField() {
			if f := t.Field(i); isPart(t, f) && mayHold(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// appends reports whether Bun asks a value of type t what to write.
func appends(t reflect.Type) bool { return t.Implements(appenderType) || t.Implements(namedType) }

// isPlainValue reports whether Bun writes what Value returns for t, and does not look into it.
func isPlainValue(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	return t.Implements(valuerType) && !t.Elem().Implements(queryType) && !t.Implements(queryType)
}

// isBuns reports whether t is a type of Bun's.
func isBuns(t reflect.Type) bool {
	return t.PkgPath() == dbType.PkgPath() || t.PkgPath() == genType.PkgPath()
}

// isPart reports whether a field of struct t may be part of a query's text. Of a bun.DB these are the
// arguments of WithNamedArg, of a model the joins: for its rows see rows.go. Of other structs pointers are followed to
// where Bun, or what appends itself, may go: to Bun's own structs, and within one package.
func isPart(t reflect.Type, f reflect.StructField) bool {
	switch {
	case t == dbType:
		return f.Type == genType
	case t == genType:
		return f.Type.Kind() == reflect.Pointer
	case reflect.PointerTo(t).Implements(modelType):
		return f.Anonymous || f.Type.Kind() == reflect.Slice && isBuns(f.Type.Elem())
	}
	e := f.Type
	for e.Kind() == reflect.Slice || e.Kind() == reflect.Array {
		e = e.Elem()
	}
	if e.Kind() != reflect.Pointer || appends(e) || e.Implements(modelType) {
		return true
	}
	to := e.Elem()
	return to.Kind() == reflect.Pointer || isBuns(to) || f.Anonymous || appends(t) && to.PkgPath() == t.PkgPath()
}

// A typeInfo is what is known of a type.
type typeInfo struct {
	typ     reflect.Type
	kind    reflect.Kind
	holds   bool
	appends bool
	isModel bool
	isQuery bool

	elem   func() *typeInfo // of a pointer, a slice or an array
	join   *joinLayout      // of Bun's struct of a relation
	fields func() []part    // of another struct: those that may hold builders
	rows   bool             // the struct is a builder that writes rows
}

// A part is a field that may hold a builder.
type part struct {
	at uintptr
	of *typeInfo
}

var infos sync.Map // reflect.Type → *typeInfo

func infoOf(t reflect.Type) *typeInfo {
	if in, ok := infos.Load(t); ok {
		return in.(*typeInfo)
	}
	in := &typeInfo{
		typ: t, kind: t.Kind(), holds: mayHold(t, map[reflect.Type]bool{}), appends: appends(t),
		isModel: t.Implements(modelType), isQuery: t.Implements(queryType),
	}
	switch in.kind {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		in.elem = sync.OnceValue(func() *typeInfo { return infoOf(t.Elem()) })
	case reflect.Struct:
		in.join, in.rows = joinOf(t), writesRows(t)
		in.fields = sync.OnceValue(func() []part { return partsOf(t) })
	}
	known, _ := infos.LoadOrStore(t, in)
	return known.(*typeInfo)
}

// partsOf returns the fields of struct t that may hold builders.
func partsOf(t reflect.Type) (parts []part) {
	for i := range t.NumField() {
		if f := t.Field(i); isPart(t, f) && holds(f.Type) {
			parts = append(parts, part{f.Offset, infoOf(f.Type)})
		}
	}
	return parts
}
