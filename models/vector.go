package models

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Vector is a column of 32-bit floats, such as an embedding: VECTOR on MySQL since 9.0 and MariaDB since 11.7, a BLOB
// on SQLite, in the layout that sqlite-vec reads. The tag says how many there are, which [Register] insists on:
//
//	Embedding models.Vector `bun:"type:vector(384)"`
//
// On a registered model every vector must have that length: MySQL alone would take shorter ones. NaN, infinities and the empty
// Vector are an [*EncodeError], which fails the statement. MariaDB also refuses vectors whose squares have no sum. A nil Vector is NULL, and NULL reads as nil.
//
// Conditions such as [Eq] compare all elements. In an argument a Vector is its bytes, which functions for distances take:
//
//	q.OrderExpr("VEC_DISTANCE_COSINE(embedding, ?)", near) // MariaDB
//
// Read the column itself. What VECTOR_TO_STRING or VEC_ToText makes of it is a text, which a Vector would take for its bytes.
//
// On PostgreSQL a statement with a Vector fails. There, pgvector-go has a type for its extension's column.
type Vector []float32

var (
	_ schema.QueryAppender = Vector{}
	_ driver.Valuer        = Vector{}
	_ sql.Scanner          = (*Vector)(nil)
	_ checkedField         = (*Vector)(nil)
)

// AppendQuery appends the vector as a binary literal, or NULL.
func (v Vector) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return appendVector(v, len(v), gen, b)
}

func appendVector(v Vector, length int, gen schema.QueryGen, b []byte) ([]byte, error) {
	if v == nil {
		return dialect.AppendNull(b), nil
	}
	if d := gen.Dialect().Name(); d != dialect.MySQL && d != dialect.SQLite {
		return nil, &EncodeError{Type: reflect.TypeFor[Vector](), Err: fmt.Errorf("no vector is known on %s", d)}
	}
	if len(v) != length {
		return nil, &EncodeError{Type: reflect.TypeFor[Vector](), Err: fmt.Errorf("it has %d elements, its column %d", len(v), length)}
	}
	data, err := v.encode()
	if err != nil {
		return nil, err
	}
	return gen.Dialect().AppendBytes(b, data), nil
}

func (v Vector) encode() ([]byte, error) {
	if len(v) == 0 {
		return nil, &EncodeError{Type: reflect.TypeFor[Vector](), Err: errors.New("it has no element")}
	}
	if err := atMost(len(v), MaxVectorElements, "elements"); err != nil {
		return nil, &EncodeError{Type: reflect.TypeFor[Vector](), Err: err}
	}
	data := make([]byte, 0, 4*len(v))
	for i, f := range v {
		if wide := float64(f); math.IsNaN(wide) || math.IsInf(wide, 0) {
			return nil, &EncodeError{Type: reflect.TypeFor[Vector](), Err: fmt.Errorf("element %d is %v", i, f)}
		}
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
	}
	return data, nil
}

// Value returns the column's bytes, for use without Bun, or nil.
func (v Vector) Value() (driver.Value, error) {
	if v == nil {
		return nil, nil
	}
	return v.encode()
}

// Scan reads a column's bytes, or a string that holds a JSON array. NULL gives nil, as does an error, a
// *[DecodeError].
func (v *Vector) Scan(src any) error {
	*v = nil
	var err error
	switch src := src.(type) {
	case nil:
		return nil
	case []byte:
		err = v.decode(src)
	case string:
		if err = atMost(len(src), maxVectorText, "bytes"); err == nil {
			err = json.Unmarshal([]byte(src), (*[]float32)(v))
		}
		if err == nil {
			err = atMost(len(*v), MaxVectorElements, "elements")
		}
	default:
		err = unexpected(src)
	}
	if err != nil {
		*v = nil
		return &DecodeError{Type: reflect.TypeFor[Vector](), As: "a vector", Err: err}
	}
	return nil
}

func (v *Vector) decode(data []byte) error {
	if len(data) == 0 || len(data)%4 != 0 {
		return fmt.Errorf("it has %d bytes, want 4 for each element", len(data))
	}
	if err := atMost(len(data)/4, MaxVectorElements, "elements"); err != nil {
		return err
	}
	*v = make(Vector, 0, len(data)/4)
	for ; len(data) > 0; data = data[4:] {
		*v = append(*v, math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	return nil
}

// maxVectorText is enough for every vector's text, whatever its spaces.
const maxVectorText = 64 * MaxVectorElements

// UnmarshalYAML sets the vector, from a fixture's list.
func (v *Vector) UnmarshalYAML(decode func(any) error) error {
	*v = nil
	return decode((*[]float32)(v))
}

var vectorType = regexp.MustCompile(`(?i)^\s*\w+\s*\(\s*(\d+)\s*\)`)

// checkField has the field written with the length that its column has.
func (*Vector) checkField(_ *schema.Table, f *schema.Field) error {
	found := vectorType.FindStringSubmatch(f.UserSQLType)
	if found == nil {
		return errors.New(`a vector's column needs its length, such as bun:"type:vector(384)"`)
	}
	length, err := strconv.Atoi(found[1])
	if err != nil {
		return err
	}
	write := inPlace(func(v *Vector, gen schema.QueryGen, b []byte) ([]byte, error) {
		return appendVector(*v, length, gen, b)
	})
	f.Append = write
	if f.IsPtr {
		f.Append = func(gen schema.QueryGen, b []byte, v reflect.Value) []byte {
			if v.IsNil() {
				return dialect.AppendNull(b)
			}
			return write(gen, b, v.Elem())
		}
	}
	return nil
}
