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

// checkArgument converts an argument as database/sql does: by the driver's checker, if it has one, else by its Value method, and the rest is
// for database/sql. A panic in that method is an error.
func checkArgument(checker driver.NamedValueChecker, v *driver.NamedValue) (err error) {
	defer panicked.Catch(&err, "Value", reflect.TypeOf(v.Value))
	if checker != nil {
		return checker.CheckNamedValue(v)
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
		return fmt.Errorf("non-Value type %T returned from Value", value)
	}
	v.Value = value
	return driver.ErrSkip
}
