package router

import (
	"errors"
	"fmt"

	"github.com/bindery-go/bindery/binds"
)

// A StatementError is what a server answered to a statement of a builder or of a bind's DB, with the bind and the engine that it ran on.
// errors.As finds the driver's error in it; [binds.ReadError] and [binds.Violation] say what it means. Errors that are no
// answer, such as sql.ErrNoRows and a context's, stay as they are; rows that fail after the first have the driver's error.
type StatementError struct {
	Bind   binds.Key
	Engine string
	Err    error
}

func (e *StatementError) Error() string {
	return fmt.Sprintf("bind %q, engine %q: %v", e.Bind.String(), e.Engine, e.Err)
}

// Unwrap returns the driver's error.
func (e *StatementError) Unwrap() error { return e.Err }

// named names bind and engine in a server's answer, unless it is part of an error of this package's own.
func (r *Router) named(engine *binds.Engine, err error) error {
	if engine.ReadError(err) == nil || isOwn(err) {
		return err
	}
	return &StatementError{Bind: r.key, Engine: engine.Name(), Err: err}
}

// isOwn reports whether err is an error of this package's that holds an answer, and says more of it.
func isOwn(err error) bool {
	var statement *StatementError
	var unavailable *UnavailableError
	var unknown *OutcomeUnknownError
	var broken *ReadBrokenError
	var behind *WriterBehindError
	var none *NoReaderError
	var aborted *TxAbortedError
	var unsent *NotSentError
	return errors.As(err, &statement) || errors.As(err, &unavailable) || errors.As(err, &unknown) || errors.As(err, &broken) ||
		errors.As(err, &behind) || errors.As(err, &none) || errors.As(err, &aborted) || errors.As(err, &unsent)
}

// engine is where a route leads.
func (c *Conn) engine(to *route) *binds.Engine {
	if to.reader != nil {
		return to.reader.engine
	}
	return c.router.writer
}
