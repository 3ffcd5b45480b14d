package models

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Why a value cannot be encrypted or decrypted; use errors.Is.
var (
	// ErrUnknownKey reports a value whose key is not in the key ring: it was taken out too early, or this
	// process does not have it yet.
	ErrUnknownKey = errors.New("its key is not in the key ring: make the ring with it as an old key")
	// ErrForgottenKey reports a value whose key [KeyRing.Forget] took out. It matches [ErrUnknownKey], too.
	ErrForgottenKey error = &forgottenKeyError{}
	// ErrCurrentKey reports that the current key was to be forgotten.
	ErrCurrentKey = errors.New("it is the current key: Rotate to another one first")
	// ErrWrongKey reports a value whose key id belongs to another secret now.
	ErrWrongKey = errors.New("the key ring's key with this id has another secret than the value was encrypted with")
	// ErrTampered reports a value that was changed, or is not in the place that it was made for.
	ErrTampered = errors.New("it was changed, or it belongs to another table, column or row")
	// ErrNotEncrypted reports a value that is no encrypted one, or one of a later version's.
	ErrNotEncrypted = errors.New("it is not an encrypted value of a known version")
	// ErrNoRow reports that [Encrypted.Set] or Get was not told the row's key, or a zero one, as before the
	// insert of a row whose key the database makes.
	ErrNoRow = errors.New("no row's key: pass the primary key once it is known, or AnyRow{}")
	// ErrBadKey reports a key that cannot be used.
	ErrBadKey = errors.New("models: bad key")
	// ErrRedacted reports an attempt to read an [Encrypted] from JSON or text.
	ErrRedacted = errors.New("models: an encrypted value is never read from JSON or text: use Set")
)

type forgottenKeyError struct{}

func (*forgottenKeyError) Error() string {
	return "its key was forgotten: to read the value, make a key ring with it, or Rotate to it, if you still have its secret; else clear the column"
}

func (*forgottenKeyError) Is(target error) bool { return target == ErrUnknownKey }

// DecryptError reports a value that could not be decrypted. It wraps [ErrUnknownKey], [ErrForgottenKey], [ErrWrongKey], [ErrTampered],
// [ErrNotEncrypted], [ErrNoRow], a *[DecodeError] or the [KeyProvider]'s error.
type DecryptError struct {
	Table, Column string
	KeyID         string // as the value says; "" if it has none
	Err           error
}

func (e *DecryptError) Error() string {
	key := ""
	if e.KeyID != "" {
		key = fmt.Sprintf(" with key %q", e.KeyID)
	}
	return fmt.Sprintf("models: decrypt %s.%s%s: %v", e.Table, e.Column, key, e.Err)
}

func (e *DecryptError) Unwrap() error { return e.Err }

// ColumnMismatchError reports an [Encrypted] field that is not the column which its type says it is. Were it
// let through, two columns could share one declaration and their values be swapped.
type ColumnMismatchError struct {
	Type          reflect.Type // the EncryptedColumn
	Table, Column string       // as it says
}

func (e *ColumnMismatchError) Error() string {
	return fmt.Sprintf("%s says that it is %s.%s: give each encrypted column a type of its own", e.Type, e.Table, e.Column)
}

// EncodeError reports a value that has no encoding: a channel, a NaN in JSON.
type EncodeError struct {
	Type reflect.Type
	Err  error
}

func (e *EncodeError) Error() string { return fmt.Sprintf("models: encode %s: %v", e.Type, e.Err) }

func (e *EncodeError) Unwrap() error { return e.Err }

// DecodeError reports a column's value that is none of Type's.
type DecodeError struct {
	Type reflect.Type
	As   string // what it was read as: "JSON"
	Err  error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("models: read %s as %s: %v", e.As, e.Type, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// EncodingError reports a serialized value whose first bytes name no known encoding: it is something
// else, or a later version wrote it.
type EncodingError struct {
	Start []byte // up to two bytes
}

func newEncodingError(data []byte) error {
	return &EncodingError{Start: append([]byte(nil), data[:min(2, len(data))]...)}
}

func (e *EncodingError) Error() string {
	start := "of no bytes"
	if len(e.Start) > 0 {
		start = fmt.Sprintf("%x", e.Start)
	}
	return fmt.Sprintf("models: unknown encoding %s: not a serialized value, or a later version's", start)
}

// EnumError reports a value that is none of an enumerated type's.
type EnumError struct {
	Type    reflect.Type
	Value   string   // as in the database
	Allowed []string // likewise, in the type's order; not to be changed
}

func (e *EnumError) Error() string {
	const longest = 100
	value := e.Value
	if len(value) > longest {
		value = value[:longest] + "…"
	}
	return fmt.Sprintf("models: %q is no %s (have %s)", value, e.Type, strings.Join(e.Allowed, ", "))
}

func unexpected(src any) error { return fmt.Errorf("the driver gave a %T", src) }
