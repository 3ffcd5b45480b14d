package models

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxForeign  = 200 // bytes that are kept of the text of a Scan that is not of this package
	shownPrefix = 8   // bytes of a value that are enough to say that a text shows it, if it is cut off
)

// A foreignError is that of a Scan which is not of this package, without the value that it may quote.
type foreignError struct {
	text string
	err  error
}

func (e *foreignError) Error() string { return e.text }
func (e *foreignError) Unwrap() error { return e.err }

// why says no more than that the value is refused, unless the error itself has words for whoever sent it.
func (e *foreignError) why() string { return reasonOf(e.err) }

// discreet returns err with a text that does not show the value, nor is long. This package's own reasons show none, except an [EnumError].
func discreet(err error, value any) error {
	if _, own := err.(valueReason); own || err == nil {
		return err
	}
	text := err.Error()
	switch {
	case shows(text, value):
		text = fmt.Sprintf("the type's Scan refuses it: a %T, which is not shown as it shows the value", innermost(err))
	case len(text) > maxForeign:
		text = strings.ToValidUTF8(text[:maxForeign], "") + "…"
	}
	return &foreignError{text, err}
}

// innermost is the first cause of an error.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// shows reports whether a text has a value in it, plain or quoted, or what it begins with.
func shows(text string, value any) bool {
	v := reflect.ValueOf(value)
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return false
	}
	var shown string
	switch {
	case v.Kind() == reflect.String:
		shown = v.String()
	case isByteSlice(v.Type()):
		shown = string(v.Bytes())
		if strings.Contains(text, start(fmt.Sprint(v.Bytes()), 4*shownPrefix)) {
			return true
		}
	case v.CanInt() || v.CanUint() || v.CanFloat() || v.Kind() == reflect.Bool:
		shown = fmt.Sprint(v.Interface())
	default:
		shown = fmt.Sprintf("%v", v.Interface())
	}
	shown = strings.TrimSpace(shown)
	if shown == "" {
		return false
	}
	shown = start(shown, shownPrefix)
	return strings.Contains(text, shown) || strings.Contains(text, strings.Trim(strconv.Quote(shown), `"`))
}

// start returns up to so many bytes of a text, in whole characters.
func start(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	for bytes > 1 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes]
}
