package sqlkind

import (
	"math/bits"
	"strings"
)

// scanner reads one query once. A position of writes ends it: the query is a Write.
type scanner struct {
	q     string
	lang  *language
	words *words

	depth   int // open parentheses
	base    int // depth of the statement's own WITH
	quieted int // the last run of comments, from here
	loud    int // to here

	inWith  bool // in the statement's own list of CTEs
	explain bool // the statement is not executed
	loose   bool // a statement's main verb may stand after any name
	show    bool // MySQL: SHOW, in which user@host is no variable
}

// writes is where a scan ends that found a reason for the writer.
const writes = -1

func (s *scanner) kind() Kind {
	if strings.IndexByte(s.q, 0) >= 0 {
		return Write
	}
	statements := 0
	for i := 0; ; i++ {
		for {
			i = s.skip(i)
			if i == writes {
				return Write
			}
			if i == len(s.q) || s.q[i] != ';' {
				break
			}
			i++
		}
		if i == len(s.q) {
			break
		}
		s.depth, s.base, s.inWith, s.explain, s.loose, s.show = 0, 0, false, false, false, false
		if i = s.statement(i); i == writes {
			return Write
		}
		if i = s.body(i); i == writes || s.depth != 0 || s.inWith {
			return Write
		}
		statements++
		if i == len(s.q) {
			break
		}
	}
	if statements == 0 {
		return Write
	}
	return Read
}

// body scans to the end of the statement: to its semicolon or the end of the query.
func (s *scanner) body(i int) int {
	q := s.q
	for {
		if i = s.plain(i); i == len(q) || q[i] == ';' {
			return i
		}
		switch c := s.lang.class[q[i]]; c {
		case letter:
			end := s.asciiEnd(i)
			i = s.word(i, end)
		case name:
			end := closeQuote(q, i)
			if end == writes {
				return writes
			}
			i = s.possibleName(i, end)
		case digit:
			end := i + 1
			for end < len(q) && s.lang.class[q[end]] == digit {
				end++
			}
			i = s.number(i, end)
		case closing:
			s.depth--
			i = s.closed(i + 1)
		default:
			i = s.special(i, c)
		}
		if i == writes {
			return writes
		}
	}
}

// plain passes all that is of no interest and returns where something may be. It is where the time goes: it calls
// nothing, so that all it needs stays in registers, and looks for the end of a quoted name in eight bytes at once.
func (s *scanner) plain(i int) int {
	const ones, uppers = 0x0101010101010101, 0x8080808080808080
	q, classes, words := s.q, &s.lang.class, s.words
	depth, floor := s.depth, -1
	if s.inWith {
		floor = s.base
	}
scan:
	for uint(i) < uint(len(q)) {
		switch c := classes[q[i]]; {
		case c == blank:
			i++
		case c == letter:
			end := uint(i) + 1
			for end < uint(len(q)) && classes[q[end]] <= dollar {
				end++
			}
			if words.unquoted.admits(q[i], q[end-1], int(end)-i) {
				break scan
			}
			i = int(end)
		case c == name:
			quotes := uint64(q[i]) * ones
			for end := uint(i) + 1; ; end += 8 {
				if end+8 > uint(len(q)) {
					break scan
				}
				b := q[end : end+8]
				// A byte of differ is 0 where there is a quote, and the lowest bit of found is in the first of them.
				differ := quotes ^ (uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
					uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56)
				found := (differ - ones) &^ differ & uppers
				if found == 0 {
					continue
				}
				end += uint(bits.TrailingZeros64(found)) / 8
				if words.quoted.admits(q[i+1], q[end-1], int(end)-i-1) {
					break scan
				}
				i = int(end) + 1
				break
			}
		case c == digit:
			end := uint(i) + 1
			for end < uint(len(q)) && classes[q[end]] == digit {
				end++
			}
			if end < uint(len(q)) && (q[end] == '.' || classes[q[end]] == letter || classes[q[end]] == foreign) {
				break scan
			}
			i = int(end)
		case c == opening:
			depth++
			i++
		case c == closing && depth-1 > floor:
			depth--
			i++
		default:
			break scan
		}
	}
	s.depth = depth
	return i
}

// special passes what begins at i and is none of the common classes.
func (s *scanner) special(i int, c class) int {
	q := s.q
	switch c {
	case text:
		return s.text(i)
	case escaped:
		return s.escapedText(i)
	case bracket:
		return s.bracketed(i)
	case dash, slash, hash:
		if s.startsComment(i) {
			return s.comment(i)
		}
		return i + 1
	case ampersand:
		if i+1 < len(q) && q[i+1] == '"' {
			return s.encodedName(i)
		}
		return i + 1
	case dollar:
		if s.lang.textIsName {
			return s.parameter(i)
		}
		return s.dollar(i)
	case foreign:
		return s.foreignName(i)
	case at:
		return s.variable(i)
	case param:
		return s.parameter(i)
	case escape:
		if i+1 < len(q) && q[i+1] == 'N' {
			return i + 2
		}
	}
	return writes // colon, illegal
}

// closed looks at what follows the parenthesis that ends before i: in the statement's own WITH list,
// another CTE or the main verb.
func (s *scanner) closed(i int) int {
	if s.depth < 0 {
		return writes
	}
	if s.depth != s.base {
		return i
	}
	next := s.skip(i)
	if next == writes || next == len(s.q) {
		return writes
	}
	if s.q[next] == ',' {
		return s.cte(next + 1)
	}
	switch s.keyword(next) {
	case kwSearch, kwCycle:
		s.inWith, s.loose = false, true
		return next
	}
	s.inWith = false
	return s.mainVerb(next)
}
