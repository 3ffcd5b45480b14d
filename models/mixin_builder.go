package models

import (
	"reflect"
	"unsafe"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// Bun's query builders tell nobody which columns, assignments and connection they were given, and a
// mixin cannot do without: a column that is added to an update by Column must not be assigned by
// Set too, and neither may be added where it changes what else is written. So this file looks
// into them. Each look names the field and its type; if Bun's differ, everything here fails with an
// [*UnknownBunError] instead of guessing.

// builder is where the parts of a query builder are.
type builder struct {
	columns, tables, modelTable, set, setValues, values, on, joins, conn uintptr
	err                                                                  error
}

var (
	insertBuilder = builderOf(reflect.TypeFor[bun.InsertQuery]())
	updateBuilder = builderOf(reflect.TypeFor[bun.UpdateQuery]())
	deleteBuilder = builderOf(reflect.TypeFor[bun.DeleteQuery]())
	createBuilder = builderOf(reflect.TypeFor[bun.CreateTableQuery]())
	valuesBuilder = builderOf(reflect.TypeFor[bun.ValuesQuery]())
)

func builderOf(query reflect.Type) *builder {
	b := new(builder)
	b.columns = offset[[]schema.QueryWithArgs](b, query, "columns")
	b.tables = offset[[]schema.QueryWithArgs](b, query, "tables")
	b.modelTable = offset[schema.QueryWithArgs](b, query, "modelTableName")
	b.conn = offset[bun.IConn](b, query, "conn")
	switch query {
	case reflect.TypeFor[bun.InsertQuery]():
		b.on = offset[schema.QueryWithArgs](b, query, "on")
		b.assignments(query)
	case reflect.TypeFor[bun.UpdateQuery]():
		b.joins = sliceOffset(b, query, "joins")
		b.assignments(query)
	}
	return b
}

func (b *builder) assignments(query reflect.Type) {
	b.set = offset[[]schema.QueryWithArgs](b, query, "set")
	b.setValues = offset[*bun.ValuesQuery](b, query, "setValues")
	b.values = offset[map[string]schema.QueryWithArgs](b, query, "modelValues")
}

// offset returns where the field of that name and type is in a value of type in.
func offset[T any](b *builder, in reflect.Type, name string) uintptr {
	f, ok := in.FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[T]() {
		b.err = &UnknownBunError{Type: in.String(), Field: name}
		return 0
	}
	return within(in, f.Index)
}

// sliceOffset is offset for a slice of a type that has no name outside its package.
func sliceOffset(b *builder, in reflect.Type, name string) uintptr {
	f, ok := in.FieldByName(name)
	if !ok || f.Type.Kind() != reflect.Slice {
		b.err = &UnknownBunError{Type: in.String(), Field: name}
		return 0
	}
	return within(in, f.Index)
}

func within(in reflect.Type, index []int) (at uintptr) {
	for _, i := range index {
		f := in.Field(i)
		at, in = at+f.Offset, f.Type
	}
	return at
}

// look returns the part of q at offset at.
func look[T any, Q any](q *Q, at uintptr) T { return *(*T)(unsafe.Add(unsafe.Pointer(q), at)) }

// written is what a builder was told to write.
type written struct {
	table     *schema.Table
	columns   []schema.QueryWithArgs // as Column was given them; nil if it was not called
	set       []schema.QueryWithArgs
	setValues *bun.ValuesQuery
	values    map[string]schema.QueryWithArgs // by Value
	others    bool                            // whether there are tables besides the model's
}

func writtenBy[Q any](b *builder, q *Q, table *schema.Table) *written {
	w := &written{
		table:     table,
		columns:   look[[]schema.QueryWithArgs](q, b.columns),
		set:       look[[]schema.QueryWithArgs](q, b.set),
		setValues: look[*bun.ValuesQuery](q, b.setValues),
		values:    look[map[string]schema.QueryWithArgs](q, b.values),
		others:    len(look[[]schema.QueryWithArgs](q, b.tables)) > 0,
	}
	if b.joins != 0 {
		w.others = w.others || len(look[[]struct{}](q, b.joins)) > 0
	}
	return w
}

// hasColumn reports whether Column named the column.
func hasColumn(columns []schema.QueryWithArgs, name string) bool {
	for _, c := range columns {
		if c.Args == nil && c.Query == name {
			return true
		}
	}
	return false
}
