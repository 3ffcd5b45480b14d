package models

import (
	"bytes"
	"encoding"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/uptrace/bun/extra/bunjson"
)

// A jsonCodec is a decoder of JSON: the program's own, which Bun uses, or the standard library's.
type jsonCodec struct {
	unmarshal  func(text []byte, v any) error
	newDecoder func(io.Reader) bunjson.Decoder
}

var (
	bunCodec = jsonCodec{bunjson.Unmarshal, bunjson.NewDecoder}
	stdCodec = jsonCodec{json.Unmarshal, func(r io.Reader) bunjson.Decoder { return json.NewDecoder(r) }}
)

// decode reads text into v, which is zero. Where v holds an any, decoders make a float64 of a number, whatever it loses. Here
// a number that a float64 does not hold becomes a [json.Number], which is its text; all others stay float64.
func (c jsonCodec) decode(text []byte, v any) error {
	typ := reflect.TypeOf(v).Elem()
	if !anyHolders.in(typ) || !longNumber(text) || !c.makesFloats() {
		return c.unmarshal(text, v)
	}
	dec := c.newDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	var more json.RawMessage
	if dec.Decode(&more) != io.EOF {
		return c.unmarshal(text, v) // which says what is wrong with the text
	}
	floatNumbers(reflect.ValueOf(v).Elem())
	return nil
}

// makesFloats reports whether numbers become float64. A program may have made its decoder give others.
func (c jsonCodec) makesFloats() bool {
	var v any
	err := c.unmarshal([]byte("1"), &v)
	_, ok := v.(float64)
	return ok && err == nil
}

// longNumber reports whether a JSON text has a number that a float64 may not hold: one of more than 15 digits, or with an exponent.
func longNumber(text []byte) bool {
	digits := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			digits = 0
		case '0' <= c && c <= '9':
			if digits++; digits > 15 {
				return true
			}
		case c == '.':
		case (c == 'e' || c == 'E') && digits > 0:
			return true
		default:
			digits = 0
		}
	}
	return false
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// anyHolders are types in whose values a JSON number can become an any. A type that reads itself is its own affair.
var anyHolders = &typeSearch{
	is: func(typ reflect.Type) (found, goOn bool) {
		ptr := reflect.PointerTo(typ)
		return typ.Kind() == reflect.Interface && typ.NumMethod() == 0, !ptr.Implements(jsonUnmarshaler) && !ptr.Implements(textUnmarshaler)
	},
	field: func(f reflect.StructField) bool { return f.IsExported() || f.Anonymous },
}

var numberType = reflect.TypeFor[json.Number]()

// floatNumbers makes a float64 of each [json.Number] in an any within v that loses nothing by it.
func floatNumbers(v reflect.Value) {
	if !anyHolders.in(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		switch held := v.Elem(); {
		case v.IsNil():
		case held.Type() == numberType:
			if f, ok := exactNumber(held.String()); ok {
				v.Set(reflect.ValueOf(f))
			}
		default:
			floatNumbers(held) // a map or a slice
		}
	case reflect.Pointer:
		if !v.IsNil() {
			floatNumbers(v.Elem())
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			floatNumbers(element)
			v.SetMapIndex(key, element)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			floatNumbers(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() || v.Type().Field(i).Anonymous {
				floatNumbers(f)
			}
		}
	}
}

// exactNumber returns a number as a float64, if that is written as the same number.
func exactNumber(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	return f, decimalOf(text) == decimalOf(strconv.FormatFloat(f, 'e', -1, 64))
}

// A decimal is a number as its digits, without zeros at either end, and the power of ten of the last of them.
type decimal struct {
	negative bool
	digits   string
	exponent int
}

// decimalOf reads the text of a number that strconv has read.
func decimalOf(text string) decimal {
	var d decimal
	if d.negative = strings.HasPrefix(text, "-"); d.negative {
		text = text[1:]
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		d.exponent, _ = strconv.Atoi(text[i+1:]) // out of range only where the float is 0 or none
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	d.exponent -= len(fraction)
	digits := strings.TrimLeft(whole+fraction, "0")
	d.digits = strings.TrimRight(digits, "0")
	d.exponent += len(digits) - len(d.digits)
	if d.digits == "" {
		d.exponent = 0
	}
	return d
}

// yamlValue reads a YAML value whose numbers keep their digits, as those of JSON do.
type yamlValue struct{ v any }

// UnmarshalYAML reads the value.
func (y *yamlValue) UnmarshalYAML(decode func(any) error) error {
	if err := decode(&y.v); err != nil {
		return err
	}
	switch y.v.(type) {
	case map[string]any:
		var values map[string]yamlValue
		if err := decode(&values); err != nil {
			return err
		}
		held := make(map[string]any, len(values))
		for key, value := range values {
			held[key] = value.v
		}
		y.v = held
	case []any:
		var values []yamlValue
		if err := decode(&values); err != nil {
			return err
		}
		held := make([]any, len(values))
		for i, value := range values {
			held[i] = value.v
		}
		y.v = held
	case float64:
		var text string
		if err := decode(&text); err != nil {
			return err
		}
		if _, exact := exactNumber(text); !exact && json.Valid([]byte(text)) {
			y.v = json.Number(text)
		}
	}
	return nil
}

// decodeYAML sets v, which is zero, from YAML.
func decodeYAML(decode func(any) error, v any) error {
	switch v := v.(type) {
	case *any, *map[string]any, *[]any:
		var y yamlValue
		if err := decode(&y); err != nil {
			return err
		}
		into, held := reflect.ValueOf(v).Elem(), reflect.ValueOf(y.v)
		if !held.IsValid() {
			return nil
		}
		if held.Type().AssignableTo(into.Type()) {
			into.Set(held)
			return nil
		}
	}
	return decode(v)
}
