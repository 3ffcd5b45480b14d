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
	span *span  // if the column may hold the value in several forms, or compares it otherwise than it orders it
}

// operand converts a value to what the column holds. Nothing of it is in the SQL but literals of Bun's,
// unless it is a QueryAppender.
func (r *renderer) operand(c *filterColumn, v any) (operand, error) {
	if c.kind == kindStored {
		own, ok := held(c.field.IndirectType, reflect.ValueOf(v))
		switch {
		case !ok:
			return operand{}, errStored
		case !own.IsValid():
			return operand{null: true}, nil
		}
		return r.own(c, own)
	}
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
	if c.kind == kindBytes && isByteArray(rv.Type()) && isByteArray(c.field.IndirectType) {
		return r.literal(c, rv) // a uuid.UUID, which says that it is text, for a column of 16 bytes
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
	return r.literal(c, rv)
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
	o, err := checked(string(c.field.Append(r.gen, nil, settable)), rv.Interface())
	if err == nil && !o.null && r.dialect == dialect.MySQL {
		o.span = mysqlOrdered(c, o.sql)
	}
	return o, err
}

// expression writes what is no literal.
func (r *renderer) expression(e schema.QueryAppender) (operand, error) {
	b, err := e.AppendQuery(r.gen, nil)
	if err != nil {
		return operand{}, err
	}
	r.parts = append(r.parts, e)
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

// literal writes a value without a type of its own.
func (r *renderer) literal(c *filterColumn, rv reflect.Value) (o operand, err error) {
	switch c.kind {
	case kindInt:
		o.sql, err = integer(rv)
	case kindFloat:
		return r.float(c, rv)
	case kindBool:
		o.sql, err = r.boolean(rv)
	case kindText:
		o.sql, err = r.textOf(rv)
		if err == nil && r.dialect == dialect.MySQL {
			o.span = mysqlOrdered(c, o.sql)
		}
	case kindBytes:
		o.sql, err = r.binary(c, rv)
	case kindTime, kindDate, kindEpoch:
		return r.temporal(c, rv)
	default:
		return r.scanned(c, rv)
	}
	return o, err
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

// float writes a number.
func (r *renderer) float(c *filterColumn, rv reflect.Value) (operand, error) {
	var f float64
	switch {
	case rv.CanInt():
		f = float64(rv.Int())
	case rv.CanUint():
		f = float64(rv.Uint())
	case rv.CanFloat():
		f = rv.Float()
	case rv.Kind() == reflect.String:
		var err error
		if f, err = strconv.ParseFloat(rv.String(), 64); err != nil {
			return operand{}, errNoNumber
		}
	default:
		return operand{}, errKind(rv.Interface(), kindFloat)
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		if r.dialect != dialect.PG {
			return operand{}, errNotFinite
		}
		return operand{sql: string(r.gen.Append(nil, f))}, nil
	}
	if r.dialect == dialect.SQLite && !c.isFloat32() {
		return operand{sql: string(r.gen.Append(nil, f))}, nil
	}
	return operand{span: r.floatSpan(c, f)}, nil
}

func (c *filterColumn) isFloat32() bool { return c.field.IndirectType.Kind() == reflect.Float32 }

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

func (r *renderer) binary(c *filterColumn, rv reflect.Value) (string, error) {
	var data []byte
	switch {
	case rv.Kind() == reflect.String:
		data = []byte(rv.String())
	case isByteSlice(rv.Type()):
		data = append([]byte{}, rv.Bytes()...)
	case rv.Kind() == reflect.Array && rv.Type().Elem().Kind() == reflect.Uint8:
		data = make([]byte, rv.Len())
		reflect.Copy(reflect.ValueOf(data), rv)
	default:
		return "", errKind(rv.Interface(), kindBytes)
	}
	if r.dialect == dialect.MySQL {
		if number, ok := mysqlBits(c, data); ok {
			return number, nil
		}
	}
	return string(r.gen.Append(nil, data)), nil
}

// scanned lets the field's type read the value, as it reads one from a database, and writes what it has read.
func (r *renderer) scanned(c *filterColumn, rv reflect.Value) (operand, error) {
	into := reflect.New(c.field.IndirectType)
	scanner, ok := into.Interface().(sql.Scanner)
	v, basic := asDriverValue(rv)
	if !ok || !basic {
		return operand{}, errKind(rv.Interface(), kindOther)
	}
	if err := Recovered(scanner).Scan(v); err != nil {
		return operand{}, discreet(err, v)
	}
	o, err := r.own(c, into.Elem())
	if err == nil && o.null {
		err = errKind(rv.Interface(), kindOther)
	}
	return o, err
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
