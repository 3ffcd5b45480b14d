package models

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"strconv"
)

// A cursor is, in URL-safe base64,
//
//	version (1 byte) | order (4) | checksum of all else (4) | a value for each column
//
// where order is a hash of what the cursor is for, and a value is its type, a byte, the length of its text,
// as a varint, and the text.
const (
	cursorVersion = 2
	cursorHead    = 1 + 4 + 4
)

var (
	errCursorMalformed = errors.New("malformed")
	errCursorForeign   = errors.New("made for another order, model or kind of database")
	errCursorOld       = errors.New("made by an earlier version of this library, whose cursors did not always continue at their row: begin at the first page")
)

// The types of a cursor's values. They are in cursors that users keep: they never change their meaning.
const (
	cursorNull   = 'n'
	cursorNumber = 'd' // a number's decimal text
	cursorDouble = 'f' // the same, of a binary float
	cursorIndex  = 'e' // the number by which MySQL orders an ENUM, SET or BIT
	cursorText   = 's' // a text, or the text of a value that the column reads
	cursorZero   = 'z' // the text of a date with zeros, which MySQL takes for no date
	cursorJSON   = 'j' // a JSON document's text, of MySQL
	cursorBytes  = 'x'
)

// A cursorValue is a column's value in a cursor.
type cursorValue struct {
	kind byte
	text string
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

// decode returns the values of a cursor.
func (r *renderer) decode(cursor string, columns []sortColumn) ([]cursorValue, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	switch {
	case err != nil, len(data) < cursorHead, data[0] < 1, data[0] > cursorVersion,
		binary.BigEndian.Uint32(data[5:]) != cursorSum(data):
		return nil, errCursorMalformed
	case data[0] < cursorVersion:
		return nil, errCursorOld
	case binary.BigEndian.Uint32(data[1:]) != r.orderHash(columns):
		return nil, errCursorForeign
	}
	data = data[cursorHead:]
	values := make([]cursorValue, len(columns))
	for i, c := range columns {
		if values[i], data, err = nextValue(data); err != nil {
			return nil, err
		}
		if !c.canHave(values[i]) {
			return nil, errCursorMalformed
		}
	}
	if len(data) > 0 {
		return nil, errCursorMalformed
	}
	return values, nil
}

// nextValue reads a value and returns what is behind it.
func nextValue(data []byte) (v cursorValue, rest []byte, err error) {
	if len(data) == 0 {
		return v, nil, errCursorMalformed
	}
	length, n := binary.Uvarint(data[1:])
	if n <= 0 || length > uint64(len(data)-1-n) {
		return v, nil, errCursorMalformed
	}
	v = cursorValue{kind: data[0], text: string(data[1+n : 1+n+int(length)])}
	return v, data[1+n+int(length):], nil
}

// canHave reports whether a value, which may be forged, is one of a column's, and safe to be written.
func (s sortColumn) canHave(v cursorValue) bool {
	switch v.kind {
	case cursorNull:
		return s.nullable && v.text == ""
	case cursorNumber, cursorDouble, cursorIndex:
		return isNumber(v.text)
	case cursorText, cursorBytes, cursorZero, cursorJSON:
		if s.kind == kindInt || s.kind == kindEpoch {
			_, err := strconv.ParseInt(v.text, 10, 64)
			return err == nil
		}
		return true
	}
	return false
}

// isNumber reports whether the text is a number's in every SQL: digits, with a sign, a point and an exponent if need be.
func isNumber(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', c == '.' && i > 0, c == '-' && i == 0, (c == 'e' || c == 'E') && i > 0:
		case (c == '-' || c == '+') && (text[i-1]|0x20) == 'e':
		default:
			return false
		}
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// behind makes the condition that a row comes behind the one with the values.
func (r *renderer) behind(columns []sortColumn, values []cursorValue) (clause, error) {
	compared, operands := make([]sortColumn, len(columns)), make([]operand, len(columns))
	for i, c := range columns {
		var err error
		if compared[i], operands[i], err = r.keyOperand(c, values[i]); err != nil {
			return noRow, errCursorMalformed
		}
	}
	return r.after(compared, operands), nil
}
