package sqlkind

import (
	"strings"

	"github.com/uptrace/bun/dialect"
)

// Harmless reports whether a query that is a [Read] is known to change nothing, wherever it runs: it calls no functions
// but the server's own. One of the user's, or of an extension, may write, and then does so on a server that lets it. What
// a view, an operator, a cast or a column default calls is not seen, nor a call that looks like a column of a table: t.charge
// on PostgreSQL. It allocates nothing.
func (c *Classifier) Harmless(query string) bool {
	if c == nil || c.lang == nil {
		return false
	}
	if strings.IndexByte(query, '(') < 0 && (c.lang.dialect != dialect.PG || !strings.ContainsAny(query, "$]")) {
		return true // nothing is called, also not by a dot: $1.charge, a[1].charge
	}
	o := c.lang.own()
	if o.plainly(query, c.lang.dialect) {
		return true
	}
	s := scanner{q: query, lang: c.lang, words: c.words}
	return s.harmless(o)
}

// plainly reports that a query is harmless at a glance, as most are: before each parenthesis stands a listed word, or none. It
// leaves the rest, and whatever has comments or attributes, to who reads it in full.
func (o *own) plainly(query string, d dialect.Name) bool {
	for from := 0; ; {
		n := strings.IndexByte(query[from:], '(')
		if n < 0 {
			break
		}
		end := from + n
		from = end + 1
		spaced := end > 0 && query[end-1] == ' '
		if spaced {
			end--
		}
		if end == 0 {
			continue
		}
		start := end
		for start > 0 && isNameByte(query[start-1]) {
			start--
		}
		if start == end {
			switch query[end-1] {
			case '(', ',', '=', '<', '>', '+', '*':
				continue
			}
			return false
		}
		if start > 0 && query[start-1] != ' ' && query[start-1] != '(' && query[start-1] != ',' {
			return false
		}
		function, known := o.find(query[start:end], false)
		if !known || function && spaced && d == dialect.MySQL {
			return false
		}
	}
	for i := 0; i+1 < len(query); i++ {
		switch query[i] {
		case '-', '/':
			if next := query[i+1]; next == '-' || next == '*' {
				return false
			}
		case '#':
			return false
		case '.':
			if isBlank(query[i+1]) {
				return false
			}
		case ')', ']', '$', ' ', '\t', '\n', '\v', '\f', '\r':
			if query[i+1] == '.' {
				return false
			}
		}
	}
	return d != dialect.PG || strings.IndexByte(query, '$') < 0
}

// A token is what was read last: where it is, and whether it is a name, in quotes or not.
type token struct {
	from, to     int
	last         byte // its last byte; a comma where an expression begins after a parenthesis that closes
	name, quoted bool
}

// is tells whether t is the unquoted word want, in lower case.
func (s *scanner) is(t token, want string) bool {
	return t.name && !t.quoted && equalFold(s.q[t.from:t.to], want)
}

// harmless reads the query once more, for its calls alone.
func (s *scanner) harmless(o *own) bool {
	q := s.q
	var now, before token
	value := false   // a value that may have attributes was just read
	ons := uint64(0) // for each open parenthesis a bit: it is that of DISTINCT ON
	for i := 0; i < len(q); {
		c := s.lang.class[q[i]]
		if isBlank(q[i]) || (c == dash || c == slash || c == hash) && s.startsComment(i) {
			if i = s.skip(i); i == writes {
				return false
			}
			continue
		}
		if value && q[i] == '.' && s.words.attributes {
			return false // an attribute, or a call
		}
		if c == opening && now.name && !s.isOwn(o, now, before) {
			return false
		}
		value = c == closing || c == subscript || c == dollar
		next, end := s.token(i, c)
		if i = end; i == writes || c == dollar && q[i-1] == '.' {
			return false
		}
		switch c {
		case opening:
			ons <<= 1
			if s.is(now, "on") && s.is(before, "distinct") {
				ons |= 1
			}
		case closing:
			if ons&1 != 0 {
				next.last = ','
			}
			ons >>= 1
		}
		before, now = now, next
	}
	return true
}

