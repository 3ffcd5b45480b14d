package models

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// List is a slice in a column that holds a JSON array, on all databases alike: JSONB on PostgreSQL, JSON
// on MySQL and MariaDB, TEXT on SQLite. Its order is kept. [ListHas] asks for an element. For an array of
// PostgreSQL's own use a []T with Bun's tag `bun:",array"`.
//
// A nil List is stored as [], or as NULL with the tag `bun:",nullzero"`; an empty one is always [].
// NULL reads as nil, [] as an empty List. What is said of [JSON] about encoding and errors holds here too.
type List[T any] []T

var (
	_ ColumnTyper          = List[any]{}
	_ schema.QueryAppender = List[any]{}
	_ driver.Valuer        = List[any]{}
	_ sql.Scanner          = (*List[any])(nil)
	_ appendedField        = (*List[any])(nil)
	_ checkedField         = (*List[any])(nil)
)

// ColumnType returns JSONB, JSON or TEXT.
func (List[T]) ColumnType(d dialect.Name) string { return jsonColumn(d) }

// AppendQuery appends the list as the string literal of a JSON array.
func (l List[T]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return appendList(&l, gen, b)
}

func (*List[T]) fieldAppender() schema.AppenderFunc { return inPlace(appendList[T]) }

func (*List[T]) checkField(*schema.Table, *schema.Field) error {
	if isBytes(reflect.TypeFor[[]T]()) {
		return errors.New("a list of bytes is no JSON array: use []byte")
	}
	return nil
}

func appendList[T any](l *List[T], gen schema.QueryGen, b []byte) ([]byte, error) {
	if len(*l) == 0 {
		return append(b, "'[]'"...), nil
	}
	text, err := encodeJSON((*[]T)(l))
	if err != nil {
		return nil, err
	}
	return appendJSONText(gen, b, text), nil
}

// Value returns the list as a JSON array, for use without Bun.
func (l List[T]) Value() (driver.Value, error) {
	text, err := l.MarshalJSON()
	return string(text), err
}

// Scan reads a JSON array. NULL gives nil, as does an error, a *[DecodeError].
func (l *List[T]) Scan(src any) error {
	*l = nil // a shared array would change under whoever holds the old list
	if err := decodeJSON(src, (*[]T)(l), "a list"); err != nil {
		*l = nil
		return err
	}
	return nil
}

// MarshalJSON returns a JSON array: [] for nil.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if len(l) == 0 {
		return []byte("[]"), nil
	}
	return encodeJSON((*[]T)(&l))
}

// UnmarshalJSON sets the list.
func (l *List[T]) UnmarshalJSON(text []byte) error {
	*l = nil
	return decodeText(stdCodec, text, (*[]T)(l))
}

// ListHas is a condition: the [List] in column has element among its elements.
//
//	q.Where("?", models.ListHas("tags", "red"))
//
// It is @> on PostgreSQL, which a GIN index on the column serves, JSON_CONTAINS on MySQL and MariaDB, and
// json_each on SQLite. The column's name may have a table's before it, "post.tags". An element is
// a string, a number or a bool, or a type made of one: anything else fails the statement.
func ListHas[T any](column string, element T) schema.QueryAppender {
	return listHas[T]{column: column, element: element}
}

type listHas[T any] struct {
	column  string
	element T
}

func (h listHas[T]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	switch kind := reflect.TypeFor[T]().Kind(); {
	case kind == reflect.String, kind == reflect.Bool, reflect.Int <= kind && kind <= reflect.Float64:
	default:
		return nil, fmt.Errorf("models: find %T in list %q: not a string, number or bool", h.element, h.column)
	}
	text, err := encodeJSON(&h.element)
	if err != nil {
		return nil, err
	}
	switch d := gen.Dialect().Name(); d {
	case dialect.PG:
		b = gen.AppendIdent(b, h.column)
		b = append(b, " @> "...)
		b = appendJSONText(gen, b, append(append([]byte{'['}, text...), ']'))
		return append(b, "::jsonb"...), nil
	case dialect.MySQL:
		b = append(b, "JSON_CONTAINS("...)
		b = gen.AppendIdent(b, h.column)
		b = append(b, ", "...)
		b = appendJSONText(gen, b, text)
		return append(b, ')'), nil
	case dialect.SQLite:
		b = append(b, "EXISTS (SELECT 1 FROM json_each("...)
		b = gen.AppendIdent(b, h.column)
		b = append(b, ") WHERE value = json_extract("...)
		b = appendJSONText(gen, b, text)
		return append(b, ", '$'))"...), nil
	default:
		return nil, fmt.Errorf("models: find an element of list %q: no way known on %s", h.column, d)
	}
}
