package sqlkind

// action is what to do about a word.
type action uint8

const (
	none     action = iota
	calls           // a function: a write when called
	always          // a write wherever it stands, but for a name after a dot
	forLock         // FOR: a lock, if UPDATE or the like follows
	into            // SELECT … INTO
	insert          // INSERT
	update          // UPDATE
	remove          // DELETE
	merge           // MERGE
	lockIn          // MySQL: LOCK IN SHARE MODE
	valueFor        // MySQL: NEXT VALUE FOR
	sequence        // MySQL: s.NEXTVAL where it is a pseudo-column
	prefix          // PostgreSQL: E'…', U&'…', U&"…"
	cycle           // SEARCH or CYCLE after a recursive CTE
	module          // SQLite: a table that acts when it is read
)

// words finds what is to be done about a word. A word whose length does not fit its first and last
// byte is dismissed by [words.candidate] with two loads; only the others are looked up.
type words struct {
	first, last [256]uint64 // bit n: a word of n bytes may begin, end so
	table       []word      // open addressing, a power of two in size
	globs       []glob
}

type word struct {
	text string // in lower case
	action
}

// longest is the bit for words of that length and more.
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
		w.admit(text[0], text[len(text)-1], len(text))
	}
	return w.with(globs)
}

// with returns a copy that knows globs too.
func (w words) with(globs []glob) words {
	w.globs = append(w.globs[:len(w.globs):len(w.globs)], globs...)
	for _, g := range globs {
		w.admitGlob(g.name)
	}
	return w
}

func (w *words) admit(first, last byte, size int) {
	bit := uint64(1) << min(size, longest)
	for _, c := range [...]byte{first, upper(first)} {
		w.first[c] |= bit
	}
	for _, c := range [...]byte{last, upper(last)} {
		w.last[c] |= bit
	}
}

func (w *words) admitGlob(pattern string) {
	atLeast, open := 0, false
	for i := range len(pattern) {
		if pattern[i] == '*' {
			open = true
		} else {
			atLeast++
		}
	}
	bits := uint64(1) << min(atLeast, longest)
	if open {
		bits = ^uint64(0) << min(atLeast, longest)
	}
	allow(&w.first, pattern[0], bits)
	allow(&w.last, pattern[len(pattern)-1], bits)
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

// candidate tells whether q[i:end] may be a word that find knows or a glob matches.
func (w *words) candidate(q string, i, end int) bool {
	return w.first[q[i]]&w.last[q[end-1]]>>(min(uint(end-i), longest))&1 != 0
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
