package sqlkind

import "strings"

// near is how far a closing quote is looked for byte by byte, which is faster for short names.
const near = 24

// closeQuote returns the position after the quote that closes the one at i. A doubled quote closes
// one and opens another, which comes to the same.
func closeQuote(q string, i int) int {
	quote := q[i]
	i++
	end := min(i+near, len(q))
	for i < end {
		if q[i] == quote {
			return i + 1
		}
		i++
	}
	n := strings.IndexByte(q[i:], quote)
	if n < 0 {
		return writes
	}
	return i + n + 1
}

// closeEscaped is closeQuote where a backslash escapes what follows it and a doubled quote goes on.
func closeEscaped(q string, i int) int {
	quote := q[i]
	at := i + 1
	for {
		n := strings.IndexByte(q[at:], quote)
		if n < 0 {
			return writes
		}
		end := at + n
		for {
			b := strings.IndexByte(q[at:end], '\\')
			if b < 0 {
				break
			}
			if at += b + 2; at > end {
				break
			}
		}
		switch {
		case at > end: // the quote itself was escaped
			continue
		case end+1 < len(q) && q[end+1] == quote:
			at = end + 2
		default:
			return end + 1
		}
	}
}

// closeDoubled is closeQuote where a doubled quote goes on.
func closeDoubled(q string, i int) int {
	end := closeQuote(q, i)
	for end != writes && end < len(q) && q[end] == q[i] {
		end = closeQuote(q, end)
	}
	return end
}

// text passes a string without escapes, or PostgreSQL's E'…' with escapes.
func (s *scanner) text(i int) int {
	q := s.q
	if s.lang.prefixes && i > 0 && q[i-1]|0x20 == 'e' {
		if i == 1 || !isNameByte(q[i-2]) {
			return s.escapeString(i)
		}
		if q[i-2] == '$' {
			return writes // a name, or E after a dollar quote
		}
	}
	end := closeQuote(q, i)
	if s.lang.textIsName {
		return s.quotedName(i, end)
	}
	return end
}

// escapeString passes the string that an E came before.
func (s *scanner) escapeString(i int) int {
	end := closeEscaped(s.q, i)
	if end == writes {
		return writes
	}
	if next := s.skip(end); next == writes || s.at(next) == '\'' {
		return writes // it goes on, with its escapes
	}
	return end
}

// encodedName passes the quoted name after the & at i. In U&"…" it may spell any name: one that is called, that follows
// a dot, or whose escape character follows, is a Write.
func (s *scanner) encodedName(i int) int {
	end := closeQuote(s.q, i+1)
	if end == writes || i == 0 || s.q[i-1]|0x20 != 'u' || i > 1 && isNameByte(s.q[i-2]) {
		return i + 1
	}
	if s.dotted(i - 1) {
		return writes
	}
	if next := s.skip(end); next == writes || s.at(next) == '(' || s.wordIs(next, "uescape") {
		return writes
	}
	return end
}

// escapedText passes a string of MySQL's, which with ANSI_QUOTES may be a name.
func (s *scanner) escapedText(i int) int {
	end := closeEscaped(s.q, i)
	if end == writes || s.q[i] == '\'' {
		return end
	}
	if strings.IndexByte(s.q[i:end], '\\') >= 0 && closeDoubled(s.q, i) != end {
		return writes // where it ends depends on ANSI_QUOTES
	}
	return s.quotedName(i, end)
}

func (s *scanner) bracketed(i int) int {
	n := strings.IndexByte(s.q[i:], ']')
	if n < 0 {
		return writes
	}
	return s.quotedName(i, i+n+1)
}

// dollar passes a parameter or a dollar-quoted string of PostgreSQL's.
func (s *scanner) dollar(i int) int {
	q, classes := s.q, &s.lang.class
	end := i + 1
	if end < len(q) && classes[q[end]] == digit {
		for end < len(q) && classes[q[end]] == digit {
			end++
		}
		if end < len(q) && classes[q[end]] == letter {
			return writes // servers disagree where the parameter ends
		}
		return s.attribute(end)
	}
	for end < len(q) && classes[q[end]] <= digit {
		end++
	}
	if end == len(q) || q[end] != '$' {
		return writes
	}
	end++
	n := strings.Index(q[end:], q[i:end])
	if n < 0 {
		return writes
	}
	return end + n + end - i
}

// number passes what begins with the digits from i to end and goes on with a letter or a point: a number, or in
// MySQL a name.
func (s *scanner) number(i, end int) int {
	q, classes := s.q, &s.lang.class
	if end == len(q) || q[end] != '.' && classes[q[end]] != letter && classes[q[end]] != foreign {
		return end
	}
	afterName := s.lang.digitsInNames && i > 1 && classes[q[i-2]] == letter
	if q[end] == '.' || i > 0 && q[i-1] == '.' && !afterName {
		return s.fraction(end)
	}
	switch {
	case q[end]|0x20 == 'e' && s.exponent(end) > 0:
		return s.fraction(end)
	case q[end] == '_', end-i == 1 && q[i] == '0' && isRadix(q[end]), s.lang.digitsInNames:
		for end < len(q) && classes[q[end]] <= foreign {
			end++
		}
		return end
	}
	return writes // servers disagree where the number ends
}

func isRadix(c byte) bool {
	return c|0x20 == 'x' || c|0x20 == 'b' || c|0x20 == 'o'
}

// fraction passes the rest of a number: a point, digits, an exponent. No word may follow at once.
func (s *scanner) fraction(i int) int {
	q, classes := s.q, &s.lang.class
	if q[i] == '.' {
		i++
	}
	for i < len(q) && (classes[q[i]] == digit || q[i] == '_') {
		i++
	}
	if i < len(q) && q[i]|0x20 == 'e' {
		if n := s.exponent(i); n > 0 {
			i = n
		}
	}
	if i < len(q) && (classes[q[i]] == letter || classes[q[i]] == foreign) {
		return writes
	}
	return i
}

// exponent returns the end of the exponent that the e at i begins, or 0.
func (s *scanner) exponent(i int) int {
	q, classes := s.q, &s.lang.class
	i++
	if i < len(q) && (q[i] == '+' || q[i] == '-') {
		i++
	}
	if i == len(q) || classes[q[i]] != digit {
		return 0
	}
	for i < len(q) && classes[q[i]] == digit {
		i++
	}
	return i
}

// foreignName passes the rest of a name of MySQL's from its first byte beyond ASCII. Servers compare the names of stored
// functions without their accents: a call of one with an accent may be a call of any of the user's.
func (s *scanner) foreignName(i int) int {
	q, classes := s.q, &s.lang.class
	for i < len(q) && classes[q[i]] <= foreign {
		i++
	}
	if len(s.words.globs) > 0 && s.called(i) {
		return writes
	}
	return i
}
