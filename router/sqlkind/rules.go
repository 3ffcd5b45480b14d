package sqlkind

import "github.com/uptrace/bun/dialect"

// word decides about a word that may be of interest. It returns the position to go on from.
func (s *scanner) word(i, end int) int {
	switch a := s.words.find(s.q[i:end]); a {
	case none, calls, asks, local, free, position, schema:
		return s.named(i, end, s.q[i:end], a)
	case forLock:
		return s.afterFor(end)
	case list:
		if b := s.before(i); b > 0 && s.q[b-1] == '(' {
			return s.with(end)
		}
	case always:
		if !s.qualified(i) {
			return writes
		}
	case module:
		return writes
	default:
		return s.rule(a, i, end)
	}
	return end
}

// quotedName passes the quoted name from i to end, which few words are writes in.
func (s *scanner) quotedName(i, end int) int {
	if end == writes {
		return writes
	}
	s.mark = i
	if !s.words.quotedMay(s.q, i+1, end-1) {
		return end
	}
	text := s.q[i+1 : end-1]
	switch a := s.words.find(text); a {
	case module:
		return writes
	case sequence:
		if s.dotted(i) {
			return writes
		}
	default:
		return s.named(i, end, text, a)
	}
	return end
}

// named decides about a name that stands from i to end, in quotes or not, and does a.
func (s *scanner) named(i, end int, text string, a action) int {
	switch a {
	case local:
		s.local = true
	case position:
		if !s.dotted(i) && !s.label(i) && !s.called(end) {
			s.local = true
		}
	case schema:
		return s.inSchema(text, end)
	case none, calls, asks:
		if s.words.attributes && s.dotted(i) {
			return s.calledBy(text, a, end, false)
		}
		s.local = s.local || a == none && s.words.tells(text)
	}
	return end
}

// attribute looks at the names that follow the value that ends before i, each after a dot: each is a column of the
// value, or a function that is called with it (PostgreSQL's manual, 8.16.5 Using Composite Types in Queries). It passes the
// first dot alone: the names are words like others, too.
func (s *scanner) attribute(i int) int {
	if i == writes || !s.words.attributes {
		return i
	}
	passed := false
	for at := i; ; {
		if at = s.skip(at); at == writes {
			return writes
		}
		if s.at(at) != '.' {
			if !passed {
				i = at
			}
			return i
		}
		start := s.skip(at + 1)
		if start == writes {
			return writes
		}
		if !passed {
			i, passed = at+1, true
		}
		end, text := s.wordEnd(start), ""
		switch {
		case end > start:
			text = s.q[start:end]
		case s.at(start) == '"':
			if end = closeQuote(s.q, start); end == writes {
				return writes
			}
			text = s.q[start+1 : end-1]
		default:
			return i
		}
		if at = s.calledBy(text, s.words.find(text), end, true); at == writes {
			return writes
		}
	}
}

// afterComment passes what is left of the comments before i. They may stand before an attribute.
func (s *scanner) afterComment(i int) int {
	if i == writes || !s.words.attributes {
		return i
	}
	if i = s.skip(i); i != writes && s.at(i) == '.' && s.afterValue(i) {
		return s.attribute(i)
	}
	return i
}

// afterValue tells whether a parenthesis closes before i, white space and comments left out.
func (s *scanner) afterValue(i int) bool {
	i = s.before(i)
	return i > 0 && s.q[i-1] == ')'
}

// calledBy decides about the name text, which ends at end, after a dot. It does a if it is a function that is called with
// what stands before the dot. Only after a value is that so for what the user's globs match: elsewhere they match columns.
func (s *scanner) calledBy(text string, a action, end int, value bool) int {
	switch {
	case text == "":
	case a == calls, value && len(text) >= maxName:
		return writes
	case a == asks, a == local:
		s.local = true
	case a == none:
		for i := range s.words.globs {
			if g := &s.words.globs[i]; (value || !g.users || !g.wild) && g.mayBegin(text) && globMatch(g.name, text) {
				return writes
			}
		}
		s.local = s.local || s.words.tells(text)
	}
	return end
}

// inSchema decides about what follows the name of a schema, which ends at end: something in it, or nothing of interest.
func (s *scanner) inSchema(text string, end int) int {
	dot := s.skip(end)
	if dot == writes {
		return writes
	}
	if s.at(dot) != '.' {
		return end
	}
	start := s.skip(dot + 1)
	if start == writes {
		return writes
	}
	stop, object := s.wordEnd(start), ""
	switch c := s.lang.class[s.at(start)]; {
	case stop > start:
		object = s.q[start:stop]
	case c == name, c == escaped && s.q[start] == '"':
		if stop = closeQuote(s.q, start); stop == writes {
			return writes
		}
		object = s.q[start+1 : stop-1]
	default:
		return end
	}
	if s.lang.dialect == dialect.MySQL {
		return mysqlObject(s, text, object, end, s.called(stop))
	}
	if s.encoded(start) {
		return writes
	}
	if s.called(stop) {
		for _, g := range s.words.owned {
			if equalFold(text, g.schema) && globMatch(g.name, object) {
				return writes
			}
		}
	}
	return end
}

