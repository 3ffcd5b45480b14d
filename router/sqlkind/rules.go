package sqlkind

// word decides about a word that may be of interest. It returns the position to go on from.
func (s *scanner) word(i, end int) int {
	switch a := s.words.find(s.q[i:end]); a {
	case none, calls:
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
	if s.words.odd>>((end-1-i)&63)&1 != 0 {
		switch s.words.find(s.q[i+1 : end-1]) {
		case module:
			return writes
		case sequence:
			if b := s.before(i); b > 0 && s.q[b-1] == '.' {
				return writes
			}
		}
	}
	return end
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
		return true
	}
	return len(s.words.globs) > 0 && (s.lang.accents && !ascii(text) || s.matchesGlob(text))
}

// matchesGlob tells whether the name at the mark, which is text, is one of the user's functions that write.
func (s *scanner) matchesGlob(text string) bool {
	schema := ""
	if s.mark > 0 && s.q[s.mark-1] == '.' {
		schema = s.schemaBefore(s.mark - 1)
	}
	for _, g := range s.words.globs {
		if g.matches(schema, text) {
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

// afterParenthesis tells whether the word at i follows a parenthesis, or nothing.
func (s *scanner) afterParenthesis(i int) bool {
	i = s.before(i)
	return i == 0 || s.q[i-1] == '(' || s.q[i-1] == ')'
}
