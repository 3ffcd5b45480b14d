package router

import "strings"

// fingerprint tells statements apart by their whole text but its literals: those that follow each other count as one, so
// that lists of any length are alike. Quotes are the characters that enclose literals. It allocates nothing. What it
// misreads may be refused once more.
func fingerprint(query, quotes string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	after := false                    // a literal, and perhaps commas and spaces
	for i := 0; i < len(query); {
		c, end, literal := query[i], i+1, true
		switch {
		case after && (c == ',' || c == ' '):
			i++
			continue
		case strings.IndexByte(quotes, c) >= 0:
			end = afterQuote(query, i, len(quotes) > 1)
		case strings.HasPrefix(query[i:], "$$"):
			end = len(query)
			if n := strings.Index(query[i+2:], "$$"); n >= 0 {
				end = i + 2 + n + 2
			}
		case c == '"', c == '`':
			end, literal = afterQuote(query, i, false), false
		case isWord(c), c == '$':
			for end < len(query) && isWord(query[end]) {
				end++
			}
			literal = '0' <= c && c <= '9' || c == '$'
		default:
			literal = false
		}
		switch {
		case !literal:
			for ; i < end; i++ {
				h = (h ^ uint64(query[i])) * 1099511628211
			}
		case !after:
			h = (h ^ '?') * 1099511628211
		}
		i, after = end, literal
	}
	return h
}

// afterQuote returns the position after the quote that closes the one at i, the end if none does. Escapes says that a
// backslash is one.
func afterQuote(query string, i int, escapes bool) int {
	for at := i + 1; at < len(query); at++ {
		switch {
		case query[at] == query[i]:
			return at + 1
		case escapes && query[at] == '\\':
			at++
		}
	}
	return len(query)
}
