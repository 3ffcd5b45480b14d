package router

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
)

// ErrNoReader is matched by the error of a read that no reader could serve where the
// configuration forbids the writer to (fallback = "none").
var ErrNoReader = errors.New("router: no reader")

// NoReaderError reports a read that no reader could serve. It matches [ErrNoReader].
type NoReaderError struct {
	Bind binds.Key
	Err  error // why the last reader failed; nil if the bind has none
}

func (e *NoReaderError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf(`router: bind %q has no readers and fallback = "none": add readers, or set fallback = "writer"`, e.Bind.String())
	}
	return fmt.Sprintf(`router: no reader of bind %q could be reached and fallback = "none": %v`, e.Bind.String(), e.Err)
}

// Is reports whether target is [ErrNoReader].
func (e *NoReaderError) Is(target error) bool { return target == ErrNoReader }

func (e *NoReaderError) Unwrap() error { return e.Err }

// WrongBindError reports a model that was queried on another bind's DB.
type WrongBindError struct {
	Model     reflect.Type
	ModelBind binds.Key // where the model lives
	Bind      binds.Key // whose DB was asked
}

func (e *WrongBindError) Error() string {
	return fmt.Sprintf("router: model %s lives in bind %q but was queried on bind %q: use the manager's own builders, or the DB of bind %q",
		e.Model, e.ModelBind.String(), e.Bind.String(), e.ModelBind.String())
}

// CrossBindRelationError reports a relation that would need a join between two databases. A
// has-many relation does not: Bun loads it with a query of its own.
type CrossBindRelationError struct {
	Model       reflect.Type
	Field       string
	Bind        binds.Key
	Related     reflect.Type // the related model, or the link table of a many-to-many relation
	RelatedBind binds.Key
	Relation    string // "has-one", "belongs-to", "m2m"
}

func (e *CrossBindRelationError) Error() string {
	return fmt.Sprintf("router: the %s relation %s.%s joins bind %q with %s in bind %q: load it with a query of its own, or model it as has-many",
		e.Relation, e.Model, e.Field, e.Bind.String(), e.Related, e.RelatedBind.String())
}

// CrossDialectRelationError reports a has-many relation into a bind of another kind of database:
// Bun has written its query in the wrong dialect already.
type CrossDialectRelationError struct {
	Model          reflect.Type // the related model
	Bind           binds.Key
	Dialect        dialect.Name
	RelatedBind    binds.Key
	RelatedDialect dialect.Name
}

func (e *CrossDialectRelationError) Error() string {
	return fmt.Sprintf("router: a relation of bind %q (%s) loads %s from bind %q (%s): the dialects differ, load it with a query of its own",
		e.Bind.String(), e.Dialect, e.Model, e.RelatedBind.String(), e.RelatedDialect)
}

// WriteOnReaderError reports a statement that writes, locks or is not known to be harmless on a
// bind's Reader(). Nothing was sent.
type WriteOnReaderError struct {
	Bind binds.Key
}

func (e *WriteOnReaderError) Error() string {
	return fmt.Sprintf("router: a statement that is not a plain read was given to the Reader() of bind %q: use its DB() or Writer()", e.Bind.String())
}
