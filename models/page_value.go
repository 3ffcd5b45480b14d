package models

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun/dialect"
)

var errNullNotNull = errors.New("the column is NULL in a row, though its field says notnull: take that from the field, or NULL from the column")

// keyValue makes a cursor's value of what the database gave for a column.
func (r *renderer) keyValue(c sortColumn, key keyPlace, row []any) (cursorValue, error) {
	text, null, err := keyText(row[key.at])
	switch {
	case err != nil:
		return cursorValue{}, err
	case null && !c.nullable:
		return cursorValue{}, errNullNotNull
	case null:
		return cursorValue{kind: cursorNull}, nil
	case r.dialect == dialect.SQLite:
		return sqliteKey(text)
	case r.dialect == dialect.MySQL:
		return cursorValue{kind: mysqlKey(key.databaseType, text), text: text}, nil
	}
	return cursorValue{kind: cursorText, text: text}, nil
}

// keyText returns the text of what a driver gave.
func keyText(v any) (text string, null bool, err error) {
	switch v := v.(type) {
	case nil:
		return "", true, nil
	case string:
		return v, false, nil
	case []byte:
		return string(v), false, nil
	case int64:
		return strconv.FormatInt(v, 10), false, nil
	case uint64:
		return strconv.FormatUint(v, 10), false, nil
	case float64:
		return strconv.FormatFloat(v, 'e', -1, 64), false, nil
	case float32:
		return strconv.FormatFloat(float64(v), 'e', -1, 64), false, nil
	case time.Time:
		return v.Format("2006-01-02 15:04:05.999999"), false, nil
	}
	return "", false, fmt.Errorf("%T is nothing to order by", v)
}

// sqliteKey reads what keyExpr has written.
func sqliteKey(text string) (cursorValue, error) {
	switch {
	case strings.HasPrefix(text, "t"):
		data, err := hex.DecodeString(text[1:])
		return cursorValue{kind: cursorText, text: string(data)}, err
	case strings.HasPrefix(text, "X'"):
		data, err := hex.DecodeString(text[2 : len(text)-1])
		return cursorValue{kind: cursorBytes, text: string(data)}, err
	case isNumber(text):
		return cursorValue{kind: cursorNumber, text: text}, nil
	}
	return cursorValue{}, errors.New("SQLite gave a value that is no literal of its own")
}

// mysqlKey tells how a column of the type is compared.
func mysqlKey(databaseType, text string) byte {
	switch form := formOf(databaseType); {
	case form == formNumber:
		return cursorIndex
	case form == formDouble:
		return cursorDouble
	case form == formText && len(text) >= 10 && (text[:4] == "0000" || text[5:7] == "00" || text[8:10] == "00"):
		return cursorZero
	case form == formText:
		return cursorText
	}
	switch {
	case strings.HasSuffix(databaseType, "INT"), databaseType == "YEAR", databaseType == "DECIMAL":
		return cursorNumber
	case databaseType == "JSON":
		return cursorJSON
	case strings.HasSuffix(databaseType, "BINARY"), strings.HasSuffix(databaseType, "BLOB"), databaseType == "VECTOR", !utf8.ValidString(text):
		return cursorBytes
	}
	return cursorText
}

// keyOperand writes a cursor's value, and the column as it compares with it.
func (r *renderer) keyOperand(c sortColumn, v cursorValue) (sortColumn, operand, error) {
	if v.kind == cursorNull {
		return c, operand{null: true}, nil
	}
	switch r.dialect {
	case dialect.PG:
		text, err := r.text(v.text) // its type is the column's, whatever that is
		return c, operand{sql: text}, err
	case dialect.SQLite:
		return c, operand{sql: sqliteLiteral(v)}, nil
	}
	return r.mysqlOperand(c, v)
}

// sqliteLiteral writes a value of the very storage class, and without an affinity, which would change what the
// column is compared with.
func sqliteLiteral(v cursorValue) string {
	switch v.kind {
	case cursorText:
		return "+CAST(X'" + hex.EncodeToString([]byte(v.text)) + "' AS TEXT)"
	case cursorBytes:
		return "X'" + hex.EncodeToString([]byte(v.text)) + "'"
	}
	return v.text
}

func (r *renderer) mysqlOperand(c sortColumn, v cursorValue) (sortColumn, operand, error) {
	switch v.kind {
	case cursorNumber:
		return c, operand{sql: v.text}, nil
	case cursorDouble:
		if !strings.ContainsAny(v.text, "eE") {
			v.text += "e0" // else it is a DECIMAL
		}
		return c, operand{sql: v.text}, nil
	case cursorBytes:
		return c, operand{sql: "X'" + hex.EncodeToString([]byte(v.text)) + "'"}, nil
	case cursorIndex:
		return c.written(formExprs[formNumber]), operand{sql: v.text}, nil
	}
	if !utf8.ValidString(v.text) {
		return c, operand{}, errUTF8
	}
	literal := string(r.gen.Append(nil, v.text))
	if strings.IndexByte(v.text, 0) >= 0 { // which Bun leaves out
		literal = "_utf8mb4 X'" + hex.EncodeToString([]byte(v.text)) + "'"
	}
	switch v.kind {
	case cursorZero:
		return c.written(formExprs[formText]), operand{sql: literal}, nil
	case cursorJSON:
		return c, operand{sql: "CAST(" + literal + " AS JSON)"}, nil
	}
	return c, operand{sql: literal}, nil
}

// written is the column as an expression of it is compared.
func (s sortColumn) written(expr string) sortColumn {
	column := *s.filterColumn
	column.sql = fmt.Sprintf(expr, s.sql)
	s.filterColumn = &column
	return s
}

// notBehind reports whether a row, which the database has found behind another one, is that very row, or before
// it as far as numbers tell.
func notBehind(columns []sortColumn, row, other []cursorValue) bool {
	for i, c := range columns {
		if row[i] == other[i] {
			continue
		}
		a, isNumber := c.number(row[i])
		b, alsoNumber := c.number(other[i])
		if !isNumber || !alsoNumber {
			return false
		}
		if order := a.Cmp(b); order != 0 {
			return (order > 0) == c.desc
		}
	}
	return true
}

func (s sortColumn) number(v cursorValue) (*big.Float, bool) {
	switch v.kind {
	case cursorNumber, cursorDouble, cursorIndex:
	case cursorText:
		if s.kind != kindInt && s.kind != kindEpoch {
			return nil, false
		}
	default:
		return nil, false
	}
	n, _, err := big.ParseFloat(v.text, 10, 256, big.ToNearestEven)
	return n, err == nil
}
