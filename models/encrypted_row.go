package models

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// AnyRow in place of a row's key, in both [Encrypted.Set] and Get, binds a value to its table and
// column alone: it can be moved between rows. It is for rows that have no key of their own before and
// after the insert, and where a swap does no harm.
type AnyRow struct{}

// appendRow appends a row's key. Equal keys give equal bytes whatever Go type holds them: int64(7) and
// uint8(7), a UUID and its text. No two different keys do.
func appendRow(b []byte, row []any) ([]byte, error) {
	if len(row) == 0 {
		return nil, ErrNoRow
	}
	if len(row) == 1 {
		if _, ok := row[0].(AnyRow); ok {
			return append(b, '*'), nil
		}
	}
	b = append(b, 'r')
	b = binary.AppendUvarint(b, uint64(len(row)))
	for _, part := range row {
		var err error
		if b, err = appendRowPart(b, part); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendRowPart(b []byte, part any) ([]byte, error) {
	switch part := part.(type) {
	case int64:
		return appendInteger(b, strconv.FormatInt(part, 10))
	case string:
		return appendKeyText(b, part)
	case time.Time, nil: // a time's text is not the same after a round trip
		return nil, fmt.Errorf("%w: %T is no part of a key", ErrNoRow, part)
	}
	v := reflect.ValueOf(part)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("%w: a nil %T", ErrNoRow, part)
	}
	if m, ok := part.(encoding.TextMarshaler); ok { // a UUID, before its bytes
		if reflect.Indirect(v).IsZero() {
			return nil, fmt.Errorf("%w: the zero %T", ErrNoRow, part)
		}
		text, err := m.MarshalText()
		if err != nil {
			return nil, fmt.Errorf("the row's key: %w", err)
		}
		return appendKeyText(b, string(text))
	}
	switch {
	case v.Kind() == reflect.Pointer:
		return appendRowPart(b, v.Elem().Interface())
	case v.CanInt():
		return appendInteger(b, strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		return appendInteger(b, strconv.FormatUint(v.Uint(), 10))
	case v.Kind() == reflect.String:
		return appendKeyText(b, v.String())
	case isBytes(v.Type()) && v.Len() > 0:
		return appendPart(b, 'b', v.Bytes()), nil
	case v.Kind() == reflect.Array && v.Type().Elem().Kind() == reflect.Uint8 && !v.IsZero():
		data := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(data), v)
		return appendPart(b, 'b', data), nil
	}
	return nil, fmt.Errorf("%w: %T is no key, or the zero one: use an integer, a text, bytes or what marshals as text", ErrNoRow, part)
}

func appendInteger(b []byte, digits string) ([]byte, error) {
	if digits == "0" {
		return nil, fmt.Errorf("%w: the key is 0", ErrNoRow)
	}
	return appendPart(b, 'i', digits), nil
}

func appendKeyText(b []byte, text string) ([]byte, error) {
	if text == "" {
		return nil, fmt.Errorf("%w: the key is an empty text", ErrNoRow)
	}
	return appendPart(b, 's', text), nil
}