// encoded tells whether U&"…" begins at i, which may spell any name.
func (s *scanner) encoded(i int) bool {
	return s.at(i)|0x20 == 'u' && s.at(i+1) == '&' && s.at(i+2) == '"'
}

// maxName is more bytes than the name of a function has: 63 in PostgreSQL, 64 characters in MySQL, 255 in SQLite.
const maxName = 256

// callsWriter tells whether the parenthesis at i follows the name of a function that writes.
func (s *scanner) callsWriter(i int) bool {
	start, end := s.mark, s.before(i)
	if end <= start {
		return false
	}
	switch c := s.q[end-1]; {
	case isNameByte(c):
		start = max(start, end-maxName)
		for at := end - 1; at >= start; at-- {
			if !isNameByte(s.q[at]) {
				return false // a number, some way from the last name
			}
		}
	case c == '"', c == '`', c == ']', c == '\'' && s.lang.textIsName:
		start++
		end--
	default:
		return false
	}
	if end-start >= maxName {
		return true // cut short by the server it may be any
	}
	if end <= start {
		return false
	}
	text := s.q[start:end]
	switch s.words.find(text) {
	case calls, sequence, module:
		if !s.inTx || !equalFold(text, "set_config") || !s.setsLocally(i) {
			return true
		}
	case asks:
		s.local = true
	}
	return len(s.words.globs) > 0 && (s.lang.accents && !ascii(text) || s.matchesGlob(text))
}

// matchesGlob tells whether a glob of functions that write matches the name at the mark, which is text.
func (s *scanner) matchesGlob(text string) bool {
	schema := ""
	if s.mark > 0 && s.q[s.mark-1] == '.' {
		schema = s.schemaBefore(s.mark - 1)
	}
	for i := range s.words.globs {
		if s.words.globs[i].matches(schema, text) {
			return true
		}
	}
	return false
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// schemaBefore returns the name that ends at i, right before a dot, or "" if that cannot be told.
func (s *scanner) schemaBefore(i int) string {
	if i == 0 {
		return ""
	}
	end := i
	switch c := s.q[end-1]; {
	case isNameByte(c):
		for i > 0 && isNameByte(s.q[i-1]) {
			i--
		}
		return s.q[i:end]
	case s.lang.class[c] == name || s.lang.class[c] == escaped || c == ']' && s.lang.class['['] == bracket:
		if c == ']' {
			c = '['
		}
		for i = end - 2; i >= max(0, end-maxName); i-- {
			if s.q[i] != c {
				continue
			}
			if i > 0 && (s.q[i-1] == c || s.q[i-1] == '&') {
				return "" // a quote inside, or U&"…"
			}
			return s.q[i+1 : end-1]
		}
	}
	return ""
}

// called tells whether a parenthesis opens after end, white space and comments left out.
func (s *scanner) called(end int) bool {
	if end == len(s.q) || s.lang.class[s.q[end]] <= foreign {
		return false
	}
	next := s.skip(end)
	return next == writes || s.at(next) == '('
}

// afterFor decides about the FOR that ends at end: UPDATE, NO KEY UPDATE, SHARE and KEY SHARE lock.
func (s *scanner) afterFor(end int) int {
	next := s.skip(end)
	if next == writes {
		return writes
	}
	for _, lock := range [...]string{"update", "share", "no", "key"} {
		if s.wordIs(next, lock) {
			return writes
		}
	}
	return end
}

// qualified tells whether the word at i follows a dot that follows a name, so that it is a name too.
// After a digit the dot may be that of a number.
func (s *scanner) qualified(i int) bool {
	if i < 2 || s.q[i-1] != '.' {
		return false
	}
	c := s.q[i-2]
	return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c >= 0x80 || c == '"' || c == '`' || c == ')' || c == ']'
}

// dotted tells whether a dot stands before the name at i, white space and comments left out.
func (s *scanner) dotted(i int) bool {
	i = s.before(i)
	return i > 0 && s.q[i-1] == '.'
}

// afterParenthesis tells whether the word at i follows a parenthesis, or nothing.
func (s *scanner) afterParenthesis(i int) bool {
	i = s.before(i)
	return i == 0 || s.q[i-1] == '(' || s.q[i-1] == ')'
}
