package models

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// An operand is a value as a column compares with it.
type operand struct {
	null bool
	sql  string
	end  string // where the day ends that begins at sql; "" if the value is no whole day
}

// operand converts a value to what the column holds. Nothing of it is in the SQL but literals of Bun's,
// unless it is a QueryAppender.
func (r *renderer) operand(c *filterColumn, v any) (operand, error) {
	rv := followed(v, c.field.IndirectType)
	if !rv.IsValid() {
		return operand{null: true}, nil
	}
	if c.kind == kindSealed {
		return operand{}, errSealed
	}
	if c.kind == kindOther && rv.Type() == c.field.IndirectType {
		return r.own(c, rv)
	}
	switch spoken := rv.Interface().(type) {
	case driver.Valuer:
		plain, err := spoken.Value()
		if err != nil {
			return operand{}, err
		}
		if plain == nil {
			return operand{null: true}, nil
		}
		rv = reflect.ValueOf(plain)
	case schema.QueryAppender:
		return r.expression(spoken)
	}
	text, end, err := r.literal(c, rv)
	return operand{sql: text, end: end}, err
}

// own writes a value of the field's type as an insert does.
func (r *renderer) own(c *filterColumn, rv reflect.Value) (operand, error) {
	if v, ok := rv.Interface().(driver.Valuer); ok {
		plain, err := v.Value()
		if err != nil {
			return operand{}, err
		}
		if plain == nil {
			return operand{null: true}, nil
		}
	}
	settable := reflect.New(c.field.StructField.Type).Elem()
	if c.field.IsPtr {
		settable.Set(reflect.New(c.field.IndirectType))
		settable.Elem().Set(rv)
	} else {
		settable.Set(rv)
	}
	return checked(string(c.field.Append(r.gen, nil, settable)), rv.Interface())
}

// expression writes what is no literal.
func (r *renderer) expression(e schema.QueryAppender) (operand, error) {
	b, err := e.AppendQuery(r.gen, nil)
	if err != nil {
		return operand{}, err
	}
	if _, ok := e.(*bun.SelectQuery); ok {
		b = append(append([]byte{'('}, b...), ')')
	}
	return checked(string(b), e)
}

// checked finds the errors that Bun writes into a literal's place.
func checked(text string, v any) (operand, error) {
	switch {
	case strings.HasPrefix(text, "?!("):
		return operand{}, errKind(v, kindOther)
	case text == "NULL":
		return operand{null: true}, nil
	}
	return operand{sql: text}, nil
}

// literal writes a value without a type of its own. For a whole day, end is where it ends.
func (r *renderer) literal(c *filterColumn, rv reflect.Value) (text, end string, err error) {
	switch c.kind {
	case kindInt:
		text, err = integer(rv)
	case kindFloat:
		text, err = r.float(c, rv)
	case kindBool:
		text, err = r.boolean(rv)
	case kindText:
		text, err = r.textOf(rv)
	case kindBytes:
		text, err = r.binary(rv)
	case kindTime, kindDate, kindEpoch:
		return r.temporal(c, rv)
	default:
		return r.scanned(c, rv)
	}
	return text, "", err
}

// integer returns the decimal text of a whole number.
func integer(rv reflect.Value) (string, error) {
	switch {
	case rv.CanInt():
		return strconv.FormatInt(rv.Int(), 10), nil
	case rv.CanUint():
		return strconv.FormatUint(rv.Uint(), 10), nil
	case rv.CanFloat():
		if f := rv.Float(); f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return strconv.FormatInt(int64(f), 10), nil
		}
		return "", errNoNumber
	case rv.Kind() == reflect.String:
		if i, err := strconv.ParseInt(rv.String(), 10, 64); err == nil {
			return strconv.FormatInt(i, 10), nil
		}
		if u, err := strconv.ParseUint(rv.String(), 10, 64); err == nil {
			return strconv.FormatUint(u, 10), nil
		}
		return "", errNoNumber
	}
	return "", errKind(rv.Interface(), kindInt)
}

