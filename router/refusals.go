package router

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// refusals are the fingerprints of statements that were taken for reads, and that a server which may not write has refused
// as writes: by what a function does, which their text does not show. Such a one is a write from then on, until the
// process ends. It is safe for concurrent use.
type refusals struct {
	dialect dialect.Name
	mu      sync.Mutex // held to add one
	known   atomic.Pointer[map[head]map[uint64]bool]
}

// head is how a statement begins, up to its first literal: enough to tell most statements apart from those that were
// refused without a look at the rest of them. Where it has one in it all the same, as an odd comment, its like is refused once more.
type head [32]byte

// maxRefusals bounds what is remembered: with more all are found out anew.
const maxRefusals = 256

func headOf(d dialect.Name, query string) (h head) {
	for i := range min(len(query), len(h)) {
		c := query[i]
		if '0' <= c && c <= '9' || c == '$' || c == '\'' || c == '"' && d == dialect.MySQL {
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
func (f *refusals) knows(query string) bool { return find(*f.known.Load(), f.dialect, query) }

func find(known map[head]map[uint64]bool, d dialect.Name, query string) bool {
	prints := known[headOf(d, query)]
	return prints != nil && prints[sqlkind.Fingerprint(d, query)]
}

// add remembers that query was refused.
func (f *refusals) add(query string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, count := make(map[head]map[uint64]bool), 1
	if known := f.known.Load(); known != nil {
		for h, prints := range *known {
			all[h], count = prints, count+len(prints)
		}
	}
	if count > maxRefusals {
		clear(all)
	}
	h := headOf(f.dialect, query)
	prints := maps.Clone(all[h])
	if prints == nil {
		prints = make(map[uint64]bool)
	}
	prints[sqlkind.Fingerprint(f.dialect, query)], all[h] = true, prints
	f.known.Store(&all)
}
