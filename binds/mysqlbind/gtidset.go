package mysqlbind

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A gtidSet is a set of MySQL's GTIDs (manual, "GTID Format and Storage"). Being a set, it tells a replica
// that has parted from one that is ahead.
type gtidSet []origin // sorted by name, one for each, none without intervals

// An origin is what one server has written, under one tag or without.
type origin struct {
	name      string     // a UUID, or a UUID, a colon and a tag; in lower case
	old       digest     // of the intervals up to a number, which are left out; see short
	intervals []interval // sorted, neither touching nor overlapping
}

type interval struct{ first, last uint64 } // both within

var errSet = errors.New("mysqlbind: malformed set of GTIDs")

// holds reports whether s has all of other.
func (s gtidSet) holds(other gtidSet) bool {
	for _, o := range other {
		if !contains(s.of(o.name), o.intervals) {
			return false
		}
	}
	return true
}

// with returns a set that has what either has. Neither is short.
func (s gtidSet) with(other gtidSet) gtidSet {
	if len(other) == 0 {
		return s
	}
	byName := make(map[string]*origin)
	for _, set := range []gtidSet{s, other} {
		for _, o := range set {
			for _, v := range o.intervals {
				add(byName, o.name, digest{}, v)
			}
		}
	}
	return newSet(byName)
}

func (s gtidSet) find(name string) (*origin, bool) {
	i, ok := slices.BinarySearchFunc(s, name, func(o origin, name string) int { return cmp.Compare(o.name, name) })
	if !ok {
		return nil, false
	}
	return &s[i], true
}

func (s gtidSet) of(name string) []interval {
	if o, ok := s.find(name); ok {
		return o.intervals
	}
	return nil
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

// appendTo writes the set, as "uuid:1-5:7,uuid:tag:1-3".
func (s gtidSet) appendTo(b []byte) []byte {
	for i := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = s[i].appendTo(b)
	}
	return b
}

func (o *origin) appendTo(b []byte) []byte {
	b = append(b, o.name...)
	if !o.old.isZero() {
		b = o.old.appendTo(append(b, ':', oldMark))
	}
	return appendIntervals(b, o.intervals)
}

func appendIntervals(b []byte, list []interval) []byte {
	for _, v := range list {
		b = strconv.AppendUint(append(b, ':'), v.first, 10)
		if v.last > v.first {
			b = strconv.AppendUint(append(b, '-'), v.last, 10)
		}
	}
	return b
}

// parseSet reads a set as the server writes it, with spaces and line ends, origins named more than
// once, and several tags after one UUID.
func parseSet(text string) (gtidSet, error) {
	byName := make(map[string]*origin)
	for part := range strings.SplitSeq(text, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if part != "" && !readOrigins(byName, part) {
			return nil, errSet
		}
	}
	return newSet(byName), nil
}

func newSet(byName map[string]*origin) gtidSet {
	set := make(gtidSet, 0, len(byName))
	for _, o := range byName {
		o.intervals = merge(o.intervals)
		set = append(set, *o)
	}
	slices.SortFunc(set, func(a, b origin) int { return cmp.Compare(a.name, b.name) })
	return set
}

func add(byName map[string]*origin, name string, old digest, v interval) {
	o := byName[name]
	if o == nil {
		o = &origin{name: name, old: old}
		byName[name] = o
	}
	o.intervals = append(o.intervals, v)
}

// readOrigins reads a UUID with intervals and tags. A tag is that of the intervals up to the next.
func readOrigins(byName map[string]*origin, part string) bool {
	uuid, rest, ok := strings.Cut(part, ":")
	if !ok || !isUUID(uuid) {
		return false
	}
	name, old, empty := uuid, digest{}, true
	for element := range strings.SplitSeq(rest, ":") {
		element = strings.TrimSpace(element)
		if isTag(element) {
			if name != uuid && empty {
				return false
			}
			name, old, empty = uuid+":"+element, digest{}, true
			continue
		}
		if text, ok := strings.CutPrefix(element, string(oldMark)); ok {
			if old, ok = parseDigest(text); !ok || byName[name] != nil {
				return false
			}
			continue
		}
		v, ok := parseInterval(element)
		if !ok {
			return false
		}
		add(byName, name, old, v)
		empty = false
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
