package models

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun/schema"
)

const (
	errLoss    publicReason = "the number does not fit without loss"
	errMeaning publicReason = "no such conversion"
)

var scannerType = reflect.TypeFor[sql.Scanner]()

// convertInto sets dest, of the field's type or what that points to, to value.
func convertInto(f *schema.Field, dest, value reflect.Value) error {
	if isStored(indirect(dest.Type())) {
		return intoStored(dest, value)
	}
	for value.Kind() == reflect.Pointer && value.Type() != dest.Type() {
		value = value.Elem() // of a nil pointer: invalid
	}
	switch {
	case !value.IsValid():
		dest.SetZero()
		return nil
	case value.Type().AssignableTo(dest.Type()):
		dest.Set(value)
		return nil
	case dest.Kind() == reflect.Pointer && !dest.Type().Implements(scannerType):
		dest.Set(reflect.New(dest.Type().Elem()))
		return convertInto(f, dest.Elem(), value)
	case f.Tag.HasOption("msgpack"):
		return errStored
	case dest.Type() == reflect.TypeFor[Vector]() && (value.Kind() == reflect.Slice || value.Kind() == reflect.Array) && !isByteSlice(value.Type()):
		return intoVector(dest, value)
	case scansItself(dest.Type()):
		return scanInto(f, dest, value)
	}
	switch dest.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intoInt(dest, value)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return intoUint(dest, value)
	case reflect.Float32, reflect.Float64:
		return intoFloat(dest, value)
	case reflect.String:
		return intoString(f, dest, value)
	}
	return scanInto(f, dest, value)
}

// intoStored sets dest, of a storage-only type or a pointer to one, without its Scan.
func intoStored(dest, value reflect.Value) error {
	own, ok := held(indirect(dest.Type()), value)
	switch {
	case !ok:
		return errStored
	case !own.IsValid():
		dest.SetZero()
		return nil
	case dest.Kind() == reflect.Pointer:
		dest.Set(reflect.New(dest.Type().Elem()))
		dest = dest.Elem()
	}
	dest.Set(own)
	return nil
}

// intoVector takes a list of numbers, whose JSON a Vector would take for its bytes.
func intoVector(dest, value reflect.Value) error {
	if err := atMost(value.Len(), MaxVectorElements, "elements"); err != nil {
		return err
	}
	v := make(Vector, value.Len())
	for i := range v {
		element := value.Index(i)
		for element.Kind() == reflect.Interface || element.Kind() == reflect.Pointer {
			element = element.Elem()
		}
		if !element.IsValid() {
			return errMeaning
		}
		wide := reflect.New(reflect.TypeFor[float64]()).Elem() // a float32 need not have all digits of what JSON says
		if err := intoFloat(wide, element); err != nil {
			return err
		}
		v[i] = float32(wide.Float())
	}
	dest.Set(reflect.ValueOf(v))
	return nil
}

func scansItself(typ reflect.Type) bool {
	return typ.Implements(scannerType) || reflect.PointerTo(typ).Implements(scannerType)
}

func intoInt(dest, value reflect.Value) error {
	var n int64
	switch {
	case value.CanInt():
		n = value.Int()
	case value.CanUint():
		if value.Uint() > math.MaxInt64 {
			return errLoss
		}
		n = int64(value.Uint())
	case value.CanFloat():
		// 2^63 itself is a float64 and no int64.
		if x := value.Float(); x != math.Trunc(x) || x < math.MinInt64 || x >= math.MaxInt64 {
			return errLoss
		}
		n = int64(value.Float())
	case value.Kind() == reflect.Bool:
		return errMeaning
	default:
		text, ok := textOf(value)
		if !ok {
			return errMeaning
		}
		var err error
		if n, err = strconv.ParseInt(text, 10, 64); err != nil {
			return parsed(text, err, func(x float64) error { return intoInt(dest, reflect.ValueOf(x)) }, value)
		}
	}
	if dest.OverflowInt(n) {
		return errLoss
	}
	dest.SetInt(n)
	return nil
}

func intoUint(dest, value reflect.Value) error {
	var n uint64
	switch {
	case value.CanUint():
		n = value.Uint()
	case value.CanInt():
		if value.Int() < 0 {
			return errLoss
		}
		n = uint64(value.Int())
	case value.CanFloat():
		if x := value.Float(); x != math.Trunc(x) || x < 0 || x >= math.MaxUint64 {
			return errLoss
		}
		n = uint64(value.Float())
	case value.Kind() == reflect.Bool:
		return errMeaning
	default:
		text, ok := textOf(value)
		if !ok {
			return errMeaning
		}
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			return parsed(text, err, func(x float64) error { return intoUint(dest, reflect.ValueOf(x)) }, value)
		}
	}
	if dest.OverflowUint(n) {
		return errLoss
	}
	dest.SetUint(n)
	return nil
}

