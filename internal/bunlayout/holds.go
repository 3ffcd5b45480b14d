package bunlayout

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

var (
	queryType    = reflect.TypeFor[bun.Query]()
	appenderType = reflect.TypeFor[schema.QueryAppender]()
	namedType    = reflect.TypeFor[schema.NamedArgAppender]()
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

// ownValues begins the names of packages whose appenders hold values and no builders.
var ownValues = "github.com/bindery-go/bindery/models"

// known remembers the answers of [holds].
var known sync.Map // reflect.Type → bool

// holds reports whether a value of type t may hold a builder, at any depth, where Bun would write that
// builder into a query.
func holds(t reflect.Type) bool {
	if yes, ok := known.Load(t); ok {
		return yes.(bool)
	}
	yes := mayHold(t, nil)
	known.Store(t, yes)
	return yes
}

// mayHold is [holds] for a type that is not known. Within are the types that hold t: a type that holds
// itself adds nothing.
func mayHold(t reflect.Type, within []reflect.Type) bool {
	if slices.Contains(within, t) || slices.Contains(neverHold, t) {
		return false
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Interface:
		return t == anyType || t.Implements(appenderType) || t.Implements(namedType) || t.Implements(modelType)
	case reflect.Pointer:
		return t.Implements(queryType) || isFollowed(t) && mayHold(t.Elem(), within)
	case reflect.Slice, reflect.Array:
		return mayHold(t.Elem(), within)
	case reflect.Map:
		return isBuns(t.Elem()) && mayHold(t.Elem(), within)
	case reflect.Struct:
		if t == valueType {
			return true // bun.In keeps its slice so
		}
		if strings.HasPrefix(t.PkgPath(), ownValues) {
			return false
		}
		for i := range t.NumField() {
			if isPart(t, t.Field(i)) && mayHold(t.Field(i).Type, within) {
				return true
			}
		}
	}
	return false
}

// isFollowed reports whether Bun writes into a query what a pointer of type t leads to: what appends
// itself, and Bun's own structs.
func isFollowed(t reflect.Type) bool {
	return t.Implements(appenderType) || t.Implements(namedType) || t.Implements(modelType) || isBuns(t.Elem())
}

// isBuns reports whether t is a type of Bun's.
func isBuns(t reflect.Type) bool {
	return t.PkgPath() == dbType.PkgPath() || t.PkgPath() == genType.PkgPath()
}

// isPart reports whether a field of struct t may be part of a query's text. Of a bun.DB these are the
// arguments of WithNamedArg, of a model the joins: its rows are values.
func isPart(t reflect.Type, f reflect.StructField) bool {
	switch {
	case t == dbType:
		return f.Type == genType
	case t == genType:
		return f.Type.Kind() == reflect.Pointer
	case reflect.PointerTo(t).Implements(modelType):
		return f.Anonymous || f.Type.Kind() == reflect.Slice && isBuns(f.Type.Elem())
	}
	return true
}
