package observe

import (
	"context"
	"errors"
	"reflect"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// What kind of failure an error is, where it is not the server's answer alone.
var failures = []struct {
	is   func(error) bool
	name string
}{
	{sentinel(router.ErrOutcomeUnknown), "outcome_unknown"},
	{sentinel(manager.ErrLockTimeout), "lock_timeout"},
	{sentinel(manager.ErrTooManyLocks), "too_many_locks"},
	{sentinel(router.ErrNoWriter), "unavailable"},
	{sentinel(router.ErrNoReader), "no_reader"},
	{typed[*binds.PoolWaitError], "pool_wait"},
}

func sentinel(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func typed[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// failureOf returns error.type and, if a server has answered, db.response.status_code, of an error on an engine, nil if there is none. They
// hold none of the error's text.
func failureOf(e *binds.Engine, err error) (kind, code string) {
	if e != nil {
		if answer := e.ReadError(err); answer != nil {
			code = answer.Code
		}
	}
	for _, f := range failures {
		if f.is(err) {
			return f.name, code
		}
	}
	switch {
	case code != "":
		return code, code
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout", ""
	case errors.Is(err, context.Canceled):
		return "canceled", ""
	}
	return semconv.ErrorType(outermost(err)).Value.AsString(), ""
}

// outermost returns the first of joined errors, of errors.Join or fmt.Errorf: those have no type of their own.
func outermost(err error) error {
	for {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) == 0 {
			return err
		}
		switch t := reflect.TypeOf(err); {
		case t.Kind() != reflect.Pointer, t.Elem().PkgPath() != "errors" && t.Elem().PkgPath() != "fmt":
			return err
		}
		err = joined.Unwrap()[0]
	}
}

// failureAttributes are those of failureOf.
func failureAttributes(kind, code string) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.ErrorTypeKey.String(kind)}
	if code != "" {
		attrs = append(attrs, semconv.DBResponseStatusCode(code))
	}
	return attrs
}
