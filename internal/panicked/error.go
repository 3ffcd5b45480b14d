// Package panicked makes errors of panics in code that is called while something of ours, or of database/sql, is held.
package panicked

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// Error reports a panic in a method of a program's own, such as a Scan, which was called while a connection was held. Not recovered, it
// leaves database/sql's Rows locked, and the connection is lost to its pool for ever. It says what the panic's value was, not the value
// itself, which may hold what was read.
type Error struct {
	Method string       // "Scan", "Value"
	Type   reflect.Type // whose method, or of the field that was read or written; nil if it is not known
	Model  reflect.Type // of the field; nil where it is not known
	Column string       // likewise; ""
	Panic  reflect.Type // of the value that panic was called with
	Where  string       // the function that panicked, with its file and line
}

func (e *Error) Error() string {
	text := fmt.Sprintf("panic in %s of %v", e.Method, e.Type)
	if e.Column != "" {
		text += fmt.Sprintf(" for column %q", e.Column)
		if e.Model != nil {
			text += fmt.Sprintf(" of %v", e.Model)
		}
	}
	return fmt.Sprintf("%s: a %v at %s", text, e.Panic, e.Where)
}

// Catch is to be deferred: it makes an error of a panic.
func Catch(err *error, method string, typ reflect.Type) {
	if p := recover(); p != nil {
		*err = &Error{Method: method, Type: typ, Panic: reflect.TypeOf(p), Where: place()}
	}
}

// place finds the function that panicked among the callers, which still stand while a panic is recovered. Where something has recovered it and
// panicked again, as encoding/gob does, that is the innermost.
func place() string {
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	found, within := "an unknown place", true // of the runtime's functions that begin a panic
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			within = true
		case within && !strings.HasPrefix(frame.Function, "runtime."):
			found, within = fmt.Sprintf("%s (%s:%d)", frame.Function, filepath.Base(frame.File), frame.Line), false
		}
	}
	return found
}
