package models

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"unsafe"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Encrypted is a binary column whose value only who has the key can read or make: AES-256-GCM with a random
// nonce, BYTEA on PostgreSQL, LONGBLOB on MySQL and MariaDB, BLOB on SQLite. C says which column it is and
// whose keys it uses:
//
//	type userCard struct{}
//
//	func (userCard) Encryption() models.Encryption {
//		return models.Encryption{Table: "users", Column: "card", Keys: keys}
//	}
//
//	type User struct {
//		ID   uuid.UUID `bun:",pk"`
//		Card models.Encrypted[string, userCard]
//	}
//
//	err := user.Card.Set(ctx, "4111 1111 1111 1111", user.ID)
//	card, err := user.Card.Get(ctx, user.ID)
//
// # A value stays where it is
//
// A value is bound to its table, its column and its row. One that somebody moves, in the database or in a
// program, to another of them cannot be read there: [ErrTampered]. The row is what the caller names, in
// Set and Get alike: the primary key, all columns of it in their order, or whatever else the
// program knows a row by, as long as it does not change. [Register] checks that C names the field's table
// and column; a C of its own for each column is what tells them apart.
//
// A key that the database makes is not known before the insert. Zero is refused as a row, so that this
// shows. Use keys that the program makes, as UUIDs are; or insert the row without the value, Set it
// with the key, and update the column, in one transaction. [AnyRow] binds to table and column
// alone: whoever can write the table can then swap two rows' values unseen.
//
// What cannot be seen: that a value was removed or replaced by an older one of the same place. Its length is not
// hidden either, only its content.
//
// # Reading and writing
//
// What is in the field is what is in the database: Set encrypts, Get decrypts, and each can fail and takes
// a context for the [KeyProvider]. A query decrypts nothing. No plaintext is kept, so none can be
// printed: fmt, slog, JSON and text show [encrypted]. Reading it back from JSON or text is refused.
//
// The zero Encrypted is NULL, and Get of it returns T's zero value. A string or a slice of bytes is
// encrypted as it is, any other T as JSON. No query can compare the column with a value, only ask
// whether it is NULL.
//
// Methods that only read are safe for concurrent use.
type Encrypted[T any, C EncryptedColumn] struct {
	sealed []byte // replaced, never edited
}

// EncryptedColumn names a column and its keys. Encryption is called on C's zero value whenever a
// value is read, encrypted or decrypted. It must be safe for concurrent use.
type EncryptedColumn interface {
	Encryption() Encryption
}

// Encryption says where an [Encrypted] column is and who has its keys.
type Encryption struct {
	// Table and Column are what Bun calls the model's table and the field's column. Values are bound to
	// them: after a table or column is renamed they keep the old names, and [Register] says so unless the
	// declaration sets Renamed.
	Table, Column string
	// Renamed keeps [Register] from comparing Table and Column with the field's place.
	Renamed bool
	// Keys has the keys. Required.
	Keys KeyProvider
	// MaxBytes is the size of a plaintext, as it is encrypted. Zero is [MaxColumnBytes], less is no limit. A larger value is
	// a [*LimitError] in Set and when it is read.
	MaxBytes int
}

func (e Encryption) String() string { return e.Table + "." + e.Column }

var (
	_ ColumnTyper          = Encrypted[any, EncryptedColumn]{}
	_ schema.QueryAppender = Encrypted[any, EncryptedColumn]{}
	_ driver.Valuer        = Encrypted[any, EncryptedColumn]{}
	_ sql.Scanner          = (*Encrypted[any, EncryptedColumn])(nil)
	_ fmt.Formatter        = Encrypted[any, EncryptedColumn]{}
	_ slog.LogValuer       = Encrypted[any, EncryptedColumn]{}
	_ appendedField        = (*Encrypted[any, EncryptedColumn])(nil)
	_ zeroField            = (*Encrypted[any, EncryptedColumn])(nil)
	_ checkedField         = (*Encrypted[any, EncryptedColumn])(nil)
)

// Set encrypts v with the current key, for the row with the given key. On an error the field stays as
// it is. A missing or zero row is an [ErrNoRow].
func (e *Encrypted[T, C]) Set(ctx context.Context, v T, row ...any) error {
	var c C
	at := c.Encryption()
	codec, plain, err := encodePlain(&v)
	if err == nil {
		err = limited(len(plain), at.MaxBytes)
	}
	if err == nil {
		var sealed []byte
		if sealed, err = at.seal(ctx, codec, plain, row); err == nil {
			e.sealed = sealed
			return nil
		}
	}
	return fmt.Errorf("models: encrypt %s: %w", at, err)
}

// Get decrypts the value, which was set for the same row. NULL is T's zero value. The error is a
// *[DecryptError].
func (e Encrypted[T, C]) Get(ctx context.Context, row ...any) (T, error) {
	var v T
	if e.sealed == nil {
		return v, nil
	}
	var c C
	at := c.Encryption()
	env, plain, err := at.open(ctx, e.sealed, row)
	if err == nil {
		err = decodePlain(env.codec, plain, &v)
	}
	if err != nil {
		return *new(T), &DecryptError{Table: at.Table, Column: at.Column, KeyID: string(env.keyID), Err: err}
	}
	return v, nil
}

