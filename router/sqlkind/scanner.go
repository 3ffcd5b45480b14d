package sqlkind

import "strings"

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
		s.depth, s.inWith, s.explain, s.loose, s.show = 0, false, false, false, false
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
	q, classes, words := s.q, &s.lang.class, s.words
	for i < len(q) {
		switch classes[q[i]] {
		case blank:
			i++
		case letter:
			end := i + 1
			for end < len(q) && classes[q[end]] <= dollar {
				end++
			}
			if words.candidate(q, i, end) {
				if end = s.word(i, end); end == writes {
					return writes
				}
			}
			i = end
		case digit:
			if i = s.number(i); i == writes {
				return writes
			}
		case name:
			end := closeQuote(q, i)
			if end == writes {
				return writes
			}
			if end-i > 2 && words.candidate(q, i+1, end-1) && s.quotedName(i, end) {
				return writes
			}
			i = end
		case opening:
			s.depth++
			i++
		case closing:
			s.depth--
			i++
			if s.depth <= s.base && (s.inWith || s.depth < 0) {
				if i = s.closed(i); i == writes {
					return writes
				}
			}
		case semi:
			return i
		default:
			if i = s.special(i, classes[q[i]]); i == writes {
				return writes
			}
		}
	}
	return i
}

// special passes what begins at i and is none of the common classes.
func (s *scanner) special(i int, c class) int {
	q := s.q
	switch c {
	case text:
		end := closeQuote(q, i)
		if end == writes {
			return writes
		}
		if s.lang.textIsName && end-i > 2 && s.words.candidate(q, i+1, end-1) && s.quotedName(i, end) {
			return writes
		}
		return end
	case escaped:
		return s.escapedText(i)
	case bracket:
		return s.bracketed(i)
	case dash, slash, hash:
		if s.startsComment(i) {
			return s.comment(i)
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
