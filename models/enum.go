package models

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Enumerated is a type with a fixed set of values, made of a string or an integer.
//
//	type Status string
//
//	func (Status) Values() []Status { return []Status{"draft", "live"} }
//
// Values is called on the zero value and must always return the same. It is asked once.
type Enumerated[T any] interface {
	comparable
	Values() []T
}

// Enum is a column that holds one of T's values and nothing else. It cannot be made of another:
// [EnumOf], [Enum.Set] and the reading of JSON answer with an *[EnumError], so what is written has been checked, and
// so does [Enum.Scan] for what is read. The column is VARCHAR(255) on MySQL, an unlimited VARCHAR on PostgreSQL and
// SQLite, or BIGINT (INTEGER on SQLite) for a T made of an integer. [EnumCheck] has the database check it too.
//
// The zero Enum is T's zero value if that is one of the values. If not, it is no value: it is
// written as NULL, and NULL reads as it. A nil *Enum, and a zero one with the tag
// `bun:",nullzero"`, is NULL too.
type Enum[T Enumerated[T]] struct {
	v T
}

var (
	_ ColumnTyper              = Enum[noEnum]{}
	_ schema.QueryAppender     = Enum[noEnum]{}
	_ driver.Valuer            = Enum[noEnum]{}
	_ sql.Scanner              = (*Enum[noEnum])(nil)
	_ appendedField            = (*Enum[noEnum])(nil)
	_ zeroField                = (*Enum[noEnum])(nil)
	_ checkedField             = (*Enum[noEnum])(nil)
	_ encoding.TextMarshaler   = Enum[noEnum]{}
	_ encoding.TextUnmarshaler = (*Enum[noEnum])(nil)
)

// noEnum shows the compiler which interfaces an Enum has.
type noEnum string

func (noEnum) Values() []noEnum { return nil }

// EnumOf returns v if it is one of T's values. If not, the error is an *[EnumError].
func EnumOf[T Enumerated[T]](v T) (Enum[T], error) {
	var e Enum[T]
	err := e.Set(v)
	return e, err
}

// MustEnum is [EnumOf] for constants: it panics if v is none of T's values.
func MustEnum[T Enumerated[T]](v T) Enum[T] {
	e, err := EnumOf(v)
	if err != nil {
		panic(err)
	}
	return e
}

// Get returns the value: T's zero value if there is none.
func (e Enum[T]) Get() T { return e.v }

// Set changes the value. If v is none of T's values the error is an *[EnumError] and nothing changes.
func (e *Enum[T]) Set(v T) error {
	s, err := enumSet[T]()
	if err != nil {
		return err
	}
	if _, ok := s.text[v]; !ok {
		return s.refuse(fmt.Sprint(reflect.ValueOf(v)))
	}
	e.v = v
	return nil
}

// IsZero reports whether this is the zero Enum.
func (e Enum[T]) IsZero() bool { return e.v == *new(T) }

// String returns the value as it is in the database: "" if there is none.
func (e Enum[T]) String() string {
	s, err := enumSet[T]()
	if err != nil {
		return ""
	}
	return s.text[e.v]
}

// ColumnType returns VARCHAR(255) or VARCHAR, or BIGINT or INTEGER.
func (Enum[T]) ColumnType(d dialect.Name) string {
	numeric := reflect.TypeFor[T]().Kind() != reflect.String
	switch {
	case d == dialect.SQLite && numeric:
		return "INTEGER"
	case numeric:
		return "BIGINT"
	case d == dialect.MySQL:
		return "VARCHAR(255)"
	case d == dialect.PG, d == dialect.SQLite:
		return "VARCHAR"
	}
	return ""
}

// AppendQuery appends the value as a literal.
func (e Enum[T]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return appendEnum(&e, gen, b)
}

func (*Enum[T]) fieldIsZero() schema.IsZeroerFunc {
	return zeroInPlace(func(e *Enum[T]) bool { return e.v == *new(T) })
}

func (*Enum[T]) fieldAppender() schema.AppenderFunc { return inPlace(appendEnum[T]) }

func (*Enum[T]) checkField(*schema.Table, *schema.Field) error {
	_, err := enumSet[T]()
	return err
}

func appendEnum[T Enumerated[T]](e *Enum[T], gen schema.QueryGen, b []byte) ([]byte, error) {
	s, err := enumSet[T]()
	if err != nil {
		return nil, err
	}
	text, ok := s.text[e.v]
	if !ok {
		return dialect.AppendNull(b), nil
	}
	return s.append(gen, b, text), nil
}

