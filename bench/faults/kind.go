package faults

import (
	"errors"
	"regexp"
	"strings"

	"github.com/bindery-go/bindery/router"
)

// kinds of errors, by what their texts have in common: the libraries do not all wrap what the
// driver said. The first that fits counts.
var kinds = []struct {
	name  string
	texts []string
}{
	{"duplicate row", []string{"duplicate"}},
	{"read-only", []string{"read-only", "read only", "25006"}},
	{"deadline passed", []string{"deadline exceeded", "i/o timeout", "context canceled"}},
	{"server starts or stops", []string{"57p01", "57p03", "1053", "starting up", "shutting down", "shutdown", "not yet accepting", "terminating connection"}},
	{"connection refused", []string{"connection refused"}},
	{"connection lost", []string{"eof", "reset by peer", "broken pipe", "bad connection", "invalid connection", "closed network connection", "unexpected"}},
}

const otherKind = "other"

// kindOf names the kind of an error.
func kindOf(err error) string {
	text := strings.ToLower(err.Error())
	for _, kind := range kinds {
		for _, part := range kind.texts {
			if strings.Contains(text, part) {
				return kind.name
			}
		}
	}
	return otherKind
}

var addresses = regexp.MustCompile(`(\d{1,3}(?:\.\d{1,3}){3}|\[::1\]):\d+`)

// longest is how much of an error's text is shown.
const longest = 120

// example is an error's text without addresses, which differ from run to run.
func example(err error) string {
	text := []rune(addresses.ReplaceAllString(strings.Join(strings.Fields(err.Error()), " "), "address"))
	if len(text) > longest {
		return string(text[:longest]) + "…"
	}
	return string(text)
}

// said is what a library tells of a write that failed.
type said int

const (
	saidNothing   said = iota // only that it failed
	saidNotDone               // it was not carried out
	saidUncertain             // it may have been carried out
)

// saidBy returns what an error tells of the write. The libraries but bindery hand on what the driver said.
func saidBy(err error) said {
	switch {
	case errors.Is(err, router.ErrOutcomeUnknown):
		return saidUncertain
	case errors.Is(err, router.ErrNoWriter):
		return saidNotDone
	}
	return saidNothing
}
