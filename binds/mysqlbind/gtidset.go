package mysqlbind

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

// A gtidSet is a set of MySQL's GTIDs (manual, "GTID Format and Storage"). Being a set, it tells a replica
// that has parted from one that is ahead.
type gtidSet []origin // sorted by name, one for each, none without intervals

// An origin is what one server has written, under one tag or without.
type origin struct {
	name      string     // a UUID, or a UUID, a colon and a tag; in lower case
	intervals []interval // sorted, neither touching nor overlapping
}

type interval struct{ first, last uint64 } // both within

var _ binds.Position = gtidSet(nil)

var errSet = errors.New("mysqlbind: malformed set of GTIDs")

// Covers reports whether s holds all of w.
func (s gtidSet) Covers(w binds.Position) bool {
	other, ok := w.(gtidSet)
	if !ok {
		return false
	}
	for _, o := range other {
		if !contains(s.of(o.name), o.intervals) {
			return false
		}
	}
	return true
}

// Exceeds reports whether s holds more than w has of an origin in w. An origin that w does not have is
// no matter: a replica may have several primaries, and writes of its own that touch no data.
func (s gtidSet) Exceeds(w binds.Position) bool {
	other, ok := w.(gtidSet)
	if !ok {
		return false
	}
	for _, o := range other {
		if !contains(o.intervals, s.of(o.name)) {
			return true
		}
	}
	return false
}

func (s gtidSet) of(name string) []interval {
	i, ok := slices.BinarySearchFunc(s, name, func(o origin, name string) int { return cmp.Compare(o.name, name) })
	if !ok {
		return nil
	}
	return s[i].intervals
}

// contains reports whether every interval of inner lies in one of outer.
func contains(outer, inner []interval) bool {
	for _, want := range inner {
		for len(outer) > 0 && outer[0].last < want.first {
			outer = outer[1:]
		}
		if len(outer) == 0 || outer[0].first > want.first || outer[0].last < want.last {
			return false
		}
	}
	return true
}

// String returns "mysql/" and the set, as "uuid:1-5:7,uuid:tag:1-3".
func (s gtidSet) String() string {
	b := []byte("mysql/")
	for i, o := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, o.name...)
		for _, v := range o.intervals {
			b = strconv.AppendUint(append(b, ':'), v.first, 10)
			if v.last > v.first {
				b = strconv.AppendUint(append(b, '-'), v.last, 10)
			}
		}
	}
	return string(b)
}

// parseSet reads a set as the server writes it, with spaces and line ends, origins named more than
// once, and several tags after one UUID.
func parseSet(text string) (gtidSet, error) {
	byName := make(map[string][]interval)
	for part := range strings.SplitSeq(text, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if part != "" && !readOrigins(byName, part) {
			return nil, errSet
		}
	}
	set := make(gtidSet, 0, len(byName))
	for name, intervals := range byName {
		set = append(set, origin{name, merge(intervals)})
	}
	slices.SortFunc(set, func(a, b origin) int { return cmp.Compare(a.name, b.name) })
	return set, nil
}

// readOrigins reads a UUID with intervals and tags. A tag is that of the intervals up to the next.
func readOrigins(byName map[string][]interval, part string) bool {
	uuid, rest, ok := strings.Cut(part, ":")
	if !ok || !isUUID(uuid) {
		return false
	}
	name, empty := uuid, true
	for element := range strings.SplitSeq(rest, ":") {
		element = strings.TrimSpace(element)
		if isTag(element) {
			if name != uuid && empty {
				return false
			}
			name, empty = uuid+":"+element, true
			continue
		}
		v, ok := parseInterval(element)
		if !ok {
			return false
		}
		byName[name], empty = append(byName[name], v), false
	}
	return !empty
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// isTag follows the manual: a letter or underscore, then up to 31 of these and digits.
func isTag(s string) bool {
	return s != "" && len(s) <= 32 && isWord(s) && (s[0] < '0' || s[0] > '9') && !strings.Contains(s, "$")
}

func parseInterval(text string) (interval, bool) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	a, errFirst := strconv.ParseUint(first, 10, 64)
	b, errLast := strconv.ParseUint(last, 10, 64)
	return interval{a, b}, errFirst == nil && errLast == nil && 0 < a && a <= b && b < math.MaxInt64
}

// merge sorts intervals and joins those that touch or overlap.
func merge(intervals []interval) []interval {
	slices.SortFunc(intervals, func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	joined := intervals[:1]
	for _, v := range intervals[1:] {
		if end := &joined[len(joined)-1]; v.first <= end.last+1 {
			end.last = max(end.last, v.last)
		} else {
			joined = append(joined, v)
		}
	}
	return joined
}
