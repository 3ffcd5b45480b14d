package sqlkind

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
)

// beginnings remembers how the SELECTs of a program begin. A builder writes the same text up to the first value
// again and again, and what a scanner knows there depends on that text alone: where a statement begins as one
// did before, it is read on from there.
//
// A beginning ends before the first value, so that nothing is kept which users have sent. Looking takes no lock
// and allocates nothing. The zero value is empty and ready.
type beginnings struct {
	sets atomic.Pointer[[beginningSets]beginningSet]
}

// A beginningSet has what begins with the same bytes: mostly the statements on one table. It is filled from its
// first place on. Where there are more than places, the last one has what all the others have in common, which
// is shorter, but no statement is read from its beginning.
type beginningSet [4]atomic.Pointer[beginning]

// A beginning is a text and what a scanner knows behind it.
type beginning struct {
	text        string
	depth, mark int
}

const (
	setBits       = 7
	beginningSets = 1 << setBits
	// Statements are told apart by their first bytes. Shorter ones are as fast read as looked for.
	toldApart = 40
	// The longest text that is kept: a bound for memory.
	longestBeginning = 1 << 10
	// One in so many statements that a full set does not know takes another one's place: what is not used any
	// more goes in the end, and what never comes twice makes no work.
	renewal = 512
)

// find returns how q begins, nil if that is not known.
func (b *beginnings) find(q string) *beginning {
	sets := b.sets.Load()
	if sets == nil || len(q) < toldApart {
		return nil
	}
	set := &sets[setOf(q)]
	for i := range set {
		known := set[i].Load()
		if known == nil || strings.HasPrefix(q, known.text) {
			return known
		}
	}
	return nil
}

// setOf hashes some of the first bytes of q: behind the verb, and where columns and tables differ.
func setOf(q string) uint64 {
	const odd = 0x9e3779b97f4a7c15
	return ((eight(q[8:16])*odd>>31^eight(q[20:28]))*odd>>31 ^ eight(q[32:40])) * odd >> (64 - setBits)
}

// learn remembers how q begins, which find does not know.
func (b *beginnings) learn(q string, lang *language, words *words) {
	if len(q) < toldApart || q[0]|0x20 != 's' {
		return
	}
	sets := b.sets.Load()
	if sets == nil {
		b.sets.CompareAndSwap(nil, new([beginningSets]beginningSet))
		sets = b.sets.Load()
	}
	set := &sets[setOf(q)]
	last := len(set) - 1
	place := 0
	for place <= last && set[place].Load() != nil {
		place++
	}
	if place > last {
		if place = last; rand.Uint32()%renewal == 0 {
			place = rand.IntN(last)
		} else {
			q = q[:common(q, set[last].Load().text)]
		}
	}
	if known := beginningOf(q, lang, words); known != nil {
		set[place].Store(known)
	}
}

// common returns how many bytes a and b begin with alike.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// beginningOf returns the beginning of q, nil if it has none worth keeping.
func beginningOf(q string, lang *language, words *words) *beginning {
	const verb = len("SELECT")
	if len(q) < toldApart {
		return nil // perhaps all that two statements have in common
	}
	if firstVerb(q) != selectWord {
		return nil
	}
	s := scanner{q: q, lang: lang, words: words, mark: verb}
	cut := lastBlank(q[:min(s.plain(verb), longestBeginning)], verb, lang)
	if cut < toldApart || strings.IndexByte(q[:cut], 0) >= 0 { // a NUL makes a Write of all
		return nil
	}
	// What is behind must not count: blanks say nothing, and are enough for whoever looks eight bytes ahead.
	s = scanner{q: q[:cut] + "        ", lang: lang, words: words, mark: verb}
	if s.plain(verb) != len(s.q) {
		return nil
	}
	return &beginning{text: s.q[:cut], depth: s.depth, mark: s.mark}
}

// lastBlank returns the end of the last space in q before the first number, and outside of names. Nothing that
// ends there depends on what follows.
func lastBlank(q string, from int, lang *language) int {
	cut := 0
	for i := from; i < len(q); i++ {
		switch lang.class[q[i]] {
		case name:
			n := strings.IndexByte(q[i+1:], q[i])
			if n < 0 {
				return cut
			}
			i += n + 1
		case letter:
			for i+1 < len(q) && lang.class[q[i+1]] <= dollar {
				i++
			}
		case digit:
			return cut
		case blank:
			if q[i] == ' ' {
				cut = i + 1
			}
		}
	}
	return cut
}
