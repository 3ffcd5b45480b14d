package models

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A plan is what is known of a model's mixins from its type. It does not change.
type plan struct {
	model  reflect.Type
	mixins []mixedIn
	lost   [][]int // embedded fields with a BeforeAppendModel that Go does not promote
	err    error   // why the model cannot be used
}

// mixedIn is a mixin of a model.
type mixedIn struct {
	typ     reflect.Type
	index   []int // of the field
	columns []column
}

var plans sync.Map // reflect.Type → *plan

func planOf(model reflect.Type) *plan {
	if p, ok := plans.Load(model); ok {
		return p.(*plan)
	}
	p := &plan{model: model}
	p.findMixins(model, nil)
	p.err = p.findHooks()
	for _, m := range p.mixins {
		if p.err == nil {
			p.err = p.checkTwice(m)
		}
	}
	stored, _ := plans.LoadOrStore(model, p)
	return stored.(*plan)
}

// ours reports whether typ is a mixin itself, rather than a struct to which one's methods are
// promoted.
func ours(typ reflect.Type) bool {
	return typ == reflect.TypeFor[Timestamps]() || typ == reflect.TypeFor[EpochTimestamps]() || typ == reflect.TypeFor[Version]()
}

// embedded yields the structs that typ embeds, with their place in it.
func embedded(typ reflect.Type, yield func(field reflect.StructField, typ reflect.Type)) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		t := f.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if f.Anonymous && t.Kind() == reflect.Struct {
			yield(f, t)
		}
	}
}

func (p *plan) findMixins(typ reflect.Type, path []int) {
	if len(path) > 64 { // a type that embeds a pointer to itself
		return
	}
	embedded(typ, func(f reflect.StructField, t reflect.Type) {
		index := append(slices.Clip(path), f.Index...)
		switch {
		case f.Tag.Get("bun") == "-": // its columns are not the table's
			return
		case !ours(t):
			p.findMixins(t, index)
			return
		}
		m := mixedIn{typ: t, index: index}
		m.columns = m.zero().mixedIn()
		p.mixins = append(p.mixins, m)
	})
}

func (p *plan) checkTwice(m mixedIn) error {
	for _, other := range p.mixins {
		if other.typ == m.typ && !slices.Equal(other.index, m.index) {
			return &HiddenColumnError{Model: p.model, Mixin: m.typ, Column: m.columns[0].name}
		}
	}
	return nil
}

// hookTypes are Bun's hooks on models.
var hookTypes = []reflect.Type{
	reflect.TypeFor[bun.BeforeAppendModelHook](),
	reflect.TypeFor[bun.BeforeScanRowHook](), reflect.TypeFor[bun.AfterScanRowHook](),
	reflect.TypeFor[bun.BeforeSelectHook](), reflect.TypeFor[bun.AfterSelectHook](),
	reflect.TypeFor[bun.BeforeInsertHook](), reflect.TypeFor[bun.AfterInsertHook](),
	reflect.TypeFor[bun.BeforeUpdateHook](), reflect.TypeFor[bun.AfterUpdateHook](),
	reflect.TypeFor[bun.BeforeDeleteHook](), reflect.TypeFor[bun.AfterDeleteHook](),
	reflect.TypeFor[bun.BeforeCreateTableHook](), reflect.TypeFor[bun.AfterCreateTableHook](),
	reflect.TypeFor[bun.BeforeDropTableHook](), reflect.TypeFor[bun.AfterDropTableHook](),
}

// findHooks finds the hooks that embedded types have and the model does not. Those of
// BeforeAppendModel can be called one by one; any other is an error.
func (p *plan) findHooks() error {
	for i, hook := range hookTypes {
		fields := hidden(p.model, hook, nil, 0)
		switch {
		case len(fields) == 0:
		case i == 0:
			p.lost = slices.DeleteFunc(fields, func(index []int) bool { return ours(p.model.FieldByIndex(index).Type) })
		default:
			return &AmbiguousHookError{Model: p.model, Hook: hook.Method(0).Name, Fields: fieldNames(p.model, fields)}
		}
	}
	return nil
}

// hidden returns the embedded fields of typ that have the hook, if typ has lost it.
func hidden(typ, hook reflect.Type, path []int, depth int) (fields [][]int) {
	if depth > 64 {
		return nil
	}
	embedded(typ, func(f reflect.StructField, t reflect.Type) {
		index := append(slices.Clip(path), f.Index...)
		switch {
		case reflect.PointerTo(typ).Implements(hook):
		case reflect.PointerTo(t).Implements(hook):
			fields = append(fields, index)
		default:
			fields = append(fields, hidden(t, hook, index, depth+1)...)
		}
	})
	return fields
}

func fieldNames(typ reflect.Type, indexes [][]int) (names []string) {
	for _, index := range indexes {
		var path []string
		for n := range index {
			path = append(path, typ.FieldByIndex(index[:n+1]).Name)
		}
		names = append(names, strings.Join(path, "."))
	}
	return names
}

// checkColumns sees that the columns of the mixins are those of the table.
func (p *plan) checkColumns(table *schema.Table) error {
	for _, m := range p.mixins {
		for _, c := range m.columns {
			field, ok := table.FieldMap[c.name]
			if !ok || field.GoName != c.field || len(field.Index) != len(m.index)+1 || !slices.Equal(field.Index[:len(m.index)], m.index) {
				return &HiddenColumnError{Model: p.model, Mixin: m.typ, Column: c.name}
			}
		}
	}
	return nil
}

// zero returns a mixin that belongs to no row.
func (m *mixedIn) zero() mixin { return reflect.New(m.typ).Interface().(mixin) }

// in returns the mixin within row.
func (m *mixedIn) in(row reflect.Value) (mixin, bool) {
	field, ok := fieldAt(row, m.index)
	if !ok {
		return nil, false
	}
	return field.(mixin), true
}
