package sqlkind

import "strings"

// startsComment tells whether the -, / or # at i begins a comment.
func (s *scanner) startsComment(i int) bool {
	q := s.q
	switch q[i] {
	case '#':
		return s.lang.class['#'] == hash
	case '/':
		return i+1 < len(q) && q[i+1] == '*'
	case '-':
		if i+1 == len(q) || q[i+1] != '-' {
			return false
		}
		return !s.lang.blankAfterDash || i+2 == len(q) || q[i+2] <= ' ' || q[i+2] >= 0x7f
	}
	return false
}

// comment passes the comment at i and notes where it was.
func (s *scanner) comment(i int) int {
	end := s.commentEnd(i)
	if end == writes {
		return writes
	}
	at := s.loud
	for at < i && isBlank(s.q[at]) {
		at++
	}
	if at != i || s.loud == 0 {
		s.quieted = i
	}
	s.loud = end
	return end
}

// commentEnd returns the end of the comment at i, or writes if it does not end or may be code.
func (s *scanner) commentEnd(i int) int {
	q := s.q
	if q[i] != '/' {
		return s.lineEnd(i)
	}
	if s.lang.nestedComments {
		return nestedEnd(q, i)
	}
	n := strings.Index(q[i+2:], "*/")
	if n < 0 {
		return writes
	}
	end := i + 2 + n + 2
	if s.lang.codeInComments && !harmless(q[i+2:end-2]) {
		return writes
	}
	return end
}

// lineEnd returns the end of the comment at i that ends with its line.
func (s *scanner) lineEnd(i int) int {
	q := s.q
	if s.lang.blankAfterDash && q[i] == '-' && i+2 < len(q) && q[i+2] >= 0x7f {
		return writes // blank or not, that depends on the character set
	}
	n := strings.IndexByte(q[i:], '\n')
	if n < 0 {
		n = len(q) - i
	}
	if s.lang.nestedComments { // PostgreSQL's comments end at a carriage return too
		if r := strings.IndexByte(q[i:i+n], '\r'); r >= 0 {
			n = r
		}
	}
	return i + n
}

// nestedEnd returns the end of the comment at i, in which others may be nested.
func nestedEnd(q string, i int) int {
	depth := 1
	for i += 2; ; {
		n := strings.IndexByte(q[i:], '/')
		if n < 0 {
			return writes
		}
		at := i + n
		switch {
		case at > i && q[at-1] == '*':
			depth--
			if i = at + 1; depth == 0 {
				return i
			}
		case at+1 < len(q) && q[at+1] == '*':
			depth++
			i = at + 2
		default:
			i = at + 1
		}
	}
}

// harmless tells whether the body of a comment of MySQL's, which may be code to some versions, changes
// nothing either way: select options, and hints without quotes.
func harmless(body string) bool {
	code, ok := strings.CutPrefix(body, "!")
	if !ok {
		code, ok = strings.CutPrefix(body, "M!")
	}
	if !ok {
		if strings.HasPrefix(body, "+") {
			return strings.IndexByte(body, '"') < 0 && strings.IndexByte(body, '`') < 0 && strings.IndexByte(body, '\'') < 0
		}
		return true
	}
	for len(code) > 0 && '0' <= code[0] && code[0] <= '9' {
		code = code[1:]
	}
	for {
		for len(code) > 0 && isBlank(code[0]) {
			code = code[1:]
		}
		if code == "" {
			return true
		}
		n := 0
		for n < len(code) && isNameByte(code[n]) {
			n++
		}
		if !isSelectOption(code[:n]) {
			return false
		}
		code = code[n:]
	}
}

func isSelectOption(text string) bool {
	for _, option := range selectOptions {
		if equalFold(text, option) {
			return true
		}
	}
	return false
}

// skip passes white space and comments.
func (s *scanner) skip(i int) int {
	for i < len(s.q) {
		c := s.q[i]
		switch {
		case isBlank(c):
			i++
		case (c == '-' || c == '/' || c == '#') && s.startsComment(i):
			if i = s.comment(i); i == writes {
				return writes
			}
		default:
			return i
		}
	}
	return i
}

// before returns the end of what stands before i, white space and comments left out. It knows of
// no comments but the last passed: others end in a byte that is no end of a token we look for.
func (s *scanner) before(i int) int {
	for {
		for i > 0 && isBlank(s.q[i-1]) {
			i--
		}
		if i == 0 || i != s.loud {
			return i
		}
		i = s.quieted
	}
}
