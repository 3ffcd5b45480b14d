package models

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/panicked"
)

// columnsOf knows the columns of models, whose names are the same on every database.
var columnsOf = sqlitedialect.New().Tables()

// A MapOption chooses the columns of [ToMap].
type MapOption func(*mapOptions)

type mapOptions struct {
	names    []string
	chosen   bool
	onlyKeys bool
}

// Columns chooses columns by name. Several options add up.
func Columns(names ...string) MapOption {
	return func(o *mapOptions) { o.chosen, o.names = true, append(o.names, names...) }
}

// PrimaryKeyColumns chooses the columns of the primary key.
func PrimaryKeyColumns() MapOption {
	return func(o *mapOptions) { o.chosen, o.onlyKeys = true, true }
}

// ToMap returns the values of model, a struct or a pointer to one, by column: all columns without
// options. A value is what the field holds, a pointer's is what it points to, and a nil pointer's
// is nil. Slices and maps are shared with the model. Relations and scan-only fields are left out.
// A chosen name that is no column is an [*UnknownColumnError].
func ToMap(model any, opts ...MapOption) (map[string]any, error) {
	v := reflect.ValueOf(model)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil, &ModelError{Call: "ToMap", Type: reflect.TypeOf(model), Want: "a struct or a pointer to one, not nil"}
	}
	table := columnsOf.Get(v.Type())
	fields, err := chosenFields(table, opts)
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(fields))
	for _, f := range fields {
		m[f.Name] = fieldValue(v, f.Index)
	}
	return m, nil
}

func chosenFields(table *schema.Table, opts []MapOption) ([]*schema.Field, error) {
	var o mapOptions
	for _, opt := range opts {
		opt(&o)
	}
	if !o.chosen {
		return table.Fields, nil
	}
	var fields []*schema.Field
	if o.onlyKeys {
		fields = append(fields, table.PKs...)
	}
	var errs []error
	for _, name := range o.names {
		f, ok := table.FieldMap[name]
		if !ok {
			errs = append(errs, &UnknownColumnError{Model: table.Type, Column: name, Columns: columnNames(table.Fields)})
			continue
		}
		fields = append(fields, f)
	}
	return fields, errors.Join(errs...)
}

// fieldValue returns what the field at index holds, nil if a nil pointer is on the way or at the end.
func fieldValue(v reflect.Value, index []int) any {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return nil
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	return v.Interface()
}

// FromMap sets the fields of model, a pointer to a struct, from values by column, and leaves the
// others alone. It sets all or, if there is an error, none.
//
// columns are the names that the map may have: a request that sends the model's key, or a password's hash, sets neither unless they are
// among them. Without any, every key is an error. For a map of the program's own, name all that it has:
// slices.Collect(maps.Keys(values)). Names and their number are bounded, see [MaxKeys].
//
// Values are converted as Bun converts what a database returns: strings and bytes to times, numbers,
// booleans, JSON fields and whatever scans itself; nil makes a field zero. In addition numbers of
// any type fit any number field, float64 and json.Number from JSON to integers too, if nothing is
// lost; and maps, slices and structs fit JSON fields, and lists of numbers a [Vector]. A field that is [StorageOnly], as [Serialized], takes
// what it holds, or nil, and nothing is decoded; nor is it for a field with the tag `bun:",msgpack"`. What does not fit is a
// [*ConversionError], a key that is no column, or none of columns, an [*UnknownColumnError], more than is taken a [*LimitError]; all are
// reported together, the first ten of them one by one. [PublicText] has what may be told to who sent the map.
func FromMap(values map[string]any, model any, columns ...string) error {
	v := reflect.ValueOf(model)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return &ModelError{Call: "FromMap", Type: reflect.TypeOf(model), Want: "a pointer to a struct, not nil"}
	}
	table := columnsOf.Get(v.Type())
	if err := atMost(len(values), MaxKeys, "keys"); err != nil {
		return &requestError{about: fmt.Sprintf("models: FromMap of %v: ", table.Type), err: err}
	}
	var errs []error
	var sets []func()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := nameList(columns).find(name, table.Type); err != nil {
			if tooLong := (*LimitError)(nil); errors.As(err, &tooLong) {
				err = &requestError{about: fmt.Sprintf("models: FromMap of %v: key %q: ", table.Type, shortName(name)), err: err}
			}
			errs = append(errs, err)
			continue
		}
		f, ok := table.FieldMap[name]
		if !ok {
			errs = append(errs, &UnknownColumnError{Model: table.Type, Column: name, Columns: columnNames(table.Fields), sent: true})
			continue
		}
		converted, err := convert(f, values[name])
		if err != nil {
			errs = append(errs, &ConversionError{
				Model: table.Type, Column: name, From: reflect.TypeOf(values[name]), To: f.StructField.Type, Err: err,
			})
			continue
		}
		sets = append(sets, func() { f.Value(v.Elem()).Set(converted) })
	}
	if len(errs) > 0 {
		return mistakes(errs)
	}
	for _, set := range sets {
		set()
	}
	return nil
}

// convert returns value as the field's type.
func convert(f *schema.Field, value any) (_ reflect.Value, err error) {
	dest := reflect.New(f.StructField.Type).Elem()
	err = func() (err error) {
		defer panicked.Catch(&err, "a method that converts", f.StructField.Type) // a Scan method that does not expect the value's type
		return convertInto(f, dest, reflect.ValueOf(value))
	}()
	return dest, discreet(err, value)
}
