package sqlkind

import "github.com/uptrace/bun/dialect"

// Fingerprint tells statements apart by all their text but values, parameters, comments and white space: values that follow each other,
// with commas between, count as one, so that lists of any length are alike. What follows a place where it cannot be told what
// is a value counts for nothing; of a dialect that it does not know everything counts. It allocates nothing and is safe for concurrent use.
func Fingerprint(d dialect.Name, query string) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037) // FNV-1a
	l := languageOf(d)
	if l == nil {
		for i := range len(query) {
			h = (h ^ uint64(query[i])) * prime
		}
		return h
	}
	r := outliner{scanner: scanner{q: query, lang: l, words: &l.words}}
	after := false // a value, and perhaps commas and white space
	for i := 0; i < len(query); {
		p := r.next(i)
		if p.kind == doubt {
			break
		}
		switch {
		case p.kind == gap, after && query[i] == ',':
		case p.kind == value:
			if !after {
				h = (h ^ '?') * prime
			}
			after = true
		default:
			for ; i < p.end; i++ {
				h = (h ^ uint64(query[i])) * prime
			}
			h = (h ^ ' ') * prime // two words are not one
			after = false
		}
		i = p.end
	}
	return h
}
