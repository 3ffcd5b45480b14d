package models

import (
	"errors"
	"fmt"
	"strings"
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
// Those that have one are the errors of [Filter], [FromMap] and [ParseOrder], a [*CursorError] and a [*PageError] about a number or size,
// wherever in err they are, and errors of your own that are a [PublicError]. Of a column that the program names, as in [Eq] and [Asc], nothing is told
// but why its value is refused, if that is a value's fault. An [*EnumError], a [*LimitError] or a *[DecodeError] of a row that is read, or of JSON, has no
// text of itself.
func PublicText(err error) (text string, ok bool) { return publicText(err, false) }

// publicText takes the reasons for a refusal, too, if err is within what a request caused.
func publicText(err error, within bool) (text string, ok bool) {
	var texts []string
	publicTexts(err, within, &texts)
	return strings.Join(texts, "; "), len(texts) > 0
}

// A valueReason says why a value is refused, in words for everybody, where it is a request's: the same error may come of a row.
type valueReason interface {
	error
	why() string
}

func publicTexts(err error, within bool, texts *[]string) {
	if r, ok := err.(valueReason); ok && within {
		*texts = append(*texts, r.why())
		return
	}
	if p, ok := err.(PublicError); ok {
		if text := p.Public(); text != "" {
			*texts = append(*texts, text)
			return
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		publicTexts(err.Unwrap(), within, texts)
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			publicTexts(e, within, texts)
		}
	}
}

// publicReason is why a value is refused, in words for everybody.
type publicReason string

func (r publicReason) Error() string { return string(r) }
func (r publicReason) why() string   { return string(r) }

// A reason has words for the program's author and others for everybody.
type reason struct{ log, public string }

func (r reason) Error() string { return r.log }
func (r reason) why() string   { return r.public }

// A requestError is about all of what a request sent.
type requestError struct {
	about string // what it is about, with a space behind it, for the log
	err   error  // a valueReason
}

func (e *requestError) Error() string  { return e.about + e.err.Error() }
func (e *requestError) Unwrap() error  { return e.err }
func (e *requestError) Public() string { return reasonOf(e.err) }

// reasonOf returns the public part of a reason.
func reasonOf(err error) string {
	if text, ok := publicText(err, true); ok {
		return text
	}
	return noSuchValue
}

const (
	unknownName = "unknown, or not allowed here"
	noSuchValue = "a value that it cannot have"
)

// Public names what was sent, and says whether it is unknown or what its value is not. Of a column that the program named, it says at most
// what the value is not, else "".
func (e *FilterError) Public() string {
	if !e.sent {
		text, _ := publicText(e.Err, true)
		return text
	}
	if unknown := (*UnknownColumnError)(nil); errors.As(e.Err, &unknown) {
		return unknown.Public()
	}
	if e.Column == "" {
		return reasonOf(e.Err)
	}
	return fmt.Sprintf("%q: %s", shortName(e.Column), reasonOf(e.Err))
}

// Public names what was sent. It is "" if the program named the column.
func (e *UnknownColumnError) Public() string {
	if !e.sent {
		return ""
	}
	return fmt.Sprintf("%q: %s", shortName(e.Column), unknownName)
}

// Public names the key and says why its value is refused.
func (e *ConversionError) Public() string {
	return fmt.Sprintf("%q: %s", shortName(e.Column), reasonOf(e.Err))
}

// Public says that the cursor is of no use.
func (e *CursorError) Public() string { return "a cursor that cannot be used: begin at the first page" }

// Public tells about a number or size. It is "" where the query is at fault.
func (e *PageError) Public() string {
	if e.Model != nil {
		return ""
	}
	text, _ := publicText(e.Err, true)
	return text
}

func (e *EnumError) why() string { return "none of its values" }

// shortName bounds what is told of a name that was sent.
func shortName(name string) string {
	if len(name) <= MaxNameLength {
		return name
	}
	return strings.ToValidUTF8(name[:64], "") + "…"
}
