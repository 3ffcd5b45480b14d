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
	quotes string     // that enclose literals
	mu     sync.Mutex // held to add one
	known  atomic.Pointer[map[head]map[uint64]bool]
}

// head is how a statement begins, up to its first literal: enough to tell most statements apart from those that were
// refused without a look at the rest of them.
type head [32]byte

// maxRefusals bounds what is remembered: with more all are found out anew.
const maxRefusals = 256

func headOf(query, quotes string) (h head) {
	for i := range min(len(query), len(h)) {
		c := query[i]
		if '0' <= c && c <= '9' || c == '$' || strings.IndexByte(quotes, c) >= 0 {
			return h
		}
		h[i] = c
	}
	return h
}

// has reports whether a statement like query was refused.
func (f *refusals) has(query string) bool { return f.known.Load() != nil && f.knows(query) } // mostly there are none

// knows is has where something was refused. Inlined it would keep has from being so, which every read calls.
//
//go:noinline
func (f *refusals) knows(query string) bool { return find(*f.known.Load(), query, f.quotes) }

func find(known map[head]map[uint64]bool, query, quotes string) bool {
	shapes := known[headOf(query, quotes)]
	return shapes != nil && shapes[fingerprint(query, quotes)]
}

// add remembers that query was refused.
func (f *refusals) add(query string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, count := make(map[head]map[uint64]bool), 1
	if known := f.known.Load(); known != nil {
		for h, shapes := range *known {
			all[h], count = shapes, count+len(shapes)
		}
	}
	if count > maxRefusals {
		clear(all)
	}
	h := headOf(query, f.quotes)
	shapes := maps.Clone(all[h])
	if shapes == nil {
		shapes = make(map[uint64]bool)
	}
	shapes[fingerprint(query, f.quotes)], all[h] = true, shapes
	f.known.Store(&all)
}