// Value returns a string, an int64 or nil, for use without Bun.
func (e Enum[T]) Value() (driver.Value, error) {
	s, err := enumSet[T]()
	if err != nil {
		return nil, err
	}
	text, ok := s.text[e.v]
	switch {
	case !ok:
		return nil, nil
	case s.numeric:
		return strconv.ParseInt(text, 10, 64)
	}
	return text, nil
}

// Scan reads a value. NULL gives the zero Enum, as does an error: an *[EnumError] for what is none of
// T's values.
func (e *Enum[T]) Scan(src any) error {
	e.v = *new(T)
	if src == nil {
		return nil
	}
	s, err := enumSet[T]()
	if err != nil {
		return err
	}
	var ok bool
	switch src := src.(type) {
	case string:
		e.v, ok = s.value[src]
	case []byte:
		e.v, ok = s.value[string(src)] // without a copy
	case int64:
		e.v, ok = s.value[strconv.FormatInt(src, 10)]
	}
	if !ok {
		if text, is := columnBytes(src); is {
			return s.refuse(string(text))
		}
		return s.refuse(fmt.Sprint(src))
	}
	return nil
}

// MarshalText returns the value as it is in the database.
func (e Enum[T]) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText sets the value; "" gives the zero Enum. An unknown one is an *[EnumError].
func (e *Enum[T]) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return e.Scan(nil)
	}
	return e.Scan(text)
}

// MarshalJSON returns a string or a number, or null if there is no value.
func (e Enum[T]) MarshalJSON() ([]byte, error) {
	v, err := e.Value()
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// UnmarshalJSON sets the value; null gives the zero Enum. An unknown one is an *[EnumError].
func (e *Enum[T]) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return e.Scan(nil)
	}
	if reflect.TypeFor[T]().Kind() != reflect.String {
		return e.Scan(text)
	}
	var v string
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	return e.Scan(v)
}

// EnumCheck is a condition that column holds one of T's values or NULL, for a table's definition:
//
//	db.NewCreateTable().Model((*Post)(nil)).
//		ColumnExpr("CONSTRAINT post_status CHECK (?)", models.EnumCheck[Status]("status"))
func EnumCheck[T Enumerated[T]](column string) schema.QueryAppender { return enumCheck[T](column) }

type enumCheck[T Enumerated[T]] string

func (c enumCheck[T]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	s, err := enumSet[T]()
	if err != nil {
		return nil, err
	}
	b = gen.AppendIdent(b, string(c))
	b = append(b, " IN ("...)
	for i, text := range s.allowed {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = s.append(gen, b, text)
	}
	return append(b, ')'), nil
}

// A valueSet is what is known of an enumerated type.
type valueSet[T comparable] struct {
	numeric bool
	allowed []string     // in the type's order
	text    map[T]string // as in the database
	value   map[string]T
}

// valueSets holds a *valueSet[T] for each T.
var valueSets sync.Map

func enumSet[T Enumerated[T]]() (*valueSet[T], error) {
	typ := reflect.TypeFor[T]()
	if s, ok := valueSets.Load(typ); ok {
		return s.(*valueSet[T]), nil
	}
	s, err := newValueSet[T](typ)
	if err != nil {
		return nil, fmt.Errorf("models: enum %s: %w", typ, err)
	}
	valueSets.Store(typ, s)
	return s, nil
}

func newValueSet[T Enumerated[T]](typ reflect.Type) (*valueSet[T], error) {
	kind := typ.Kind()
	s := &valueSet[T]{numeric: kind != reflect.String, text: map[T]string{}, value: map[string]T{}}
	var zero T
	if s.numeric && (kind < reflect.Int || kind > reflect.Uint64) {
		return nil, errors.New("not made of a string or an integer")
	}
	for _, v := range zero.Values() {
		rv, text := reflect.ValueOf(v), ""
		switch {
		case kind == reflect.String:
			text = rv.String()
		case rv.CanInt():
			text = strconv.FormatInt(rv.Int(), 10)
		case rv.Uint() > 1<<63-1:
			return nil, fmt.Errorf("value %d does not fit a BIGINT", rv.Uint())
		default:
			text = strconv.FormatUint(rv.Uint(), 10)
		}
		s.allowed = append(s.allowed, text)
		s.text[v], s.value[text] = text, v
	}
	if len(s.allowed) == 0 {
		return nil, errors.New("no values")
	}
	return s, nil
}

func (s *valueSet[T]) append(gen schema.QueryGen, b []byte, text string) []byte {
	if s.numeric {
		return append(b, text...)
	}
	return gen.Dialect().AppendString(b, text)
}

func (s *valueSet[T]) refuse(value string) error {
	return &EnumError{Type: reflect.TypeFor[T](), Value: value, Allowed: s.allowed}
}
