package sqlkind

// action is what to do about a word.
type action uint8

const (
	none     action = iota
	calls           // a function: a write when called
	always          // a write wherever it stands, but for a name after a dot
	forLock         // FOR: a lock, if UPDATE or the like follows
	list            // WITH
	into            // SELECT … INTO
	insert          // INSERT
	update          // UPDATE
	remove          // DELETE
	merge           // MERGE
	lockIn          // MySQL: LOCK IN SHARE MODE
	valueFor        // MySQL: NEXT VALUE FOR
	sequence        // MySQL: s.NEXTVAL where it is a pseudo-column
	module          // SQLite: a table that acts when it is read
)

// words finds what is to be done about a word. Most words are dismissed by a filter.
type words struct {
	keywords  filter // what counts wherever it stands
	functions filter // what counts before a parenthesis
	odd       uint64 // bit n: a quoted name of n-1 bytes may count without one
	table     []word // open addressing, a power of two in size
	globs     []glob
}

// filter knows which lengths words have that begin, and that end, with a byte.
type filter struct {
	first, last [256]uint64 // bit n: n bytes
}

// admits tells whether a word of size bytes may be one of those it was made for.
func (f *filter) admits(first, last byte, size int) bool {
	return uint(size) >= longest || f.first[first]&f.last[last]>>uint(size)&1 != 0
}

type word struct {
	text string // in lower case
	action
}

// longest is a length that every filter admits, and so every greater one.
const longest = 63

func newWords(keywords map[string]action, groups []functions) words {
	all := make(map[string]action, len(keywords))
	var globs []glob
	for text, a := range keywords {
		all[text] = a
	}
	for _, group := range groups {
		for _, text := range group.names {
			g, err := parseGlob(text)
			switch {
			case err != nil:
				panic(err)
			case g.plain():
				all[g.name] = calls
			default:
				globs = append(globs, g)
			}
		}
	}
	size := 4
	for size < 4*len(all) {
		size *= 2
	}
	w := words{table: make([]word, size)}
	for text, a := range all {
		if w.find(text) == none {
			w.insert(text, a)
		}
		switch a {
		case calls:
			w.functions.add(text)
		case module, sequence:
			w.functions.add(text)
			w.odd |= 1 << (len(text) + 1)
			fallthrough
		default:
			w.keywords.add(text)
		}
	}
	return w.with(globs)
}

// with returns a copy that knows globs too.
func (w words) with(globs []glob) words {
	w.globs = append(w.globs[:len(w.globs):len(w.globs)], globs...)
	for _, g := range globs {
		w.functions.add(g.name)
	}
	return w
}

// add admits the words that a glob in lower case matches.
func (f *filter) add(pattern string) {
	size, open := 0, false
	for i := range len(pattern) {
		if pattern[i] == '*' {
			open = true
		} else {
			size++
		}
	}
	bits := uint64(1) << min(size, longest)
	if open {
		bits = ^uint64(0) << min(size, longest)
	}
	allow(&f.first, pattern[0], bits)
	allow(&f.last, pattern[len(pattern)-1], bits)
}

// allow sets bits for c, in both cases, or for every byte if c is a wildcard.
func allow(sizes *[256]uint64, c byte, bits uint64) {
	if c != '*' && c != '?' {
		sizes[c] |= bits
		sizes[upper(c)] |= bits
		return
	}
	for i := range sizes {
		sizes[i] |= bits
	}
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// find returns what is to be done about text, in any case. A glob is not looked at.
func (w *words) find(text string) action {
	mask := uint32(len(w.table) - 1)
	for at := hashOf(text) & mask; w.table[at].action != none; at = (at + 1) & mask {
		if equalFold(text, w.table[at].text) {
			return w.table[at].action
		}
	}
	return none
}

func (w *words) insert(text string, a action) {
	mask := uint32(len(w.table) - 1)
	at := hashOf(text) & mask
	for w.table[at].action != none {
		at = (at + 1) & mask
	}
	w.table[at] = word{text, a}
}

func hashOf(text string) uint32 {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i]|0x20)) * 16777619
	}
	return h ^ h>>15
}

// equalFold tells whether text, in any case, is want, which is in lower case.
func equalFold(text, want string) bool {
	if len(text) != len(want) {
		return false
	}
	for i := range len(text) {
		if lower(text[i]) != want[i] {
			return false
		}
	}
	return true
}
