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
	mark    int // where the last word or quoted name began
	quieted int // the last run of comments, from here
	loud    int // to here

	lists int             // the WITH lists we are in
	bases [maxLists]int32 // depth, for each of them

	local   bool // a statement tells about the server that runs it
	explain bool // the statement is not executed
	loose   bool // a statement's main verb may stand after any name
	show    bool // MySQL: SHOW, in which user@host is no variable
	inTx    bool // PostgreSQL: what ends with the transaction may be done, see EndsWithTx
}

// maxLists is how many WITH lists may be nested in each other. With more a statement is a Write.
const maxLists = 16

// writes is where a scan ends that found a reason for the writer.
const writes = -1

// kind reads the query from its beginning. It is a Read too if the server only tells about itself: local says that.
func (s *scanner) kind() Kind { return s.statements(0, 0) }

// resume reads on in the first statement, at i. What stands before holds no NUL.
func (s *scanner) resume(i int) Kind {
	if s.words.attributes && s.afterValue(i) {
		i = s.attribute(i)
	}
	if i == writes {
		return Write
	}
	end := s.rest(i)
	if end == writes || s.depth != 0 || s.lists != 0 {
		return Write
	}
	if end < len(s.q) {
		return s.statements(end, 1)
	}
	if strings.IndexByte(s.q[i:], 0) >= 0 {
		return Write
	}
	return Read
}

// statements reads the rest of the query, at whose semicolon or beginning i is, after n statements.
func (s *scanner) statements(i, n int) Kind {
	for ; ; i++ {
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
		s.depth, s.lists, s.explain, s.loose, s.show = 0, 0, false, false, false
		if i = s.statement(i); i == writes {
			return Write
		}
		if i = s.body(i); i == writes || s.depth != 0 || s.lists != 0 {
			return Write
		}
		n++
		if i == len(s.q) {
			break
		}
	}
	if n == 0 || strings.IndexByte(s.q, 0) >= 0 {
		return Write
	}
	return Read
}

// body scans to the end of the statement: to its semicolon or the end of the query.
func (s *scanner) body(i int) int {
	s.mark = i
	return s.rest(i)
}

// rest is body from the middle of a statement on.
func (s *scanner) rest(i int) int {
	q := s.q
	for {
		if i = s.plain(i); i == len(q) || q[i] == ';' {
			return i
		}
		switch c := s.lang.class[q[i]]; c {
		case letter:
			s.mark = i
			i = s.word(i, s.asciiEnd(i))
		case name:
			i = s.quotedName(i, closeQuote(q, i))
		case digit:
			s.mark = i // MySQL's names may begin so
			end := i + 1
			for end < len(q) && s.lang.class[q[end]] == digit {
				end++
			}
			i = s.number(i, end)
		case opening:
			s.depth++
			if s.callsWriter(i) {
				return writes
			}
			i++
		case closing:
			s.depth--
			i = s.attribute(s.closed(i + 1))
		default:
			i = s.special(i, c)
		}
		if i == writes {
			return writes
		}
	}
}

// plain passes all that is of no interest and returns where something may be. It is where the time goes: it calls
// nothing, so that all it needs stays in registers.
func (s *scanner) plain(i int) int {
	q, classes, words := s.q, &s.lang.class, s.words
	mark, depth, floor := s.mark, s.depth, s.floor()
scan:
	for uint(i) < uint(len(q)) {
		switch c := classes[q[i]]; {
		case c == blank:
			i++
		case c == name:
			end := uint(i) + 1
			for quotes := uint64(q[i]) * ones; ; end += 8 {
				if end+8 > uint(len(q)) {
					break scan
				}
				if found := zeros(eight(q[end:end+8]) ^ quotes); found != 0 {
					end += uint(bits.TrailingZeros64(found)) / 8
					break
				}
			}
			size := end - uint(i) - 1
			if words.odd>>size&1 != 0 && words.quoted.admits(q[i+1], q[i+2], q[end-1], size) && words.begins.admit(q, uint(i)+1, size) {
				break scan
			}
			mark, i = i, int(end)+1
		case c == letter:
			end := uint(i) + 1
			if end+8 <= uint(len(q)) {
				end += uint(bits.TrailingZeros64(others(eight(q[end:end+8])))) / 8
			}
			for end < uint(len(q)) && classes[q[end]] <= dollar {
				end++
			}
			size := end - uint(i)
			second := byte(0)
			if uint(i)+1 < uint(len(q)) {
				second = q[i+1]
			}
			if words.keywords.admits(q[i], second, q[end-1], size) && words.begins.admit(q, uint(i), size) {
				break scan
			}
			mark, i = i, int(end)
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
			before := uint(i) - 1
			if before < uint(len(q)) && q[before] == ' ' {
				before--
			}
			if before >= uint(len(q)) {
				break scan
			}
			switch b := q[before]; {
			case classes[b] <= dollar:
				size := before + 1 - uint(mark)
				if uint(mark)+1 >= uint(len(q)) || size >= longest || words.functions.admits(q[mark], q[mark+1], b, size) {
					break scan
				}
			case b != '(' && b != ',' && b != '=':
				break scan
			}
			depth++
			i++
		case c == closing && depth-1 > floor:
			next := uint(i) + 1
			for next < uint(len(q)) && q[next] == ' ' {
				next++
			}
			if next < uint(len(q)) && q[next] == '.' && words.attributes {
				break scan
			}
			depth--
			i++
		default:
			break scan
		}
	}
	s.mark, s.depth = mark, depth
	return i
}

const (
	ones   = 0x0101010101010101
	uppers = 0x8080808080808080
)

// eight are the first eight bytes of q, which has them: one load.
func eight(q string) uint64 {
	return uint64(q[0]) | uint64(q[1])<<8 | uint64(q[2])<<16 | uint64(q[3])<<24 |
		uint64(q[4])<<32 | uint64(q[5])<<40 | uint64(q[6])<<48 | uint64(q[7])<<56
}

// zeros has the upper bit of the first byte that is 0 in b, and perhaps of later ones.
func zeros(b uint64) uint64 {
	return (b - ones) &^ b & uppers
}

// others has the upper bits of the bytes that are no ASCII letters.
func others(b uint64) uint64 {
	b7 := (b | 0x20*ones) &^ uppers
	return (^(b7 + (0x80-'a')*ones) | (b7 + (0x7f-'z')*ones) | b) & uppers
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
			return s.afterComment(s.comment(i))
		}
		return i + 1
	case subscript:
		return s.attribute(i + 1)
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

// floor is the depth at which a parenthesis that closes is of interest.
func (s *scanner) floor() int {
	if s.lists == 0 {
		return -1
	}
	return int(s.bases[s.lists-1])
}

// closed looks at what follows the parenthesis that ends before i: in a WITH list, another CTE or the main verb.
func (s *scanner) closed(i int) int {
	if s.depth < 0 {
		return writes
	}
	if s.lists == 0 || s.depth != s.floor() {
		return i
	}
	next := s.skip(i)
	if next == writes || next == len(s.q) {
		return writes
	}
	if s.q[next] == ',' {
		return s.cte(next + 1)
	}
	s.lists--
	switch s.keyword(next) {
	case kwSearch, kwCycle:
		s.loose = true
		return next
	}
	return s.mainVerb(next)
}
