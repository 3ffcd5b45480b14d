package models

import (
	"errors"
	"fmt"
	"reflect"
)

// FilterError reports a condition or an order that the model cannot have: a mistake of whoever sent the
// names and values, such as a user. It wraps an *[UnknownColumnError], or says what is wrong with
// the value, which it does not show, unless the field's type does, as [EnumError]. Several are joined: [errors.As]
// finds the first.
type FilterError struct {
	Model  reflect.Type // nil where it is not known: in [ParseOrder]
	Column string       // as it was named; "" if it is about all of the map or the order
	Err    error

	sent bool // whether a request named the column: only then is the name told to it
}

func (e *FilterError) Error() string {
	if unknown := (*UnknownColumnError)(nil); errors.As(e.Err, &unknown) {
		return e.Err.Error()
	}
	text := "models: order"
	if e.Model != nil {
		text = fmt.Sprintf("models: filter %s", e.Model)
	}
	if e.Column != "" {
		text += fmt.Sprintf(" by %q", e.Column)
	}
	return fmt.Sprintf("%s: %v", text, e.Err)
}

func (e *FilterError) Unwrap() error { return e.Err }

// sent marks an error about a column as one about a name of a request's.
func sent(err error) error {
	if filter := (*FilterError)(nil); errors.As(err, &filter) {
		filter.sent = true
	}
	if unknown := (*UnknownColumnError)(nil); errors.As(err, &unknown) {
		unknown.sent = true
	}
	return err
}

// CursorError reports a cursor that cannot be used: it is malformed or changed, was made for another order, table, scope or
// kind of database, by an earlier version of this library, or sealed with a key that is not here. Start again from the first page. Its text has nothing
// of the cursor and the model, and is fit for whoever sent it.
type CursorError struct {
	Model reflect.Type
	Err   error
}

func (e *CursorError) Error() string { return fmt.Sprintf("models: cursor: %v", e.Err) }

func (e *CursorError) Unwrap() error { return e.Err }

// PageError reports a page that cannot be: its number or size, or a query that cannot be had in pages.
type PageError struct {
	Model reflect.Type // nil if the number, the size or the number of columns is at fault: the text is fit for whoever sent them
	Err   error
}

func (e *PageError) Error() string {
	if e.Model == nil {
		return fmt.Sprintf("models: page: %v", e.Err)
	}
	return fmt.Sprintf("models: page of %s: %v", e.Model, e.Err)
}

func (e *PageError) Unwrap() error { return e.Err }

var (
	errRelationUnjoined = errors.New("a relation's column, which only a select has: use a subquery")
	errRelationMany     = errors.New("a column of a relation to many rows, which is no join: use a subquery")
	errSealed           = reason{"an encrypted column: no query can compare it, only ask whether it is NULL", noSuchValue}
	errNoText           = errors.New("Like is for text columns")
	errArray            = errors.New("an array of two is a range of numbers or times, no list: use a slice for one")
)

// What may be told to whoever sent the value.
const (
	errNul        publicReason = "a text with a NUL character"
	errUTF8       publicReason = "a text that is not valid UTF-8"
	errRangeKeys  publicReason = `a range in a map has the keys "from" and "to" and no other`
	errRangeEmpty publicReason = `a range in a map has a "from", a "to" or both`
	errNoNumber   publicReason = "not a number of this column's kind"
	errNotFinite  publicReason = "neither infinite nor NaN is a number to this database"
	errNoDate     publicReason = `no date: say "2024-01-31" or "2024-01-31T15:04:05Z"`
	errYear       publicReason = "a year that is not between 1 and 9999"
	errPattern    publicReason = "a pattern that ends within an escape: double the backslash"
	errTwice      publicReason = "an order that names the column twice"
)

var (
	errNull = reason{"nil has no order: use IsNull or NotNull", "null is neither less nor greater than a value"}
	errList = reason{"a slice: use In", "a list in place of one value"}
)

// errKind says that a column takes no such value.
func errKind(v any, kind columnKind) error {
	public := "a value of another kind"
	if kind != kindOther {
		public = fmt.Sprintf("not a value of kind %s", kind)
	}
	return reason{fmt.Sprintf("%T is no value of a %s column", v, kind), public}
}
