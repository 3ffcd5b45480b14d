package models

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"reflect"
	"unsafe"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/extra/bunjson"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/panicked"
)

// JSON is a column that holds V as JSON: JSONB on PostgreSQL, JSON on MySQL and MariaDB, TEXT on SQLite,
// whose JSON functions read text.
//
// It is never NULL by default: what encodes as null is stored as T's empty value, [] for a slice,
// {} for a map or a struct, "" for bytes, unless T encodes itself or is an interface. To have NULL
// instead, say so in Bun's way: with the tag `bun:",nullzero"` a zero V is NULL, and a nil *JSON[T] is.
// NULL and null read as the zero V.
//
// No number loses a digit. An any inside T holds a number as a float64, as ever, if that is written as the same number, and else,
// as 9007199254740993 or 0.10000000000000000001, as a [json.Number], which is its text. MySQL itself has fractions, and
// whole numbers beyond its BIGINT, as a double.
//
// JSONB keeps a value, not its text: keys change their order, and 1e2 becomes 100. PostgreSQL refuses
// "\u0000". Conditions such as [Eq] compare it as JSON on PostgreSQL and MySQL, as text on MariaDB and
// SQLite. In an argument of Bun's own Where it is its text: MySQL finds that equal to no document, unless one
// writes CAST(? AS JSON).
//
// It is also the one column of MySQL's JSON duality views, whose documents can be read, updated and deleted
// through a model. An insert is NewRaw("INSERT INTO orders_view VALUES (?)", document): MySQL takes no list of columns
// there, and Bun always writes one.
//
// A text of more than [MaxColumnBytes] is neither written nor read; T may say otherwise, as a [ColumnLimiter].
//
// The encoding is Bun's, see [bunjson.SetProvider]. A V that cannot be encoded fails the statement:
// Bun writes the error into it and the server refuses that.
type JSON[T any] struct {
	V T
}

var (
	_ ColumnTyper          = JSON[any]{}
	_ schema.QueryAppender = JSON[any]{}
	_ driver.Valuer        = JSON[any]{}
	_ sql.Scanner          = (*JSON[any])(nil)
	_ appendedField        = (*JSON[any])(nil)
	_ zeroField            = (*JSON[any])(nil)
)

// ColumnType returns JSONB, JSON or TEXT.
func (JSON[T]) ColumnType(d dialect.Name) string { return jsonColumn(d) }

func jsonColumn(d dialect.Name) string {
	switch d {
	case dialect.PG:
		return "JSONB"
	case dialect.MySQL:
		return "JSON"
	case dialect.SQLite:
		return "TEXT" // JSON has numeric affinity there: a text of digits would become a number
	}
	return ""
}

// IsZero reports whether V is the zero value, which the tag nullzero makes NULL.
func (j JSON[T]) IsZero() bool { return isZero(&j.V) }

func (*JSON[T]) fieldIsZero() schema.IsZeroerFunc {
	return zeroInPlace(func(j *JSON[T]) bool { return isZero(&j.V) })
}

func isZero[T any](v *T) bool { return reflect.ValueOf(v).Elem().IsZero() }

// AppendQuery appends V as a string literal.
func (j JSON[T]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return appendJSON(&j, gen, b)
}

func (*JSON[T]) fieldAppender() schema.AppenderFunc { return inPlace(appendJSON[T]) }

func appendJSON[T any](j *JSON[T], gen schema.QueryGen, b []byte) ([]byte, error) {
	text, err := encodeJSON(&j.V)
	if err != nil {
		return nil, err
	}
	return appendJSONText(gen, b, text), nil
}

// Value returns V's text, for use without Bun.
func (j JSON[T]) Value() (driver.Value, error) {
	text, err := encodeJSON(&j.V)
	return string(text), err
}

// Scan reads V from a JSON column's text. NULL gives the zero V, as does an error, a *[DecodeError].
func (j *JSON[T]) Scan(src any) error {
	j.V = *new(T) // what is there must not show through what is read
	if err := decodeJSON(src, &j.V, "JSON"); err != nil {
		j.V = *new(T)
		return err
	}
	return nil
}

// MarshalJSON returns V's JSON, as the column has it.
func (j JSON[T]) MarshalJSON() ([]byte, error) { return encodeJSON(&j.V) }

// UnmarshalJSON sets V.
func (j *JSON[T]) UnmarshalJSON(text []byte) error {
	j.V = *new(T)
	return decodeText(stdCodec, text, &j.V)
}

// MarshalYAML returns V.
func (j JSON[T]) MarshalYAML() (any, error) { return j.V, nil }

// UnmarshalYAML sets V, from a fixture's YAML.
func (j *JSON[T]) UnmarshalYAML(decode func(any) error) error {
	j.V = *new(T)
	return decodeYAML(decode, &j.V)
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func encodeJSON[T any](v *T) ([]byte, error) {
	text, err := marshalJSON(v)
	if err == nil {
		err = columnLimit[T](len(text))
	}
	if err != nil {
		return nil, &EncodeError{Type: reflect.TypeFor[T](), Err: err}
	}
	text = bytes.TrimSuffix(text, []byte("\n")) // some encoders end in one
	if string(text) == "null" {
		return emptyJSON(reflect.TypeFor[T]()), nil
	}
	return text, nil
}

func marshalJSON[T any](v *T) (text []byte, err error) {
	defer panicked.Catch(&err, "an encoding method", reflect.TypeFor[T]())
	return bunjson.Marshal(v)
}

// emptyJSON returns what stands for the null of a type.
func emptyJSON(typ reflect.Type) []byte {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	ptr := reflect.PointerTo(typ)
	if ptr.Implements(jsonMarshaler) || ptr.Implements(textMarshaler) {
		return []byte("null")
	}
	switch typ.Kind() {
	case reflect.Map, reflect.Struct:
		return []byte("{}")
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return []byte(`""`)
		}
		return []byte("[]")
	case reflect.Array:
		return []byte("[]")
	}
	return []byte("null")
}

// appendJSONText appends JSON as a string. Bun's AppendJSON doubles the backslash of \u0000, which then
// reads as six characters.
func appendJSONText(gen schema.QueryGen, b, text []byte) []byte {
	return gen.Dialect().AppendString(b, unsafe.String(unsafe.SliceData(text), len(text)))
}

func decodeJSON[T any](src any, v *T, as string) error {
	switch src := src.(type) {
	case nil:
		return nil
	case int64, float64, bool: // SQLite, in a column that a migration gave numeric affinity
		text, err := bunjson.Marshal(src)
		if err != nil {
			return &DecodeError{Type: reflect.TypeFor[T](), As: as, Err: err}
		}
		return decodeJSON(text, v, as)
	}
	text, ok := columnBytes(src)
	if !ok {
		return &DecodeError{Type: reflect.TypeFor[T](), As: as, Err: unexpected(src)}
	}
	if err := decodeText(bunCodec, text, v); err != nil {
		return &DecodeError{Type: reflect.TypeFor[T](), As: as, Err: err}
	}
	return nil
}

func decodeUnbounded[T any](text []byte, v *T) (err error) {
	defer panicked.Catch(&err, "a decoding method", reflect.TypeFor[T]())
	return bunCodec.decode(text, v)
}

// decodeText decodes a column's JSON, unless there is too much of it.
func decodeText[T any](codec jsonCodec, text []byte, v *T) (err error) {
	defer panicked.Catch(&err, "a decoding method", reflect.TypeFor[T]())
	if err := columnLimit[T](len(text)); err != nil {
		return err
	}
	return codec.decode(text, v)
}
