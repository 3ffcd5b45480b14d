package sqlkind

import "github.com/uptrace/bun/dialect"

// class is what a byte begins outside of quotes and comments.
type class uint8

const (
	letter    class = iota // a word
	digit                  // a number; goes on in a word
	dollar                 // PostgreSQL: a parameter or a dollar quote; goes on in a word
	foreign                // MySQL: a byte beyond ASCII, part of a name
	blank                  // nothing: white space, an operator, a comma
	opening                // (
	closing                // )
	semi                   // ;
	name                   // a quoted name that ends at the same byte
	bracket                // SQLite: [a quoted name]
	subscript              // PostgreSQL: ], the end of an array's subscript
	text                   // a string without escapes
	escaped                // MySQL: a string, or a name, with backslash escapes
	dash                   // - or a comment
	slash                  // / or a comment
	hash                   // MySQL: a comment
	at                     // MySQL: a variable
	colon                  // MySQL: an assignment
	param                  // SQLite: a parameter with a name
	ampersand              // PostgreSQL: U&"…"
	escape                 // MySQL: \N
	illegal                // no statement has it
)

// A language is what the scanner knows about a dialect. It is not changed once made.
type language struct {
	dialect dialect.Name
	class   [256]class
	words   words
	own     func() *own // made when it is first asked for
	session sessionTable

	nestedComments bool // PostgreSQL
	blankAfterDash bool // MySQL: -- is a comment only before white space
	codeInComments bool // MySQL: /*! … */
	digitsInNames  bool // MySQL: a name may begin with digits
	prefixes       bool // PostgreSQL: E'…'
	textIsName     bool // SQLite: 'text' may stand for a name
	noTable        bool // SQLite: TABLE t is no query
	accents        bool // MySQL: names of stored functions are compared without their accents
}

// ordinary is the classes that the dialects have in common.
func ordinary() (c [256]class) {
	for i := range c {
		c[i] = illegal
	}
	for b := byte('a'); b <= 'z'; b++ {
		c[b], c[b-'a'+'A'] = letter, letter
	}
	c['_'] = letter
	for b := 0x80; b <= 0xff; b++ {
		c[b] = letter
	}
	for b := byte('0'); b <= '9'; b++ {
		c[b] = digit
	}
	for _, b := range []byte(" \t\n\r\f\v!%&*+,.<=>?^|~") {
		c[b] = blank
	}
	c['('], c[')'], c[';'] = opening, closing, semi
	c['\''], c['"'] = text, name
	c['-'], c['/'] = dash, slash
	return c
}

func isBlank(c byte) bool {
	return c == ' ' || '\t' <= c && c <= '\r'
}

// head passes a verb that only one dialect has. The calls are direct so that the scanner stays on the stack.
func (s *scanner) head(verb keyword, end int) int {
	switch s.lang.dialect {
	case dialect.PG:
		return postgresHead(s, verb, end)
	case dialect.MySQL:
		return mysqlHead(s, verb, end)
	default:
		return sqliteHead(s, verb, end)
	}
}

// rule decides about a keyword as its dialect does.
func (s *scanner) rule(a action, i, end int) int {
	switch s.lang.dialect {
	case dialect.PG:
		return postgresRule(s, a, i, end)
	case dialect.MySQL:
		return mysqlRule(s, a, i, end)
	default:
		return sqliteRule(s, a, i, end)
	}
}

// endsPlainly says that a statement with depth open parentheses ends with q, in which nothing is but numbers,
// operators and those parentheses: the key of a row, or the length of a page.
func (l *language) endsPlainly(q string, depth int) bool {
	for i := range len(q) {
		switch l.class[q[i]] {
		case digit, blank:
		case closing:
			depth--
		default:
			return false
		}
	}
	return depth == 0
}
