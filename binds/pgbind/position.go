package pgbind

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

// A position is a log sequence number (manual section 8.20): a byte's place in the write-ahead log of
// one timeline. Zero is a standby that has replayed nothing since its start: it covers nothing.
type position uint64

var _ binds.Position = position(0)

// Covers reports whether what is replayed up to p holds what was written up to w.
func (p position) Covers(w binds.Position) bool {
	other, ok := w.(position)
	return ok && p != 0 && p >= other
}

// Exceeds reports whether p lies beyond w. A standby is sent only what its primary has flushed.
func (p position) Exceeds(w binds.Position) bool {
	other, ok := w.(position)
	return ok && p > other
}

// String returns p as the server writes it: "0/5000028".
func (p position) String() string {
	return fmt.Sprintf("%X/%X", uint64(p)>>32, uint32(p))
}

// ParsePosition reads what a position's String wrote, and nothing else.
func (Driver) ParsePosition(text string) (binds.Position, error) {
	p, err := parseLSN(text)
	if err == nil && p.String() != text {
		err = errLSN
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// parseLSN reads a number as the server writes it; newer servers pad the lower half with zeros.
func parseLSN(text string) (position, error) {
	high, low, ok := strings.Cut(text, "/")
	h, errHigh := strconv.ParseUint(high, 16, 32)
	l, errLow := strconv.ParseUint(low, 16, 32)
	if !ok || errHigh != nil || errLow != nil {
		return 0, errLSN
	}
	return position(h<<32 | l), nil
}

const (
	shortPageHeader = 24 // bytes, of every page but a segment's first
	longPageHeader  = 40
)

// lastRecordEnd takes a page's header off an insert position. At a page's start the server counts the
// header that comes next; replay stops where the last record ended, which is before it. No record can
// end at a header's end, so nothing else is changed.
func (p position) lastRecordEnd(block, segment uint64) position {
	switch {
	case uint64(p)%segment == longPageHeader:
		return p - longPageHeader
	case uint64(p)%block == shortPageHeader:
		return p - shortPageHeader
	}
	return p
}
