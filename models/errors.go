package models

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/bindery-go/bindery/internal/nearest"
)

// ErrStale is what every [*StaleError] matches.
var ErrStale = errors.New("models: the row has changed since it was read")

// StaleError reports a row that somebody else has changed or removed since it was read. It matches
// [ErrStale]. Read the row again, or let [RetryStale] do so.
//
// A server may refuse the write itself, because of what other transactions have written, or are writing: by SQLSTATE
// 40001, which is PostgreSQL's from REPEATABLE READ on and the deadlock of MySQL and MariaDB (1213), and MariaDB since
// 11.6.2 by error 1020, unless the transaction is READ COMMITTED. Then all of the transaction is undone, and Err says so;
// begin it anew. On a bun.Tx of MySQL or MariaDB all that follows fails with database/sql's ErrTxDone.
type StaleError struct {
	Model reflect.Type
	Key   []KeyValue // the primary key, in the order of the model's fields
	Held  int64      // the version that the model holds
	Found int64      // the version that the row has; 0 if it is gone
	Gone  bool       // whether the row is gone
	Err   error      // the server's refusal, which undid the transaction; nil elsewhere. Found and Gone are unknown then
}

// A KeyValue is one column of a primary key.
type KeyValue struct {
	Column string
	Value  any
}

func (e *StaleError) Error() string {
	var key []string
	for _, k := range e.Key {
		key = append(key, fmt.Sprintf("%s=%v", k.Column, k.Value))
	}
	row := fmt.Sprintf("models: stale %s (%s): held version %d", e.Model, strings.Join(key, ", "), e.Held)
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s; the server has rolled back the transaction: %v", row, e.Err)
	case e.Gone:
		return row + ", the row is gone"
	case e.Found == e.Held:
		return row + ", which another transaction is changing"
	}
	return fmt.Sprintf("%s, found %d: read the row again", row, e.Found)
}

// Is reports whether target is [ErrStale].
func (e *StaleError) Is(target error) bool { return target == ErrStale }

func (e *StaleError) Unwrap() error { return e.Err }

// UnknownColumnError reports a name that is no column of the model.
type UnknownColumnError struct {
	Model   reflect.Type
	Column  string
	Columns []string // the model's, in the order of its fields, or those that the call allows

	sent bool // whether a request sent the name
}

func (e *UnknownColumnError) Error() string {
	if len(e.Columns) == 0 {
		return fmt.Sprintf("models: column %q of %s is not allowed, since the call lists none: name those that it may have", e.Column, e.Model)
	}
	return fmt.Sprintf("models: %s has no column %q%s: it has %s",
		e.Model, e.Column, nearest.Hint(e.Column, e.Columns), strings.Join(e.Columns, ", "))
}

// ConversionError reports a value that a column's field cannot hold without loss. It does not show
// the value, which may be a secret.
type ConversionError struct {
	Model  reflect.Type
	Column string
	From   reflect.Type // the value's; nil for nil
	To     reflect.Type // the field's
	Err    error        // why
}

func (e *ConversionError) Error() string {
	return fmt.Sprintf("models: column %q of %s: %v into %s: %v", e.Column, e.Model, e.From, e.To, e.Err)
}

func (e *ConversionError) Unwrap() error { return e.Err }

// ModelError reports a value that is no model, or not of the kind that the call needs.
type ModelError struct {
	Call string // the function
	Type reflect.Type
	Want string
}

func (e *ModelError) Error() string {
	return fmt.Sprintf("models: %s of %v: it takes %s", e.Call, e.Type, e.Want)
}

// HiddenHookError reports a model whose mixins Bun did not call, because the model, or another type
// that it embeds, has a hook method of the same name.
type HiddenHookError struct {
	Model  reflect.Type
	Hook   string // the method: "BeforeUpdate"
	Column string // a column that the mixin should have written
}

func (e *HiddenHookError) Error() string {
	return fmt.Sprintf("models: %s was written without %q: its own or an embedded %s hides that of its mixins: call models.%s(ctx, query) from it",
		e.Model, e.Column, e.Hook, e.Hook)
}

// AmbiguousHookError reports a model that embeds several types with the same Bun hook, which Go
// promotes from none of them.
type AmbiguousHookError struct {
	Model  reflect.Type
	Hook   string   // the method: "AfterInsert"
	Fields []string // the embedded fields that have it
}

func (e *AmbiguousHookError) Error() string {
	return fmt.Sprintf("models: %s embeds %s, each with a %s: Go promotes none of them: give %s a %s that calls each",
		e.Model, strings.Join(e.Fields, " and "), e.Hook, e.Model, e.Hook)
}

// HiddenColumnError reports a mixin's column that is not in the model's table, or belongs to another
// field.
type HiddenColumnError struct {
	Model  reflect.Type
	Mixin  reflect.Type
	Column string
}

func (e *HiddenColumnError) Error() string {
	return fmt.Sprintf("models: column %q of %s, which %s embeds, is hidden by another field of that name: remove one",
		e.Column, e.Mixin, e.Model)
}

// HalfAssignedError reports an update that assigns one of two columns that are kept equal.
type HalfAssignedError struct {
	Model             reflect.Type
	Assigned, Missing string
}

func (e *HalfAssignedError) Error() string {
	return fmt.Sprintf("models: update of %s assigns %q but not %q, which is kept equal to it: assign both or neither",
		e.Model, e.Assigned, e.Missing)
}

// UnknownBunError reports a version of Bun whose query builders are not laid out as this package
// needs them. Mixins and signals refuse to work with it.
type UnknownBunError struct{ Type, Field string }

func (e *UnknownBunError) Error() string {
	return fmt.Sprintf("models: %s has no field %s as Bun 1.3 had it: use the version of Bun in bindery's go.mod", e.Type, e.Field)
}

// ErrUnseenTransaction reports a statement with an [AfterCommit] signal on a *sql.Tx whose end no
// hook will see. The statement did not run.
var ErrUnseenTransaction = errors.New("models: a signal waits for the commit of a transaction that Bun did not begin: begin it on the DB with the signal, or see models.WithTransaction")

// ErrUnseenSavepoint reports a nested transaction of which [AfterCommit] signals cannot tell whose
// part it is. Its SAVEPOINT did not run.
var ErrUnseenSavepoint = errors.New("models: a signal waits for a commit, and this savepoint does not say of which transaction: begin it with the context that RunInTx gave, or with that of models.TxContext")
