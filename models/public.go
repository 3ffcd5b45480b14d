package models

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/internal/nearest"
)

// A PublicError is an error that a request caused, by a name, a value or a cursor that it sent. Its Error is for the log: it has the columns
// that there are, and Go's types. Public is for whoever sent the request: it tells what is wrong with what they sent, in words of theirs, and
// nothing of the program or its database. It may be "" where there is nothing that they could do.
type PublicError interface {
	error
	Public() string
}

// PublicText returns what of an error is for whoever sent the request, and whether there is anything: several mistakes are joined by "; ".
// An error without such a text is the program's or the database's, not the request's:
//
//	if text, ok := models.PublicText(err); ok {
//		log.Print(err)
//		http.Error(w, text, http.StatusBadRequest)
//	}
//
// Those that have one are a [*FilterError], [*UnknownColumnError], [*ConversionError], [*CursorError], [*EnumError], [*LimitError] and a [*PageError] about
// a number or size, wherever in err they are, and errors of your own that are a [PublicError].
func PublicText(err error) (text string, ok bool) {
	var texts []string
	publicTexts(err, &texts)
	return strings.Join(texts, "; "), len(texts) > 0
}

func publicTexts(err error, texts *[]string) {
	if p, ok := err.(PublicError); ok {
		if text := p.Public(); text != "" {
			*texts = append(*texts, text)
			return
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		publicTexts(err.Unwrap(), texts)
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			publicTexts(e, texts)
		}
	}
}

// publicReason is why a value is refused, in words for everybody.
type publicReason string

func (r publicReason) Error() string  { return string(r) }
func (r publicReason) Public() string { return string(r) }

// A reason has words for the program's author and others for everybody.
type reason struct{ log, public string }

func (r reason) Error() string  { return r.log }
func (r reason) Public() string { return r.public }

// reasonOf returns the public part of a reason.
func reasonOf(err error) string {
	if text, ok := PublicText(err); ok {
		return text
	}
	return "a value that it cannot have"
}

const unknownName = "unknown, or not allowed here"

// Public names what was sent, and says whether it is unknown or what its value is not.
func (e *FilterError) Public() string {
	if unknown := (*UnknownColumnError)(nil); errors.As(e.Err, &unknown) {
		return unknown.Public()
	}
	if e.Column == "" {
		return reasonOf(e.Err)
	}
	return fmt.Sprintf("%q: %s", shortName(e.Column), reasonOf(e.Err))
}

// Public names what was sent.
func (e *UnknownColumnError) Public() string {
	return fmt.Sprintf("%q: %s", shortName(e.Column), unknownName)
}

// Public names the key and says why its value is refused.
func (e *ConversionError) Public() string {
	return fmt.Sprintf("%q: %s", shortName(e.Column), reasonOf(e.Err))
}

// Public says that the cursor is of no use.
func (e *CursorError) Public() string { return "a cursor that cannot be used: begin at the first page" }

// Public says that the value is none of those that there are.
func (e *EnumError) Public() string { return "none of its values" }

// shortName bounds what is told of a name that was sent.
func shortName(name string) string {
	if len(name) <= MaxNameLength {
		return name
	}
	return strings.ToValidUTF8(name[:64], "") + "…"
}

// A nameList is the names that a request may use.
type nameList []string

// find returns an error for a name that is not in the list.
func (l nameList) find(name string, model reflect.Type) error {
	if err := atMost(len(name), MaxNameLength, "bytes in a name"); err != nil {
		return err
	}
	if slices.Contains(l, name) {
		return nil
	}
	return &UnknownColumnError{Model: model, Column: name, Columns: l}
}

// orderHint says which columns an order may name.
func (l nameList) orderHint(name string) error {
	if len(l) == 0 {
		return reason{"no column to order by, since the call lists none: name those that it may have", unknownName}
	}
	return reason{fmt.Sprintf("no column to order by%s: there are %s", nearest.Hint(name, l), strings.Join(l, ", ")), unknownName}
}

// mistakes joins errors, but not all of a great many.
func mistakes(errs []error) error {
	var found []error
	more := 0
	for _, err := range errs {
		switch {
		case err == nil:
		case len(found) < maxMistakes:
			found = append(found, err)
		default:
			more++
		}
	}
	if more > 0 {
		found = append(found, publicReason(fmt.Sprintf("and %d more mistakes", more)))
	}
	return errors.Join(found...)
}
