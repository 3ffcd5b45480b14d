package models

import (
	"fmt"
	"reflect"
	"sync"
)

// What a request can make this package do is bounded. More is a [*LimitError].
const (
	// MaxNameLength is the length, in bytes, of a name in [Filter], [FromMap] or [ParseOrder], the relations before it included.
	MaxNameLength = 255
	// MaxKeys is the number of keys in a map for [Filter] or [FromMap].
	MaxKeys = 256
	// MaxListValues is the number of values that a slice in a map for [Filter] may have. [In], which a program calls, takes any.
	MaxListValues = 1000
	// MaxOrderTerms is the number of columns in a text for [ParseOrder].
	MaxOrderTerms = 16
)

// MaxColumnBytes is the size of a value that a [JSON], [List], [SerializedAs] or [Encrypted] column takes, in bytes as they are in the
// database, the envelope of an encrypted one not counted, unless a [ColumnLimiter] or [Encryption] says otherwise. A larger one is neither
// written nor decoded.
const MaxColumnBytes = 16 << 20

// MaxVectorElements is the number of elements of a [Vector]: four times what MySQL and MariaDB allow.
const MaxVectorElements = 1 << 16

// maxMistakes is how many mistakes in a map or an order are told one by one.
const maxMistakes = 10

// A ColumnLimiter is the T of a [JSON], [List] or [SerializedAs] column whose values may have another size than [MaxColumnBytes]. For a slice, a
// List's too, the element's type may say it. MaxColumnBytes is called on a zero T, or on a nil one if T is a pointer, and must always return the same:
// bytes, of which 0 means the default and less no limit.
type ColumnLimiter interface {
	MaxColumnBytes() int
}

// LimitError reports more than this package takes: a name, a map, a list or a column's value that is too large.
type LimitError struct {
	What string // of which there are too many: "keys", "bytes"
	Got  int
	Max  int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%d %s: at most %d are taken", e.Got, e.What, e.Max)
}

func (e *LimitError) why() string { return e.Error() }

func atMost(got, limit int, what string) error {
	if got > limit {
		return &LimitError{What: what, Got: got, Max: limit}
	}
	return nil
}

// columnLimits knows the limits of types.
var columnLimits sync.Map // of reflect.Type to int

// columnLimit refuses what is too large for a column of T.
func columnLimit[T any](size int) error {
	typ := reflect.TypeFor[T]()
	limit, ok := columnLimits.Load(typ)
	if !ok {
		limit = saidLimit(typ)
		columnLimits.Store(typ, limit)
	}
	return limited(size, limit.(int))
}

// saidLimit asks a type, or the elements of a slice.
func saidLimit(typ reflect.Type) int {
	for _, v := range []reflect.Value{reflect.New(typ), reflect.Zero(typ)} { // a type's own methods are among its pointer's
		if l, ok := v.Interface().(ColumnLimiter); ok {
			return l.MaxColumnBytes()
		}
	}
	if typ.Kind() == reflect.Slice {
		return saidLimit(typ.Elem())
	}
	return 0
}

// limited refuses a size beyond a limit: 0 for the default, less for none.
func limited(size, limit int) error {
	switch {
	case limit < 0:
		return nil
	case limit == 0:
		limit = MaxColumnBytes
	}
	return atMost(size, limit, "bytes")
}
