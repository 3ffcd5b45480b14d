package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bindery-go/bindery/internal/seal"
)

// A cursor is, in URL-safe base64, its version, a byte, and what is sealed:
//
//	order (16 bytes) | a value for each column | zeros
//
// where order is a hash of what the cursor is for, and a value is its type, a byte, the length of its text,
// as a varint, and the text. The zeros fill up to a multiple of cursorBlock, so that a cursor's length hardly tells that of its values.
const (
	cursorVersion = 3 // the first that is sealed
	orderSize     = 16
	cursorBlock   = 64
	// maxCursor is the length of the longest cursor: 12 kB of values. What carries cursors, such as a server that reads URLs, may take less.
	maxCursor = 16 << 10
)

var (
	errCursorMalformed = errors.New("malformed: begin at the first page")
	errCursorForeign   = errors.New("made for another order, table, scope or kind of database: begin at the first page")
	errCursorOld       = errors.New("made by an earlier version of this library, which did not seal them: begin at the first page")
	errCursorNewer     = errors.New("made by a later version of this library: begin at the first page")
	errCursorLong      = fmt.Errorf("the order's columns have values too long for a cursor, of at most %d characters: order by shorter ones", maxCursor)

	// cursorAbout is authenticated with a cursor: no other text that the same key sealed counts as one.
	cursorAbout = []byte{'b', 'i', 'n', 'd', 'e', 'r', 'y', ' ', 'c', 'u', 'r', 's', 'o', 'r', ' ', cursorVersion}
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

// cursors makes and reads the cursors of pages in one order.
type cursors struct {
	columns []sortColumn
	order   [orderSize]byte
	seal    *cursorSeal
}

// cursors returns what makes the cursors for an order of the columns of a table, as SQL names it, within a scope.
func (r *renderer) cursors(table, scope string, columns []sortColumn, with *cursorSeal) *cursors {
	return &cursors{columns: columns, order: r.orderHash(table, scope, columns), seal: with}
}

// orderHash tells apart what cursors are for.
func (r *renderer) orderHash(table, scope string, columns []sortColumn) (order [orderSize]byte) {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s %s %q %q", r.dialect, r.table.Name, table, scope)
	for _, c := range columns {
		_, _ = fmt.Fprintf(h, ",%q %t %t", c.field.Name, c.desc, c.nullable && c.nullsFirst)
	}
	copy(order[:], h.Sum(nil))
	return order
}

// encode makes a cursor of the values of the columns.
func (c *cursors) encode(values []cursorValue) (string, error) {
	plain := append(make([]byte, 0, 2*cursorBlock), c.order[:]...)
	for _, v := range values {
		plain = append(plain, v.kind)
		plain = binary.AppendUvarint(plain, uint64(len(v.text)))
		plain = append(plain, v.text...)
	}
	for len(plain)%cursorBlock != 0 {
		plain = append(plain, 0)
	}
	size := 1 + len(plain) + seal.Overhead
	if base64.RawURLEncoding.EncodedLen(size) > maxCursor {
		return "", errCursorLong
	}
	sealed := append(make([]byte, 0, size), cursorVersion)
	return base64.RawURLEncoding.EncodeToString(c.seal.ring.Seal(sealed, plain, cursorAbout)), nil
}

// decode returns the values of a cursor, which may come from a stranger.
func (c *cursors) decode(cursor string) ([]cursorValue, error) {
	if len(cursor) > maxCursor {
		return nil, errCursorMalformed
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	switch {
	case err != nil, len(data) == 0, data[0] == 0, strings.ContainsAny(cursor, "\r\n"): // which base64 would skip
		return nil, errCursorMalformed
	case data[0] < cursorVersion:
		return nil, errCursorOld
	case data[0] > cursorVersion:
		return nil, errCursorNewer
	}
	plain, err := c.seal.ring.Open(data[1:], cursorAbout)
	switch {
	case err != nil:
		return nil, c.seal.unopened
	case len(plain) < orderSize, [orderSize]byte(plain) != c.order:
		return nil, errCursorForeign
	}
	return c.values(plain[orderSize:])
}

// values reads what encode has written.
func (c *cursors) values(data []byte) (values []cursorValue, err error) {
	values = make([]cursorValue, len(c.columns))
	for i, column := range c.columns {
		if values[i], data, err = nextValue(data); err != nil {
			return nil, err
		}
		if !column.canHave(values[i]) {
			return nil, errCursorMalformed
		}
	}
	if len(bytes.TrimLeft(data, "\x00")) > 0 {
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

// canHave reports whether a value is one of a column's, and safe to be written. The field may have had another type when the
// cursor was made.
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
		case (c == '-' || c == '+') && i > 0 && (text[i-1]|0x20) == 'e':
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