func intoFloat(dest, value reflect.Value) error {
	var x float64
	switch {
	case value.CanFloat():
		x = value.Float()
	case value.CanInt():
		if x = float64(value.Int()); x >= math.MaxInt64 || int64(x) != value.Int() {
			return errLoss
		}
	case value.CanUint():
		if x = float64(value.Uint()); x >= math.MaxUint64 || uint64(x) != value.Uint() {
			return errLoss
		}
	case value.Kind() == reflect.Bool:
		return errMeaning
	default:
		text, ok := textOf(value)
		if !ok {
			return errMeaning
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return intoFloat(dest, reflect.ValueOf(n)) // a whole number fits or not, however it comes
		}
		var err error
		if x, err = strconv.ParseFloat(text, 64); err != nil {
			return cause(err)
		}
	}
	if dest.OverflowFloat(x) {
		return errLoss
	}
	dest.SetFloat(x)
	return nil
}

func intoString(f *schema.Field, dest, value reflect.Value) error {
	if value.Kind() == reflect.String {
		dest.SetString(value.String())
		return nil
	}
	if value.Kind() == reflect.Bool {
		return errMeaning
	}
	return scanInto(f, dest, value)
}

// parsed tries a json.Number such as 1e3, which is an integer though it does not read like one.
func parsed(text string, err error, whole func(float64) error, value reflect.Value) error {
	if errors.Is(err, strconv.ErrRange) {
		return errLoss
	}
	if value.Type() != reflect.TypeFor[json.Number]() {
		return cause(err)
	}
	x, ferr := strconv.ParseFloat(text, 64)
	if ferr != nil || math.Abs(x) > 1<<53 {
		return errLoss
	}
	return whole(x)
}

// cause drops the text that a strconv.NumError quotes.
func cause(err error) error {
	var num *strconv.NumError
	if errors.As(err, &num) {
		return num.Err
	}
	return err
}

func textOf(value reflect.Value) (string, bool) {
	switch {
	case value.Kind() == reflect.String:
		return strings.TrimSpace(value.String()), true
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Uint8:
		return strings.TrimSpace(string(value.Bytes())), true
	}
	return "", false
}

// scanInto gives value to Bun's scanner of the field as a driver would, and what no driver returns
// as JSON.
func scanInto(f *schema.Field, dest, value reflect.Value) error {
	src, err := driverValue(value)
	if err != nil {
		return err
	}
	scan := f.Scan
	if dest.Type() != f.StructField.Type { // what the field points to
		scan = schema.Scanner(dest.Type())
	}
	if scan == nil {
		return errMeaning
	}
	if text, ok := src.([]byte); ok && dest.CanAddr() && !scansItself(dest.Type()) && anyHolders.in(dest.Type()) {
		scan = func(dest reflect.Value, _ any) error { return bunCodec.decode(text, dest.Addr().Interface()) }
	}
	if _, isTime := src.(time.Time); isTime && dest.Kind() != reflect.String && dest.Type() != timeType && !scansItself(dest.Type()) {
		return errMeaning
	}
	if err := scan(dest, src); err != nil {
		return withoutValue(err)
	}
	return nil
}

func driverValue(value reflect.Value) (any, error) {
	if valuer, ok := value.Interface().(driver.Valuer); ok {
		return valuer.Value()
	}
	switch {
	case value.Type() == timeType:
		return value.Interface(), nil
	case value.CanInt():
		return value.Int(), nil
	case value.CanUint():
		if value.Uint() > math.MaxInt64 {
			return value.Uint(), nil
		}
		return int64(value.Uint()), nil
	case value.CanFloat():
		return value.Float(), nil
	case value.Kind() == reflect.Bool:
		return value.Bool(), nil
	case value.Kind() == reflect.String:
		return value.String(), nil
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Uint8:
		return value.Bytes(), nil
	}
	text, err := json.Marshal(value.Interface())
	if err != nil {
		return nil, fmt.Errorf("as JSON: %w", err)
	}
	return text, nil
}

// withoutValue keeps the kind of an error of Bun's and time's scanners and drops the value that they
// quote.
func withoutValue(err error) error {
	var parse *time.ParseError
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &parse):
		return publicReason("no time in a format that databases use")
	case errors.As(err, &syntax), errors.As(err, &mismatch):
		return reason{"no JSON for this type", "no JSON for it"}
	case strings.HasPrefix(err.Error(), "bun: can't scan"):
		return errMeaning
	}
	return cause(err)
}
