package routertest

import (
	"errors"
	"strconv"

	"github.com/bindery-go/bindery/binds"
)

// A Position is the number of entries in a server's log. It says something only among servers of
// one history.
type Position uint64

var _ binds.Position = Position(0)

// Covers reports whether a server at p shows everything that a primary at w had committed.
func (p Position) Covers(w binds.Position) bool {
	other, ok := w.(Position)
	return ok && p >= other
}

// Exceeds reports whether a server at p holds entries that a primary at w does not have.
func (p Position) Exceeds(w binds.Position) bool {
	other, ok := w.(Position)
	return ok && p > other
}

// String returns the number in decimal digits.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// errPosition does not repeat the text, which may come from a stranger.
var errPosition = errors.New("routertest: malformed position: it is no number as Position.String writes it")

// ParsePosition reads what [Position.String] wrote and nothing else: no sign, no leading zero.
func (c *Cluster) ParsePosition(text string) (binds.Position, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || Position(n).String() != text {
		return nil, errPosition
	}
	return Position(n), nil
}