// float writes a number. PostgreSQL compares a REAL with a number in double precision, in which few
// are equal; what is quoted it takes for one of the column's type.
func (r *renderer) float(c *filterColumn, rv reflect.Value) (string, error) {
	var f float64
	switch {
	case rv.CanInt(), rv.CanUint():
		return integer(rv)
	case rv.CanFloat():
		f = rv.Float()
	case rv.Kind() == reflect.String:
		var err error
		if f, err = strconv.ParseFloat(rv.String(), 64); err != nil {
			return "", errNoNumber
		}
	default:
		return "", errKind(rv.Interface(), kindFloat)
	}
	if (math.IsInf(f, 0) || math.IsNaN(f)) && r.dialect != dialect.PG {
		return "", errNotFinite
	}
	if c.field.IndirectType.Kind() == reflect.Float32 {
		text := string(r.gen.Append(nil, float32(f)))
		if r.dialect == dialect.PG {
			text = "'" + strings.Trim(text, "'") + "'"
		}
		return text, nil
	}
	return string(r.gen.Append(nil, f)), nil
}

func (r *renderer) boolean(rv reflect.Value) (string, error) {
	switch rv.Kind() {
	case reflect.Bool:
		return string(r.gen.Append(nil, rv.Bool())), nil
	case reflect.String:
		if b, err := strconv.ParseBool(rv.String()); err == nil {
			return string(r.gen.Append(nil, b)), nil
		}
	}
	return "", errKind(rv.Interface(), kindBool)
}

func (r *renderer) textOf(rv reflect.Value) (string, error) {
	switch {
	case rv.Type() == reflect.TypeFor[json.Number]():
	case rv.Kind() == reflect.String:
		return r.text(rv.String())
	case isByteSlice(rv.Type()):
		return r.text(string(rv.Bytes()))
	}
	return "", errKind(rv.Interface(), kindText)
}

// text writes a string as it is or not at all: Bun leaves out a NUL on MySQL and replaces bytes that are no
// UTF-8.
func (r *renderer) text(s string) (string, error) {
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return "", errNul
	case !utf8.ValidString(s):
		return "", errUTF8
	}
	return string(r.gen.Append(nil, s)), nil
}

func (r *renderer) binary(rv reflect.Value) (string, error) {
	switch {
	case rv.Kind() == reflect.String:
		return string(r.gen.Append(nil, []byte(rv.String()))), nil
	case isByteSlice(rv.Type()):
		return string(r.gen.Append(nil, append([]byte{}, rv.Bytes()...))), nil
	case rv.Kind() == reflect.Array && rv.Type().Elem().Kind() == reflect.Uint8:
		data := make([]byte, rv.Len())
		reflect.Copy(reflect.ValueOf(data), rv)
		return string(r.gen.Append(nil, data)), nil
	}
	return "", errKind(rv.Interface(), kindBytes)
}

// scanned lets the field's type read the value, as it reads one from a database, and writes what it has read.
func (r *renderer) scanned(c *filterColumn, rv reflect.Value) (text, end string, err error) {
	into := reflect.New(c.field.IndirectType)
	scanner, ok := into.Interface().(sql.Scanner)
	v, basic := asDriverValue(rv)
	if !ok || !basic {
		return "", "", errKind(rv.Interface(), kindOther)
	}
	if err := scanner.Scan(v); err != nil {
		return "", "", err
	}
	o, err := r.own(c, into.Elem())
	if err == nil && o.null {
		err = errKind(rv.Interface(), kindOther)
	}
	return o.sql, "", err
}

// asDriverValue returns the value as a driver would give it.
func asDriverValue(rv reflect.Value) (any, bool) {
	if t, ok := rv.Interface().(time.Time); ok {
		return t, true
	}
	switch {
	case rv.Kind() == reflect.String:
		return rv.String(), true
	case rv.CanInt():
		return rv.Int(), true
	case rv.CanUint() && rv.Uint() <= math.MaxInt64:
		return int64(rv.Uint()), true
	case rv.CanFloat():
		return rv.Float(), true
	case rv.Kind() == reflect.Bool:
		return rv.Bool(), true
	case isByteSlice(rv.Type()):
		return append([]byte{}, rv.Bytes()...), true
	}
	return nil, false
}
