package models

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/seal"
)

// A CursorKey seals the cursors of [FetchPage]: whoever has a cursor and not the key can neither read, change nor make one.
// It prints, marshals and logs as a fixed text, and its secret cannot be read back. The zero CursorKey is no key.
// It is safe for concurrent use.
//
// Seal at most 2³² cursors with one key (NIST SP 800-38D, section 8.3), then put another in front of it.
type CursorKey struct {
	// reveal holds the key where fmt, encoders and debuggers that walk fields cannot see it.
	reveal func() seal.Key
}

// NewCursorKey makes a key from [KeySize] random bytes, which it does not keep: the caller may wipe them. The error is an
// [ErrBadKey].
func NewCursorKey(secret []byte) (CursorKey, error) {
	key, err := seal.NewKey(secret)
	if err != nil {
		return CursorKey{}, fmt.Errorf("%w: a cursor key %w", ErrBadKey, err)
	}
	return CursorKey{reveal: func() seal.Key { return key }}, nil
}

// ParseCursorKey reads a key of [KeySize] random bytes as the configuration has them, in standard base64, such as
// "openssl rand -base64 32" writes. The error is an [ErrBadKey] and holds no part of the text.
func ParseCursorKey(text string) (CursorKey, error) {
	secret, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil {
		return CursorKey{}, fmt.Errorf("%w: a cursor key is %d random bytes in base64: make one with openssl rand -base64 %[2]d", ErrBadKey, KeySize)
	}
	return NewCursorKey(secret)
}

// IsZero reports whether k is no key.
func (k CursorKey) IsZero() bool { return k.reveal == nil }

// Equal reports whether both have the same secret. Two zero CursorKeys are equal.
func (k CursorKey) Equal(other CursorKey) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() && other.IsZero()
	}
	_, err := seal.Ring{other.reveal()}.Open(seal.Ring{k.reveal()}.Seal(nil, nil, nil), nil)
	return err == nil
}

// String returns a fixed text, or "" for the zero CursorKey.
func (k CursorKey) String() string {
	if k.IsZero() {
		return ""
	}
	return "[cursor key withheld]"
}

// Format writes the same text for every verb.
func (k CursorKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.String())) }

// MarshalText returns the text of [CursorKey.String].
func (k CursorKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue returns the text of [CursorKey.String].
func (k CursorKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// CursorKeys has [FetchPage] seal cursors with the first key and open those of all. To change the key, put a new one behind
// the first in all processes, then in front, and take the old one out when its cursors may end. All processes that serve a client
// need the same keys. A zero CursorKey among them, or a key twice, is an error of each page.
//
// Without keys, each process has a random one for all its databases: a cursor is good until the process ends, and for no other one.
func CursorKeys(keys ...CursorKey) DialectOption {
	return func(d *fieldDialect) {
		if len(keys) == 0 {
			d.cursors = nil
			return
		}
		c := &cursorSeal{unopened: errCursorKeys}
		for i, k := range keys {
			if k.IsZero() {
				c.err = fmt.Errorf("%w: the zero CursorKey: make it with NewCursorKey", ErrBadKey)
				break
			}
			if at := slices.IndexFunc(keys[:i], k.Equal); at >= 0 {
				c.err = fmt.Errorf("%w: cursor keys %d and %d are the same", ErrBadKey, at+1, i+1)
				break
			}
			c.ring = append(c.ring, k.reveal())
		}
		d.cursors = c
	}
}

// A cursorSeal is what seals and opens a database's cursors.
type cursorSeal struct {
	ring     seal.Ring
	unopened error // why a cursor may not open
	err      error // why there are no keys
}

var (
	errCursorKeys = errors.New("changed, or sealed with a key that is no longer one of cursor_keys: begin at the first page")
	errCursorOwn  = errors.New("changed, or made by another process or before a restart: begin at the first page. " +
		"For cursors that last, give all processes the same cursor_keys in the configuration")
)

// processSeal has this process's own key.
var processSeal = sync.OnceValue(func() *cursorSeal {
	return &cursorSeal{ring: seal.Ring{seal.RandomKey()}, unopened: errCursorOwn}
})

// cursorSealOf returns what seals the cursors of the Bun DBs with a dialect.
func cursorSealOf(d schema.Dialect) *cursorSeal {
	if f, ok := d.(interface{ fields() *fieldDialect }); ok && f.fields().cursors != nil {
		return f.fields().cursors
	}
	return processSeal()
}
