package sqlkind

// word decides about a word that may be of interest. It returns the position to go on from.
func (s *scanner) word(i, end int) int {
	switch a := s.words.find(s.q[i:end]); a {
	case none, calls:
		if s.callsWriter(a, i, end, i) {
			return writes
		}
	case forLock:
		return s.afterFor(end)
	case always:
		if !s.qualified(i) {
			return writes
		}
	case module:
		return writes
	case cycle:
		// only after a CTE in a list that is not the statement's own; closed sees to that one
		if s.afterParenthesis(i) {
			s.loose = true
		}
	default:
		return s.rule(a, i, end)
	}
	return end
}

// quotedName tells whether the quoted name from i to end is that of a function that writes.
func (s *scanner) quotedName(i, end int) bool {
	a := s.words.find(s.q[i+1 : end-1])
	switch a {
	case module:
		return true
	case sequence:
		return s.before(i) > 0 && s.q[s.before(i)-1] == '.'
	case calls:
	default:
		a = none
	}
	return s.callsWriter(a, i+1, end-1, i)
}

// callsWriter tells whether s.q[i:end], a known writer if a says so, is a function called that
// writes. The name, with its quotes, begins at start.
func (s *scanner) callsWriter(a action, i, end, start int) bool {
	if a != calls && len(s.words.globs) == 0 || s.apart(end+i-start) {
		return false
	}
	dot := s.before(start) // before called moves on
	if !s.called(end + i - start) {
		return false
	}
	if a == calls {
		return true
	}
	schema := ""
	if dot > 0 && s.q[dot-1] == '.' {
		schema = s.schemaBefore(dot - 1)
	}
	for _, g := range s.words.globs {
		if g.matches(schema, s.q[i:end]) {
			return true
		}
	}
	return false
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
	case c == '"' || c == '`' || c == ']':
		if c == ']' {
			c = '['
		}
		for i = end - 2; i >= 0 && s.q[i] != c; i-- {
		}
		if i < 0 || i > 0 && (s.q[i-1] == c || s.q[i-1] == '&') {
			return "" // a quote inside, or U&"…"
		}
		return s.q[i+1 : end-1]
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

// apart tells at a glance that no parenthesis follows end.
func (s *scanner) apart(end int) bool {
	if end == len(s.q) {
		return true
	}
	if s.q[end] == ' ' {
		if end++; end == len(s.q) {
			return true
		}
	}
	c := s.q[end]
	return c != '(' && c != '/' && c != '-' && c != '#' && !isBlank(c)
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

// afterParenthesis tells whether the word at i follows a parenthesis, or may do so.
func (s *scanner) afterParenthesis(i int) bool {
	i = s.before(i)
	return i == 0 || s.q[i-1] == '(' || s.q[i-1] == ')' || s.q[i-1] == '/'
}
