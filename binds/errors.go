package binds

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bindery-go/bindery/internal/nearest"
)

// ErrNilModel reports an untyped nil, or a nil *Key, where a model names its bind. A typed nil,
// (*User)(nil), does name it.
var ErrNilModel = errors.New("binds: nil names no bind: pass (*Model)(nil) or a bind key")

// A Marker is an embedded type that gives a model its bind, as errors show it.
type Marker struct {
	Type reflect.Type
	Key  Key
	Path string // the embedded fields from the model down to it: "Base.Accounts"

	err  error // why the marker cannot be read
	weak bool  // another marker is believed rather than err
}

// AmbiguousBindError reports a model with more than one marker.
type AmbiguousBindError struct {
	Model   reflect.Type
	Markers []Marker // at least two
}

func (e *AmbiguousBindError) Error() string {
	var names []string
	for _, m := range e.Markers {
		names = append(names, fmt.Sprintf("%s (bind %q, as %s)", m.Type, m.Key.String(), m.Path))
	}
	return fmt.Sprintf("binds: model %s has %d markers, %s: keep one",
		e.Model, len(e.Markers), strings.Join(names, " and "))
}

// NamedMarkerError reports a model with a marker in a field that has a name. Only an embedded marker says
// where the model lives.
type NamedMarkerError struct {
	Model  reflect.Type
	Field  string       // the field: "Bind", "Base.Bind"
	Marker reflect.Type // its type, without a pointer
}

func (e *NamedMarkerError) Error() string {
	return fmt.Sprintf("binds: model %s has the marker %s in the field %s, where it says nothing: embed it, by a line that holds nothing but the type (a field that is no marker takes a tag, `bun:\"-\"` or its column's)",
		e.Model, e.Marker, e.Field)
}

// DynamicBindError reports a model whose bind cannot be known from its type: it embeds a [Key] or an
// interface with a BindKey method, or a type whose BindKey gives another answer when the type's texts are "x", its
// numbers 1 and its flags true; or it is a slice of a [Key] or such an interface.
type DynamicBindError struct {
	Model reflect.Type
	Field string // the embedded field: "Base.Bound"; "" if Model itself is a Key or interface
}

func (e *DynamicBindError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("binds: a slice of or pointer to %s names no bind: pass one of its values", e.Model)
	}
	return fmt.Sprintf("binds: model %s embeds %s, whose bind is known only at run time: embed a marker struct instead",
		e.Model, e.Field)
}

// BindKeyError reports a BindKey method that panics on a zero value, or that is no method of [Bound].
type BindKeyError struct {
	Type      reflect.Type // the type whose method it is
	Cause     any          // what it panicked with
	Method    string       // "BindKey", or what it was called instead
	Signature reflect.Type // the method's type, if that or its name is what is wrong; else nil
}

func (e *BindKeyError) Error() string {
	if e.Signature != nil {
		return fmt.Sprintf("binds: the method %s of %s is a %s and names no bind: make it BindKey, a func() binds.Key", e.Method, e.Type, e.Signature)
	}
	return fmt.Sprintf("binds: BindKey of a zero %s panics (%v): it must return one key for every value", e.Type, e.Cause)
}

// UnknownBindError reports a [Key] that no configuration declares.
type UnknownBindError struct {
	Key   Key
	Known []Key // the declared keys, sorted
}

func (e *UnknownBindError) Error() string {
	return fmt.Sprintf("binds: unknown bind %q (have %s)", e.Key.String(), quoted(e.Known))
}

func quoted(keys []Key) string {
	if len(keys) == 0 {
		return "none"
	}
	var qs []string
	for _, k := range keys {
		qs = append(qs, strconv.Quote(k.String()))
	}
	return strings.Join(qs, ", ")
}

// OpenError reports an engine that could not be opened: its URI is wrong, or no driver takes it.
// It never holds the URI.
type OpenError struct {
	Engine string // the engine's name, such as "accounts/reader-1"
	Err    error
}

func (e *OpenError) Error() string { return fmt.Sprintf("binds: open %q: %v", e.Engine, e.Err) }
func (e *OpenError) Unwrap() error { return e.Err }

// NoDriverError reports a URI scheme that no imported driver has registered.
type NoDriverError struct {
	Scheme string
	Known  []string // the registered schemes, sorted
}

func (e *NoDriverError) Error() string {
	if pkg := packageOf(e.Scheme); pkg != "" {
		return fmt.Sprintf("no driver for scheme %q (forgotten import of %s?)", e.Scheme, pkg)
	}
	if name := nearest.Name(e.Scheme, append(builtinSchemes(), e.Known...)); name != "" {
		return fmt.Sprintf("no driver for scheme %q (did you mean %q?)", e.Scheme, name)
	}
	if len(e.Known) == 0 {
		return fmt.Sprintf("no driver for scheme %q (no driver is imported)", e.Scheme)
	}
	return fmt.Sprintf("no driver for scheme %q (have %s)", e.Scheme, strings.Join(e.Known, ", "))
}

// ConnectError reports that a server could not be reached or refused the login. Nothing was sent.
type ConnectError struct {
	Engine string        // the engine's name
	Took   time.Duration // how long it was tried; 0 where that was not measured
	Err    error
}

func (e *ConnectError) Error() string { return fmt.Sprintf("binds: connect %q: %v", e.Engine, e.Err) }
func (e *ConnectError) Unwrap() error { return e.Err }

// schemesOf holds the schemes of this module's own drivers by package.
var schemesOf = map[string][]string{
	"pgbind":     {"postgres", "postgresql"},
	"mysqlbind":  {"mysql", "mariadb"},
	"sqlitebind": {"sqlite"},
}

func builtinSchemes() []string {
	return slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(schemesOf))...)))
}

// packageOf names this module's package for a scheme, "" when it has none.
func packageOf(scheme string) string {
	for pkg, schemes := range schemesOf {
		if slices.Contains(schemes, scheme) {
			return pkg
		}
	}
	return ""
}

var (
	// ErrNoLocks reports a lock on a database whose driver is no [NamedLocker].
	ErrNoLocks = errors.New("binds: the driver knows no named locks")
	// ErrNotPrimary reports a lock on a server that may not write: a lock there keeps nobody out.
	ErrNotPrimary = errors.New("binds: the server is a replica or read-only, where a lock keeps nobody out: give the primary's address as writer")
)

// LockNameError reports a name that no lock can have.
type LockNameError struct {
	Name   string
	Reason string // "is empty"
}

func (e *LockNameError) Error() string {
	shown := e.Name
	if len(shown) > maxLockName {
		shown = strings.ToValidUTF8(shown[:64], "") + "…"
	}
	return fmt.Sprintf("binds: the lock name %q %s: give text in UTF-8 without NUL, of 1 to %d bytes", shown, e.Reason, maxLockName)
}

// maxLockName is how many bytes a lock's name may have. Servers get a hash of it; it is kept, and shown in errors.
const maxLockName = 4096

func badLockName(name string) string {
	switch {
	case len(name) > maxLockName:
		return fmt.Sprintf("has %d bytes", len(name))
	case name == "":
		return "is empty"
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsRune(name, 0):
		return "holds a NUL"
	}
	return ""
}
