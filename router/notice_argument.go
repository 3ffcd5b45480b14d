package router

import (
	"database/sql/driver"
	"fmt"
	"reflect"

	"github.com/bindery-go/bindery/internal/panicked"
)

// PanicError reports a panic in the Value method of an argument. Database/sql calls it while it has a connection, which a panic would keep
// from the pool for ever. The statement was not sent. A panic's value, which may be a secret, is not in it.
type PanicError = panicked.Error

// checkArgument converts an argument as database/sql does: by the driver's checker, if it has one, then by default, which calls the Value
// method of what the argument is or points to. A panic in one of them is an error. If byColumn, the statement has converters for its columns in the
// place of the default: database/sql asks for them behind this.
func checkArgument(checker driver.NamedValueChecker, byColumn bool, v *driver.NamedValue) (err error) {
	if checker == nil && !byColumn && driver.IsValue(v.Value) {
		return nil
	}
	defer panicked.Catch(&err, "Value", reflect.TypeOf(v.Value))
	if checker != nil {
		if err := checker.CheckNamedValue(v); err != driver.ErrSkip {
			return err
		}
	}
	if !byColumn {
		v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
		return err
	}
	valuer, ok := v.Value.(driver.Valuer)
	if !ok {
		return driver.ErrSkip
	}
	if rv := reflect.ValueOf(valuer); rv.Kind() == reflect.Pointer && rv.IsNil() && rv.Type().Elem().Implements(reflect.TypeFor[driver.Valuer]()) {
		v.Value = nil // a nil pointer to a type whose Value is the value's own is NULL
		return driver.ErrSkip
	}
	value, err := valuer.Value()
	if err != nil {
		return err
	}
	if !driver.IsValue(value) {
		return fmt.Errorf("non-subset type %T returned from Value", value) // as database/sql has it for a column
	}
	v.Value = value
	return driver.ErrSkip
}

// A columnConverter is a driver's for one column. A panic in it, or in the Value method of what it is given, is an error.
type columnConverter struct{ inner driver.ValueConverter }

func (c columnConverter) ConvertValue(v any) (value driver.Value, err error) {
	defer panicked.Catch(&err, "Value", reflect.TypeOf(v))
	return c.inner.ConvertValue(v)
}
