package sqlkind

import (
	"strings"

	"github.com/uptrace/bun/dialect"
)

// SecondStatement returns where the second statement of a text begins, in bytes, or -1 if there is none, or none that can be told:
// the text ends within a quote or a comment, or the dialect is not known. Blanks, comments and further semicolons are no
// statement. A statement with statements inside that have semicolons, as CREATE TRIGGER, is taken for several.
//
// It is safe for concurrent use and allocates nothing.
func SecondStatement(d dialect.Name, query string) int {
	l := languageOf(d)
	if l == nil || strings.IndexByte(query, ';') < 0 {
		return -1
	}
	s := scanner{q: query, lang: l, words: &l.words}
	begun, ended := false, false
	for i := 0; ; {
		if i = s.skip(i); i == writes || i == len(query) {
			return -1
		}
		switch {
		case query[i] == ';':
			ended = begun
			i++
			continue
		case ended:
			return i
		}
		begun = true
		if _, i = s.token(i, l.class[query[i]]); i == writes {
			return -1
		}
	}
}
