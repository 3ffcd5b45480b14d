package models

import (
	"database/sql/driver"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math"
	"reflect"
	"time"

	"github.com/uptrace/bun/schema"
)

// A cursor is, in URL-safe base64,
//
//	version (1 byte) | order (4) | checksum of all else (4) | a value for each column
//
// where order is a hash of what the cursor is for, and a value is its type, a byte, the length of its text,
// as a varint, and the text.
const (
	cursorVersion = 1
	cursorHead    = 1 + 4 + 4
)

var (
	errCursorMalformed = errors.New("malformed")
	errCursorForeign   = errors.New("made for another order, model or kind of database")
)

// The types of a cursor's values. They are in cursors that users keep: they never change.
const (
	cursorNull   = 'n'
	cursorInt    = 'i'
	cursorUint   = 'u'
	cursorFloat  = 'f'
	cursorBool   = 'b'
	cursorString = 's'
	cursorBytes  = 'x'
	cursorTime   = 't'
)

// A cursorValue is a column's value in a cursor.
type cursorValue struct {
	kind byte
	text []byte
}

// encode makes a cursor of the values of the columns.
func (r *renderer) encode(columns []sortColumn, values []cursorValue) string {
	data := make([]byte, cursorHead, 64)
	for _, v := range values {
		data = append(data, v.kind)
		data = binary.AppendUvarint(data, uint64(len(v.text)))
		data = append(data, v.text...)
	}
	r.seal(columns, data)
	return base64.RawURLEncoding.EncodeToString(data)
}

func (r *renderer) seal(columns []sortColumn, data []byte) {
	data[0] = cursorVersion
	binary.BigEndian.PutUint32(data[1:], r.orderHash(columns))
	binary.BigEndian.PutUint32(data[5:], cursorSum(data))
}

func cursorSum(data []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(data[:5]), crc32.IEEETable, data[cursorHead:])
}

// orderHash tells apart what cursors are for.
func (r *renderer) orderHash(columns []sortColumn) uint32 {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s %s", r.dialect, r.table.Name)
	for _, c := range columns {
		_, _ = fmt.Fprintf(h, ",%q %t %t", c.field.Name, c.desc, c.nullable && c.nullsFirst)
	}
	return h.Sum32()
}

// cursorValueOf returns a field's value in a row.
func cursorValueOf(f *schema.Field, row reflect.Value) (cursorValue, error) {
	fv, err := row.FieldByIndexErr(f.Index)
	if err != nil { // an embedded pointer that is nil
		return cursorValue{kind: cursorNull}, nil
	}
	rv := followed(fv.Interface(), nil)
	if !rv.IsValid() {
		return cursorValue{kind: cursorNull}, nil
	}
	switch v := rv.Interface().(type) {
	case schema.NullTime:
		if v.IsZero() {
			return cursorValue{kind: cursorNull}, nil
		}
		rv = reflect.ValueOf(v.Time)
	case driver.Valuer:
		plain, err := v.Value()
		if err != nil || plain == nil {
			return cursorValue{kind: cursorNull}, err
		}
		rv = reflect.ValueOf(plain)
	}
	kind, text := cursorText(rv)
	if kind == 0 {
		return cursorValue{}, fmt.Errorf("%s is nothing to order by", rv.Type())
	}
	return cursorValue{kind: kind, text: text}, nil
}

// cursorText returns a value's type and text, or 0.
func cursorText(rv reflect.Value) (kind byte, text []byte) {
	if t, ok := rv.Interface().(time.Time); ok {
		return cursorTime, t.UTC().AppendFormat(nil, time.RFC3339Nano)
	}
	switch {
	case rv.CanInt():
		return cursorInt, binary.AppendVarint(nil, rv.Int())
	case rv.CanUint():
		return cursorUint, binary.AppendUvarint(nil, rv.Uint())
	case rv.CanFloat():
		return cursorFloat, binary.BigEndian.AppendUint64(nil, math.Float64bits(rv.Float()))
	case rv.Kind() == reflect.Bool && rv.Bool():
		return cursorBool, []byte{1}
	case rv.Kind() == reflect.Bool:
		return cursorBool, []byte{0}
	case rv.Kind() == reflect.String:
		return cursorString, []byte(rv.String())
	case isByteSlice(rv.Type()):
		return cursorBytes, rv.Bytes()
	case rv.Kind() == reflect.Array && rv.Type().Elem().Kind() == reflect.Uint8:
		text = make([]byte, rv.Len())
		reflect.Copy(reflect.ValueOf(text), rv)
		return cursorBytes, text
	}
	return 0, nil
}

// decode returns the values of a cursor as the columns compare with them.
func (r *renderer) decode(cursor string, columns []sortColumn) ([]operand, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	switch {
	case err != nil, len(data) < cursorHead, data[0] != cursorVersion,
		binary.BigEndian.Uint32(data[5:]) != cursorSum(data):
		return nil, errCursorMalformed
	case binary.BigEndian.Uint32(data[1:]) != r.orderHash(columns):
		return nil, errCursorForeign
	}
	data = data[cursorHead:]
	operands := make([]operand, len(columns))
	for i, c := range columns {
		var v any
		if v, data, err = nextValue(data); err != nil {
			return nil, err
		}
		if operands[i], err = r.operand(c.filterColumn, v); err != nil {
			return nil, errCursorMalformed
		}
		if operands[i].end != "" || operands[i].null && !c.nullable {
			return nil, errCursorMalformed
		}
	}
	if len(data) > 0 {
		return nil, errCursorMalformed
	}
	return operands, nil
}

// nextValue reads a value and returns what is behind it.
func nextValue(data []byte) (v any, rest []byte, err error) {
	if len(data) == 0 {
		return nil, nil, errCursorMalformed
	}
	kind := data[0]
	length, n := binary.Uvarint(data[1:])
	if n <= 0 || length > uint64(len(data)-1-n) {
		return nil, nil, errCursorMalformed
	}
	text := data[1+n : 1+n+int(length)]
	v, ok := typedValue(kind, text)
	if !ok {
		return nil, nil, errCursorMalformed
	}
	return v, data[1+n+int(length):], nil
}

func typedValue(kind byte, text []byte) (any, bool) {
	switch kind {
	case cursorNull:
		return nil, len(text) == 0
	case cursorInt:
		i, n := binary.Varint(text)
		return i, n > 0 && n == len(text)
	case cursorUint:
		u, n := binary.Uvarint(text)
		return u, n > 0 && n == len(text)
	case cursorFloat:
		if len(text) != 8 {
			return nil, false
		}
		return math.Float64frombits(binary.BigEndian.Uint64(text)), true
	case cursorBool:
		return len(text) == 1 && text[0] == 1, len(text) == 1
	case cursorString:
		return string(text), true
	case cursorBytes:
		return text, true
	case cursorTime:
		t, err := time.Parse(time.RFC3339Nano, string(text))
		return t, err == nil
	}
	return nil, false
}
