package sqlkind

import (
	"strings"

	"github.com/uptrace/bun/dialect"
)

// outlineEnd stands where an outline ends before its statement does.
const outlineEnd = "…"

// Outline returns what a log may show of a statement: its words and names, and a question mark in the place of each value and
// parameter. Comments are left out, and white space is one space. It is at most limit bytes long, and ends with "…" where it ends before
// the text does.
//
// It shows nothing behind a place where it cannot be told what is a value: a quote or a comment that does not end, a string that ends
// elsewhere in another mode of the server (NO_BACKSLASH_ESCAPES, ANSI_QUOTES, standard_conforming_strings = off), code in a comment of MySQL's,
// a comment within a comment where those do not nest, a string whose closing quote a letter, a digit or a quote touches, a byte that no
// statement has. Of a dialect that it does not know it shows nothing.
// Text in double quotes is a value on MySQL. On SQLite it is a name only beside a dot, and behind AS, FROM, JOIN, INTO, UPDATE and TABLE:
// elsewhere SQLite takes it for a string if there is no such column.
//
// What users named themselves is shown: tables, columns, functions, aliases, savepoints; and so are values that are bare words, as the
// one in SET app.tenant = acme. It is safe for concurrent use.
func Outline(d dialect.Name, query string, limit int) string {
	l := languageOf(d)
	if l == nil {
		return outlineEnd[:min(len(outlineEnd), max(limit, 0))]
	}
	room := limit - len(outlineEnd)
	var out strings.Builder
	out.Grow(max(0, min(room+len(outlineEnd), len(query))))
	r := outliner{scanner: scanner{q: query, lang: l, words: &l.words}}
	for i := 0; i < len(query); {
		p := r.next(i)
		if p.kind == doubt || r.ambiguous(i, p) {
			return ended(&out, limit)
		}
		text := query[i:p.end]
		switch p.kind {
		case value:
			if touched(query, i, p.end) {
				return ended(&out, limit)
			}
			text = "?"
		case gap:
			if text = " "; out.Len() == 0 || p.end == len(query) {
				text = ""
			}
		case plainText:
			if strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) >= 0 {
				return ended(&out, limit) // in quotes: no name that a log line should hold
			}
		}
		if out.Len()+len(text) > room && (p.end < len(query) || out.Len()+len(text) > limit) {
			return ended(&out, limit)
		}
		_, _ = out.WriteString(text)
		i = p.end
	}
	return out.String()
}

// touched reports whether a letter, a digit or a quote follows the closing quote of a string at once: then the string may have been meant
// to go on there.
func touched(q string, i, end int) bool {
	return (q[i] == '\'' || q[i] == '"') && end < len(q) && (isNameByte(q[end]) || strings.IndexByte("'\"`", q[end]) >= 0)
}

func ended(out *strings.Builder, limit int) string {
	if out.Len()+len(outlineEnd) <= limit {
		_, _ = out.WriteString(outlineEnd)
	}
	return out.String()
}

// part is what kind of text begins at a place, and where it ends.
type part struct {
	kind partKind
	end  int
}

type partKind uint8

const (
	plainText partKind = iota // words, names, operators
	gap                       // white space and comments
	value                     // a literal or a parameter
	doubt                     // what it is, or where it ends, cannot be told
)

// An outliner reads a text part by part.
type outliner struct {
	scanner
	word, before string // the last two unquoted words, "" for anything else
	dotted       bool   // a dot came last
}

// next reads the part at i.
func (r *outliner) next(i int) part {
	p := r.read(i)
	if p.kind == gap || p.kind == doubt {
		return p
	}
	text := r.q[i:p.end]
	r.dotted = text == "."
	r.before = r.word
	if r.word = ""; p.kind == plainText && r.lang.class[text[0]] == letter {
		r.word = text
	}
	return p
}

func (r *outliner) read(i int) part {
	q := r.q
	c := r.lang.class[q[i]]
	if isBlank(q[i]) || (c == dash || c == slash || c == hash) && r.startsComment(i) {
		return partOf(gap, r.skip(i))
	}
	switch c {
	case letter, foreign:
		return partOf(plainText, r.wordEnd(i))
	case text:
		return partOf(value, r.closeText(i))
	case escaped:
		return partOf(value, closeEscaped(q, i))
	case dollar, param, digit:
		_, end := r.token(i, c)
		return partOf(value, end)
	case name:
		end := closeDoubled(q, i)
		if r.lang.textIsName && q[i] == '"' && !r.surelyName(end) {
			return partOf(value, end)
		}
		return partOf(plainText, end)
	case bracket:
		_, end := r.token(i, c)
		return partOf(plainText, end)
	case escape:
		if i+1 < len(q) && q[i+1] == 'N' {
			return part{value, i + 2}
		}
		return part{doubt, i}
	case blank:
		if q[i] == '?' && r.lang.dialect != dialect.PG { // there it is an operator
			return part{value, i + 1}
		}
		return part{plainText, i + 1}
	case illegal:
		return part{doubt, i}
	}
	return part{plainText, i + 1} // operators, parentheses, semicolons, the signs before variables
}

func partOf(kind partKind, end int) part {
	if end == writes {
		return part{doubt, 0}
	}
	return part{kind, end}
}

// closeText returns the end of the string at i, which on PostgreSQL has escapes behind an E.
func (s *scanner) closeText(i int) int {
	if !s.lang.prefixes {
		return closeDoubled(s.q, i)
	}
	if s.text(i) == writes {
		return writes
	}
	if i > 0 && s.q[i-1]|0x20 == 'e' && (i == 1 || !isNameByte(s.q[i-2])) {
		return closeEscaped(s.q, i)
	}
	return closeDoubled(s.q, i)
}

// beforeNames are words that only a name follows.
var beforeNames = [...]string{"as", "from", "join", "into", "update", "table"}

// surelyName reports whether what SQLite has in double quotes, up to end, cannot be a string.
func (r *outliner) surelyName(end int) bool {
	if r.dotted || end != writes && end < len(r.q) && r.q[end] == '.' {
		return true
	}
	if equalFold(r.word, "from") && equalFold(r.before, "distinct") {
		return false // a IS DISTINCT FROM b
	}
	for _, word := range beforeNames {
		if equalFold(r.word, word) {
			return true
		}
	}
	return false
}

// ambiguous reports whether the part at i ends elsewhere in another mode of the server, or a comment in it on another server.
func (r *outliner) ambiguous(i int, p part) bool {
	text := r.q[i:p.end]
	switch p.kind {
	case gap:
		// Where comments do not nest, somebody may believe that they do: the rest of one would be shown.
		return !r.lang.nestedComments && commentWithin(text)
	case value:
		if r.lang.textIsName || strings.IndexByte(text, '\\') < 0 || text[0] != '\'' && text[0] != '"' {
			return false
		}
		if r.lang.prefixes && i > 0 && r.q[i-1]|0x20 == 'e' {
			return false // behind an E backslashes escape in every mode
		}
		return closeEscaped(r.q, i) != closeDoubled(r.q, i)
	}
	return false
}

// commentWithin reports whether a comment in asterisks has the beginning of another one in it.
func commentWithin(text string) bool {
	for {
		n := strings.Index(text, "/*")
		if n < 0 {
			return false
		}
		body, rest, _ := strings.Cut(text[n+2:], "*/")
		if strings.Contains(body, "/*") {
			return true
		}
		text = rest
	}
}
