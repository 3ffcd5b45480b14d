package router

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// refusals are the fingerprints of statements that were taken for reads, and that a server which may not write has refused
// as writes: by what a function does, which their text does not show. Such a one is a write from then on, until the
// process ends. It is safe for concurrent use.
type refusals struct {
	mu    sync.Mutex // held to add one
	known atomic.Pointer[map[head]map[uint64]bool]
}

// head is how a statement begins, up to its first literal: enough to tell most statements apart from those that were
// refused without a look at the rest of them.
type head [32]byte

// maxRefusals bounds what is remembered: with more all are found out anew.
const maxRefusals = 256

func headOf(query, quotes string) (h head) {
	for i := range min(len(query), len(h)) {
		switch c := query[i]; {
		case '0' <= c && c <= '9', c == '$', c == quotes[0], c == quotes[len(quotes)-1]:
			return h
		default:
			h[i] = c
		}
	}
	return h
}

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

// has reports whether a statement like query was refused.
func (f *refusals) has(r *Router, query string) bool {
	known := f.known.Load()
	return known != nil && find(*known, query, r.literalQuotes())
}

func find(known map[head]map[uint64]bool, query, quotes string) bool {
	shapes := known[headOf(query, quotes)]
	return shapes != nil && shapes[fingerprint(query, quotes)]
}

// add remembers that query was refused.
func (f *refusals) add(r *Router, query string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	quotes, all, count := r.literalQuotes(), make(map[head]map[uint64]bool), 1
	if known := f.known.Load(); known != nil {
		for h, shapes := range *known {
			all[h], count = shapes, count+len(shapes)
		}
	}
	if count > maxRefusals {
		clear(all)
	}
	h := headOf(query, quotes)
	shapes := maps.Clone(all[h])
	if shapes == nil {
		shapes = make(map[uint64]bool)
	}
	shapes[fingerprint(query, quotes)], all[h] = true, shapes
	f.known.Store(&all)
}