// token reads the token at i, which begins with the class c, and returns where it ends: writes if that cannot be told.
func (s *scanner) token(i int, c class) (next token, end int) {
	next = token{from: i}
	switch c {
	case letter, foreign:
		end, next.name = s.wordEnd(i), true
	case name:
		end, next.name, next.quoted = closeDoubled(s.q, i), true, true
	case escaped:
		end, next.name, next.quoted = closeEscaped(s.q, i), true, true
	case bracket:
		end, next.name, next.quoted = s.bracketed(i), true, true
	case text:
		end, next.name, next.quoted = s.text(i), s.lang.textIsName, s.lang.textIsName
	case opening, closing, subscript, blank, dash, slash, hash, semi:
		end = i + 1
	case digit:
		end = i
		for end < len(s.q) && s.lang.class[s.q[end]] == digit {
			end++
		}
		end, next.name = s.number(i, end), s.lang.digitsInNames
	default:
		end = s.special(i, c)
	}
	if end == writes {
		return next, writes
	}
	if next.to, next.last = end, s.q[end-1]; next.quoted {
		next.from, next.to = next.from+1, end-1
	}
	return next, end
}

// isOwn tells whether a name, which a parenthesis follows, is a function of the server's own, or no function at all.
// Before is what stands before it.
func (s *scanner) isOwn(o *own, name, before token) bool {
	text, word := s.q[name.from:name.to], ""
	if before.name && !before.quoted {
		word = s.q[before.from:before.to]
	}
	function, known := o.find(text, name.quoted)
	switch {
	case before.last == '.':
		return s.lang.dialect == dialect.PG && s.inCatalog(before.from) && function
	case before.last == ':' && before.from > 0 && s.q[before.from-1] == ':':
		return true // a type with its size; after one colon alone it is the end of a slice
	case function && s.lang.dialect == dialect.MySQL && s.q[name.to] != '(':
		return false // in quotes, or not right before the parenthesis, it may be a stored function
	case function, known && !name.quoted:
		return true
	case name.quoted: // it is no keyword
	case equalFold(text, "over"), equalFold(text, "filter"), equalFold(text, "against"):
		return before.last == ')'
	case equalFold(text, "join"), equalFold(text, "like"), equalFold(text, "ilike"):
		return s.endsValue(o, before)
	case equalFold(text, "by"):
		return equalFold(word, "order") || equalFold(word, "group") || equalFold(word, "partition")
	case equalFold(text, "sets"):
		return equalFold(word, "grouping")
	case equalFold(text, "materialized"):
		return equalFold(word, "as") || equalFold(word, "not") && s.afterAs(before.from)
	}
	// A name that is given: WITH list (a, b), AS alias (a, b).
	return equalFold(word, "with") || equalFold(word, "recursive") || equalFold(word, "as")
}

// beforeOperands are words of PostgreSQL's that an operand or a table follows, beside those of postgresNoCalls.
var beforeOperands = [...]string{"by", "escape", "first", "ilike", "join", "like", "next", "overlaps", "zone"}

// endsValue tells whether an operand or a table may end with t, so that an infix word follows, and no call: PostgreSQL's
// JOIN, LIKE and ILIKE may be functions, too.
func (s *scanner) endsValue(o *own, t token) bool {
	switch {
	case t.quoted:
		return true
	case t.name:
		for _, word := range beforeOperands {
			if s.is(t, word) {
				return false
			}
		}
		function, known := o.find(s.q[t.from:t.to], false)
		return function || !known
	}
	return t.last == ')' || t.last == ']' || t.last == '\'' || t.last == '$' || s.lang.class[t.last] == digit
}

// inCatalog tells whether the dot at i follows pg_catalog. In quotes its case counts.
func (s *scanner) inCatalog(dot int) bool {
	schema := s.schemaBefore(dot)
	return equalFold(schema, "pg_catalog") && (schema == "pg_catalog" || s.q[dot-1] != '"')
}

// afterAs tells whether the word at i follows AS. It does not know of comments before i if there is one behind.
func (s *scanner) afterAs(i int) bool {
	end := s.before(i)
	return s.loud <= i && equalFold(s.q[s.previousWord(end):end], "as")
}
