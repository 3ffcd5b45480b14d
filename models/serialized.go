package models

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/gob"
	"reflect"
	"sync"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/extra/bunjson"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/panicked"
)

// Serialized is a binary column that holds V as [encoding/gob] writes it: a Go value that no other
// program reads and no query looks into. Use [JSON] for all else.
type Serialized[T any] = SerializedAs[T, Gob]

// SerializedAs is a binary column that holds V in encoding E: BYTEA on PostgreSQL, LONGBLOB on MySQL
// and MariaDB, BLOB on SQLite.
//
// Every value begins with two bytes that name its encoding. A program may change E at any time: old
// rows stay readable, and what is written again gets the new encoding. A value whose first bytes
// are unknown is an *[EncodingError].
//
// The zero V has an encoding of its own, the two bytes alone, so that a nil pointer comes back as
// one. It is NULL with the tag `bun:",nullzero"`, as is a nil pointer to SerializedAs. NULL reads as
// the zero V. With gob an empty slice or map inside V comes back as nil, and a field that is added to T
// reads as zero from old rows.
//
// In a condition the column equals a value with the same bytes. JSON makes the same bytes of the same value,
// gob does not where there are maps.
//
// Reading a column is for who can write it: gob is no format for data from strangers. So no value of a request reaches it. [Filter],
// [FromMap] and the operators such as [Eq] take a T, a SerializedAs or nil for such a column, and nothing else; JSON is read as the JSON of a T;
// and rows cannot be ordered by it. Its size is bounded, see [MaxColumnBytes], and so is what gob allocates before it has read as much,
// except within interfaces in T.
type SerializedAs[T any, E Encoding] struct {
	V T
}

// Encoding says how a [SerializedAs] writes: [Gob] or [AsJSON].
type Encoding interface {
	encoding() byte
}

// Gob is the encoding of [encoding/gob].
type Gob struct{}

// AsJSON is Bun's JSON encoding. Numbers keep their digits, see [JSON].
type AsJSON struct{}

func (Gob) encoding() byte    { return encodingGob }
func (AsJSON) encoding() byte { return encodingJSON }

// The first two bytes of a value. These numbers are in databases: they never change.
const (
	serializedMark = 0xbd // no text in UTF-8 begins with it

	encodingZero = 0
	encodingGob  = 1
	encodingJSON = 2
)

var (
	_ ColumnTyper          = Serialized[any]{}
	_ schema.QueryAppender = Serialized[any]{}
	_ driver.Valuer        = Serialized[any]{}
	_ sql.Scanner          = (*Serialized[any])(nil)
	_ appendedField        = (*Serialized[any])(nil)
	_ zeroField            = (*Serialized[any])(nil)
)

// ColumnType returns BYTEA, LONGBLOB or BLOB.
func (SerializedAs[T, E]) ColumnType(d dialect.Name) string { return binaryColumn(d) }

func binaryColumn(d dialect.Name) string {
	switch d {
	case dialect.PG:
		return "BYTEA"
	case dialect.MySQL:
		return "LONGBLOB"
	case dialect.SQLite:
		return "BLOB"
	}
	return ""
}

// IsZero reports whether V is the zero value, which the tag nullzero makes NULL.
func (s SerializedAs[T, E]) IsZero() bool { return isZero(&s.V) }

func (*SerializedAs[T, E]) fieldIsZero() schema.IsZeroerFunc {
	return zeroInPlace(func(s *SerializedAs[T, E]) bool { return isZero(&s.V) })
}

// AppendQuery appends V as a binary literal.
func (s SerializedAs[T, E]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return appendSerialized(&s, gen, b)
}

func (*SerializedAs[T, E]) fieldAppender() schema.AppenderFunc {
	return inPlace(appendSerialized[T, E])
}

func appendSerialized[T any, E Encoding](s *SerializedAs[T, E], gen schema.QueryGen, b []byte) ([]byte, error) {
	out := buffers.Get().(*bytes.Buffer)
	defer func() {
		if out.Cap() <= 64<<10 { // a big one is not worth its keep
			buffers.Put(out)
		}
	}()
	out.Reset()
	if err := s.encode(out); err != nil {
		return nil, err
	}
	return gen.Dialect().AppendBytes(b, out.Bytes()), nil
}

// buffers holds the *bytes.Buffer of values on their way into a statement.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Value returns the column's bytes, for use without Bun.
func (s SerializedAs[T, E]) Value() (driver.Value, error) {
	var out bytes.Buffer
	if err := s.encode(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (s *SerializedAs[T, E]) encode(out *bytes.Buffer) (err error) {
	defer func() {
		if err != nil {
			err = &EncodeError{Type: reflect.TypeFor[T](), Err: err}
		}
	}()
	defer panicked.Catch(&err, "an encoding method", reflect.TypeFor[T]())
	_ = out.WriteByte(serializedMark) // a buffer takes everything
	v := reflect.ValueOf(&s.V)
	if v.Elem().IsZero() {
		return out.WriteByte(encodingZero)
	}
	var e E
	id := e.encoding()
	_ = out.WriteByte(id)
	if id == encodingJSON {
		err = bunjson.NewEncoder(out).Encode(&s.V)
	} else {
		err = gob.NewEncoder(out).EncodeValue(v)
	}
	if err == nil {
		err = columnLimit[T](out.Len())
	}
	return err
}

// Scan reads V in whatever encoding it is. NULL gives the zero V, as does an error: a *[DecodeError], in
// which there is an *[EncodingError] if the encoding is unknown.
func (s *SerializedAs[T, E]) Scan(src any) error {
	s.V = *new(T)
	if src == nil {
		return nil
	}
	if err := s.decode(src); err != nil {
		s.V = *new(T)
		return &DecodeError{Type: reflect.TypeFor[T](), As: "serialized value", Err: err}
	}
	return nil
}

func (s *SerializedAs[T, E]) decode(src any) (err error) {
	defer panicked.Catch(&err, "a decoding method", reflect.TypeFor[T]())
	data, ok := columnBytes(src)
	if !ok {
		return unexpected(src)
	}
	if err := columnLimit[T](len(data)); err != nil {
		return err
	}
	if len(data) < 2 || data[0] != serializedMark {
		return newEncodingError(data)
	}
	switch payload := data[2:]; data[1] {
	case encodingZero:
		return nil
	case encodingGob:
		return decodeGob(payload, &s.V)
	case encodingJSON:
		return bunCodec.decode(payload, &s.V)
	}
	return newEncodingError(data)
}

// MarshalJSON returns V's JSON.
func (s SerializedAs[T, E]) MarshalJSON() ([]byte, error) { return bunjson.Marshal(&s.V) }

// UnmarshalJSON sets V.
func (s *SerializedAs[T, E]) UnmarshalJSON(text []byte) error {
	s.V = *new(T)
	return decodeText(bunCodec, text, &s.V)
}

// MarshalYAML returns V.
func (s SerializedAs[T, E]) MarshalYAML() (any, error) { return s.V, nil }

// UnmarshalYAML sets V, from a fixture's YAML.
func (s *SerializedAs[T, E]) UnmarshalYAML(decode func(any) error) error {
	s.V = *new(T)
	return decodeYAML(decode, &s.V)
}
