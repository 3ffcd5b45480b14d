package sqlkind

import "github.com/uptrace/bun/dialect"

// postgres lexes as PostgreSQL does with standard_conforming_strings on, its default since 9.1.
var postgres = &language{
	dialect:        dialect.PG,
	own:            ownOfPostgres,
	session:        newSessionTable(postgresSession),
	class:          postgresClasses(),
	words:          newWords(true, postgresKeywords, postgresFunctions, postgresExtensions, postgresLocal),
	nestedComments: true,
	prefixes:       true,
}

func postgresClasses() [256]class {
	c := ordinary()
	for _, b := range []byte("#:?@[`") {
		c[b] = blank
	}
	c['$'], c['&'], c[']'] = dollar, ampersand, subscript
	return c
}

var postgresKeywords = map[string]action{
	"for":    forLock,
	"with":   list,
	"into":   into,
	"insert": insert,
	"update": update,
	"delete": remove,
	"merge":  merge,
}

// postgresHead knows SHOW and EXPLAIN. COPY … TO, FETCH, DECLARE, EXECUTE and other verbs that may but
// read belong to a session or need too close a look.
func postgresHead(s *scanner, verb keyword, end int) int {
	switch verb {
	case kwShow:
		return end
	case kwExplain:
		return postgresExplain(s, end)
	}
	return writes
}

// postgresExplain passes EXPLAIN [ANALYZE] [VERBOSE], or EXPLAIN (options), and the verb. Without ANALYZE
// nothing is executed and the verb may be one that writes.
func postgresExplain(s *scanner, i int) int {
	s.explain = true
	if i = s.skip(i); i == writes {
		return writes
	}
	if s.at(i) == '(' {
		first := s.skip(i + 1)
		if first == writes || s.at(first) == '(' {
			return s.explained(i)
		}
		switch s.keyword(first) {
		case kwSelect, kwValues, kwTable, kwWith:
			return s.explained(i)
		}
		if i = postgresOptions(s, first); i == writes {
			return writes
		}
		return s.explained(i)
	}
	if s.keyword(i) == kwAnalyze {
		s.explain = false
		i = s.skip(s.wordEnd(i))
	}
	if i != writes && s.wordIs(i, "verbose") {
		i = s.skip(s.wordEnd(i))
	}
	return s.explained(i)
}

// explained passes the verb of the statement that an EXPLAIN explains.
func (s *scanner) explained(i int) int {
	if i == writes {
		return writes
	}
	return s.mainVerb(i)
}

// postgresOptions passes the options of EXPLAIN and the white space after them. ANALYZE counts whatever its
// value, and so does a quoted name, since that may be it.
func postgresOptions(s *scanner, i int) int {
	for i != writes && i < len(s.q) {
		switch c := s.q[i]; s.lang.class[c] {
		case closing:
			return s.skip(i + 1)
		case letter:
			if s.keyword(i) == kwAnalyze || c|0x20 == 'u' && s.at(i+1) == '&' {
				s.explain = false
			}
			i = s.wordEnd(i)
		case name:
			s.explain = false
			i = closeQuote(s.q, i)
		case text:
			i = closeQuote(s.q, i)
		case digit, blank:
			i++
		default:
			return writes
		}
		if i != writes {
			i = s.skip(i)
		}
	}
	return writes
}

func postgresRule(s *scanner, a action, i, end int) int {
	if a == into {
		if s.qualified(i) || s.label(i) || s.explain && s.insertsInto(i) {
			return end
		}
		return writes
	}
	if s.explain || !s.loose && !s.afterParenthesis(i) {
		return end // a name
	}
	next := s.skip(end)
	if next == writes {
		return writes
	}
	switch a {
	case insert, merge:
		if s.wordIs(next, "into") {
			return writes
		}
	case remove:
		if s.wordIs(next, "from") {
			return writes
		}
	case update:
		if s.namesTable(next) {
			return writes
		}
	}
	return end
}

// namesTable tells whether a table may be named at i, as it is after UPDATE.
func (s *scanner) namesTable(i int) bool {
	end := s.wordEnd(i)
	if end == i {
		return s.at(i) == '"'
	}
	for _, reserved := range notTables {
		if equalFold(s.q[i:end], reserved) {
			return false
		}
	}
	return true
}

// notTables are words that follow a column or an alias called update and are never the name of a table.
var notTables = []string{
	"and", "as", "asc", "collate", "cross", "desc", "except", "fetch", "for", "from", "full", "group",
	"having", "ilike", "in", "inner", "intersect", "is", "isnull", "join", "left", "like", "limit",
	"natural", "not", "notnull", "offset", "on", "or", "order", "right", "similar", "union", "using",
	"where", "window",
}

// label tells whether the word at i follows an AS, which makes any word the name of a column. The AS must
// be no name itself: it may follow neither a dot nor another AS, and no line break, since a comment could
// end there.
func (s *scanner) label(i int) bool {
	end := s.before(i)
	start := s.previousWord(end)
	if !equalFold(s.q[start:end], "as") {
		return false
	}
	end = start
	for end > 0 && (s.q[end-1] == ' ' || s.q[end-1] == '\t') {
		end--
	}
	if end == 0 {
		return false
	}
	switch s.q[end-1] {
	case '.', '/', '\n', '\r', '\f', '\v':
		return false
	}
	return !equalFold(s.q[s.previousWord(end):end], "as")
}

// insertsInto tells whether the word at i follows INSERT or MERGE.
func (s *scanner) insertsInto(i int) bool {
	end := s.before(i)
	switch keywordOf(s.q[s.previousWord(end):end]) {
	case kwInsert, kwMerge:
		return true
	}
	return false
}

// previousWord returns where the word that ends at end begins.
func (s *scanner) previousWord(end int) int {
	for end > 0 && isNameByte(s.q[end-1]) {
		end--
	}
	return end
}
