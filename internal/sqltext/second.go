// Package sqltext finds where statements begin in a text. It decides nothing about them: package sqlkind does.
package sqltext

import "strings"

// A Lexis says how a database writes what is no code.
type Lexis uint8

const (
	Postgres Lexis = iota // E'…', dollar quotes, nested comments
	SQLite                // `…` and […] are names
)

// Second returns where the second statement of a text begins, or -1 if there is none. Blanks, comments and further semicolons are none.
// A statement with statements inside that have semicolons, as CREATE TRIGGER, is taken for several.
func Second(l Lexis, q string) int {
	if strings.IndexByte(q, ';') < 0 {
		return -1
	}
	begun, ended := false, false
	for i := 0; i < len(q); {
		end := i + 1
		switch c := q[i]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			i++
			continue
		case c == ';':
			ended = begun
			i++
			continue
		case c == '-' && strings.HasPrefix(q[i:], "--"):
			i = after(q, i, "\n")
			continue
		case c == '/' && strings.HasPrefix(q[i:], "/*"):
			i = comment(l, q, i)
			continue
		case c == '\'':
			end = quoted(q, i, l == Postgres && isEscaped(q, i))
		case c == '"' || c == '`' && l == SQLite:
			end = quoted(q, i, false)
		case c == '[' && l == SQLite:
			end = after(q, i, "]")
		case c == '$' && l == Postgres && (i == 0 || !isName(q[i-1])):
			end = dollar(q, i)
		}
		if ended {
			return i
		}
		begun, i = true, end
	}
	return -1
}

// after returns the position after the next end, or the text's end.
func after(q string, i int, end string) int {
	n := strings.Index(q[i+1:], end)
	if n < 0 {
		return len(q)
	}
	return i + 1 + n + len(end)
}

func comment(l Lexis, q string, i int) int {
	if l == SQLite {
		n := strings.Index(q[i+2:], "*/")
		if n < 0 {
			return len(q)
		}
		return i + 2 + n + 2
	}
	for depth := 0; i+1 < len(q); {
		switch q[i : i+2] {
		case "/*":
			depth++
			i += 2
		case "*/":
			i += 2
			if depth--; depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(q)
}

// quoted returns the position after the quote that closes the one at i. A doubled one closes and opens again.
func quoted(q string, i int, escapes bool) int {
	for end := i + 1; end < len(q); end++ {
		switch {
		case q[end] == '\\' && escapes:
			end++
		case q[end] == q[i]:
			if escapes && end+1 < len(q) && q[end+1] == q[i] {
				end++
				continue
			}
			return end + 1
		}
	}
	return len(q)
}

// isEscaped reports whether the quote at i follows an E that is no name's end.
func isEscaped(q string, i int) bool {
	return i > 0 && q[i-1]|0x20 == 'e' && (i == 1 || !isName(q[i-2]))
}

// dollar returns the position after the dollar quote that begins at i, or after the dollar if it begins none.
func dollar(q string, i int) int {
	end := i + 1
	for end < len(q) && isName(q[end]) && q[end] != '$' {
		end++
	}
	if end == len(q) || q[end] != '$' || q[i+1] >= '0' && q[i+1] <= '9' {
		return i + 1
	}
	tag := q[i : end+1]
	n := strings.Index(q[end+1:], tag)
	if n < 0 {
		return len(q)
	}
	return end + 1 + n + len(tag)
}

func isName(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}