// Rotate encrypts the value again if that was not done with the current key, and reports whether it was.
// On an error, as of Get or Set, the field stays as it is.
func (e *Encrypted[T, C]) Rotate(ctx context.Context, row ...any) (rotated bool, err error) {
	if e.sealed == nil {
		return false, nil
	}
	var c C
	at := c.Encryption()
	env, plain, err := at.open(ctx, e.sealed, row)
	if err != nil {
		return false, &DecryptError{Table: at.Table, Column: at.Column, KeyID: string(env.keyID), Err: err}
	}
	key, err := at.currentKey(ctx)
	if err == nil && string(env.keyID) == key.id {
		return false, nil
	}
	var sealed []byte
	if err == nil {
		sealed, err = at.sealWith(key, env.codec, plain, row)
	}
	if err != nil {
		return false, fmt.Errorf("models: encrypt %s again: %w", at, err)
	}
	e.sealed = sealed
	return true, nil
}

// Clear makes the field NULL.
func (e *Encrypted[T, C]) Clear() { e.sealed = nil }

// IsZero reports whether the field is NULL.
func (e Encrypted[T, C]) IsZero() bool { return e.sealed == nil }

// KeyID returns the id of the key that the value says it was encrypted with: "" for NULL and for what is
// no encrypted value. Only Get knows whether that is true.
func (e Encrypted[T, C]) KeyID() string {
	env, err := parseEnvelope(e.sealed)
	if err != nil {
		return ""
	}
	return string(env.keyID)
}

// ColumnType returns BYTEA, LONGBLOB or BLOB.
func (Encrypted[T, C]) ColumnType(d dialect.Name) string { return binaryColumn(d) }

func (*Encrypted[T, C]) checkField(t *schema.Table, f *schema.Field) error {
	var c C
	at := c.Encryption()
	if at.Keys == nil {
		return errNoProvider
	}
	if !at.Renamed && (at.Table != t.Name || at.Column != f.Name) {
		return &ColumnMismatchError{Type: reflect.TypeFor[C](), Table: at.Table, Column: at.Column}
	}
	return nil
}

// AppendQuery appends the encrypted value as a binary literal, or NULL.
func (e Encrypted[T, C]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return gen.Dialect().AppendBytes(b, e.sealed), nil
}

func (*Encrypted[T, C]) fieldIsZero() schema.IsZeroerFunc {
	return zeroInPlace(func(e *Encrypted[T, C]) bool { return e.sealed == nil })
}

func (*Encrypted[T, C]) fieldAppender() schema.AppenderFunc {
	return inPlace(func(e *Encrypted[T, C], gen schema.QueryGen, b []byte) ([]byte, error) {
		return gen.Dialect().AppendBytes(b, e.sealed), nil
	})
}

// Value returns the encrypted value, or nil, for use without Bun.
func (e Encrypted[T, C]) Value() (driver.Value, error) {
	if e.sealed == nil {
		return nil, nil
	}
	return bytes.Clone(e.sealed), nil
}

// Scan takes what the column holds. Whether it is right is for Get to say; what does not even look
// like an encrypted value is a *[DecryptError] with [ErrNotEncrypted], so that no plaintext
// is taken for one, by a fixture, say, and written as it is.
func (e *Encrypted[T, C]) Scan(src any) error {
	e.sealed = nil
	if src == nil {
		return nil
	}
	data, _ := columnBytes(src)
	var c C
	at := c.Encryption()
	_, err := parseEnvelope(data)
	if err == nil {
		err = limited(len(data)-maxEnvelope, at.MaxBytes)
	}
	if err != nil {
		return &DecryptError{Table: at.Table, Column: at.Column, Err: err}
	}
	e.sealed = bytes.Clone(data)
	return nil
}

const redacted = "[encrypted]"

// Format writes [encrypted], whatever the verb.
func (e Encrypted[T, C]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is [encrypted].
func (e Encrypted[T, C]) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[encrypted]", or null for NULL.
func (e Encrypted[T, C]) MarshalJSON() ([]byte, error) {
	if e.sealed == nil {
		return []byte("null"), nil
	}
	return []byte(`"` + redacted + `"`), nil
}

// UnmarshalJSON refuses everything but null, which changes nothing: [ErrRedacted].
func (e *Encrypted[T, C]) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	return ErrRedacted
}

// MarshalText returns [encrypted].
func (e Encrypted[T, C]) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText refuses everything: [ErrRedacted].
func (e *Encrypted[T, C]) UnmarshalText([]byte) error { return ErrRedacted }

// How a plaintext was encoded. These numbers are in databases: they never change.
const (
	plainBytes = 1 // a string or a slice of bytes, as it is
	plainJSON  = 2
)

func encodePlain[T any](v *T) (codec byte, plain []byte, err error) {
	rv := reflect.ValueOf(v).Elem()
	switch {
	case rv.Kind() == reflect.String:
		s := rv.String()
		return plainBytes, unsafe.Slice(unsafe.StringData(s), len(s)), nil // only read
	case isBytes(rv.Type()):
		return plainBytes, rv.Bytes(), nil
	}
	plain, err = marshalJSON(v)
	if err != nil {
		return 0, nil, &EncodeError{Type: rv.Type(), Err: errUnshown}
	}
	return plainJSON, plain, nil
}

// decodePlain keeps the JSON decoder's error to itself: it quotes what it read.
func decodePlain[T any](codec byte, plain []byte, v *T) error {
	rv := reflect.ValueOf(v).Elem()
	switch {
	case codec == plainJSON:
		if decodeUnbounded(plain, v) != nil { // its size was seen when it was read
			return &DecodeError{Type: rv.Type(), As: "decrypted JSON", Err: errUnshown}
		}
		return nil
	case codec == plainBytes && rv.Kind() == reflect.String:
		rv.SetString(unsafe.String(unsafe.SliceData(plain), len(plain))) // nobody else has it
		return nil
	case codec == plainBytes && isBytes(rv.Type()):
		rv.SetBytes(plain)
		return nil
	}
	return &DecodeError{Type: rv.Type(), As: "decrypted value", Err: errUnshown}
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}
