package router

import "strings"

// maxShape is how much of a statement a log line shows.
const maxShape = 120

// shape returns a statement for a log: without its literals, which may be anybody's data, and cut
// short. Quotes are the characters that enclose literals. From the first to the last of them
// everything is left out: what it misreads hides more, not less.
func shape(query, quotes string) string {
	var out strings.Builder
	for i := 0; i < len(query) && out.Len() < maxShape; {
		c := query[i]
		switch {
		case strings.IndexByte(quotes, c) >= 0, c == '$' && strings.HasPrefix(query[i:], "$$"):
			out.WriteByte('?')
			i = strings.LastIndexByte(query, c) + 1
		case isWord(c):
			end := i
			for end < len(query) && isWord(query[end]) {
				end++
			}
			if '0' <= c && c <= '9' {
				out.WriteByte('?')
			} else {
				out.WriteString(query[i:end])
			}
			i = end
		case c < ' ':
			out.WriteByte(' ')
			i++
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
}
