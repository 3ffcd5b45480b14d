package sqlkind

import "strings"

// action is what to do about a word.
type action uint8

const (
	none     action = iota
	calls           // a function: a write when called
	asks            // a function: when called, it tells about the server that runs it
	local           // a relation that tells about the server that it is read on, wherever its name stands
	free            // neither, though a glob says so
	position        // PostgreSQL: a column of a sequence, if it is named alone
	schema          // a schema of the server's or an extension's: what is in it counts
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

// words finds what is to be done about a word. Most words are dismissed by a filter, most others by how they begin.
type words struct {
	keywords   names       // what counts wherever it stands
	quoted     names       // what counts in quotes without a parenthesis
	odd        uint64      // bit n: such a name may have n bytes
	begins     *beginBytes // of keywords and quoted
	functions  names       // what counts before a parenthesis
	attributes bool        // PostgreSQL: value.name is a call of the function name
	table      []word      // open addressing, a power of two in size
	globs      []glob      // functions that write
	owned      []glob      // such that count in their schema alone
	relations  []glob      // what tells about the server
}

// names knows which lengths words have that begin with two bytes, and that end with one. Some pairs share a place.
type names struct {
	heads [512]uint64 // bit n: n bytes
	last  [256]uint64
}

// pairOf is the place of two bytes, in any case.
func pairOf(a, b byte) uint { return (uint(a)<<4 ^ uint(b)&31) & 511 }

// admits tells whether a word of size bytes may be one of those it was made for. A word of one byte has any second one.
func (n *names) admits(first, second, last byte, size uint) bool {
	return n.heads[pairOf(first, second)]&n.last[last]>>size&1 != 0
}

// beginBytes knows which lengths words have that begin with the same four bytes.
type beginBytes struct {
	sizes [2048]uint64 // bit n: n bytes
	short bool         // a name has less than four
}

// admit tells whether the word of size bytes at from in q may be one of those it was made for. At the end of q it need
// not know keywords, which something must follow.
func (b *beginBytes) admit(q string, from, size uint) bool {
	if from+4 > uint(len(q)) {
		return b.short
	}
	return b.sizes[place(four(q[from:from+4]), size)]>>size&1 != 0
}

// quotedMay tells whether the quoted name q[from:to] may count without a parenthesis.
func (w *words) quotedMay(q string, from, to int) bool {
	size := uint(to - from)
	return w.odd>>size&1 != 0 && w.quoted.admits(q[from], q[from+1], q[to-1], size) && w.begins.admit(q, uint(from), size)
}

// four are the first four bytes of q, which has them: one load.
func four(q string) uint32 {
	return uint32(q[0]) | uint32(q[1])<<8 | uint32(q[2])<<16 | uint32(q[3])<<24
}

// place hashes the first four bytes, in any case, of a word of size bytes, or all of a shorter one.
func place(begin uint32, size uint) uint32 {
	begin = (begin | 0x20202020) << (8 * (4 - min(size, 4)))
	return begin * 0x9e3779b1 >> 21
}

type word struct {
	text string // in lower case
	action
}

// longest is a length that every filter admits, and so every greater one.
const longest = 63

// newWords returns what the words of the keywords and the lists do. Where attributes says so, value.name is a call.
func newWords(attributes bool, keywords map[string]action, lists ...[]functions) words {
	w := words{attributes: attributes, begins: new(beginBytes)}
	all := make(map[string]action, len(keywords))
	for text, a := range keywords {
		all[text] = a
	}
	for _, list := range lists {
		for _, group := range list {
			for _, text := range group.names {
				g, err := parseGlob(text)
				if err != nil {
					panic(err)
				}
				a := max(group.action, calls)
				switch {
				case g.schema != "":
					w.owned = append(w.owned, g)
					all[g.schema] = schema
				case g.plain():
					all[g.name] = a
				case a == local:
					w.relations = append(w.relations, g)
					w.admit(g.name, local)
				default:
					w.globs = append(w.globs, g)
					w.admit(g.name, calls)
				}
			}
		}
	}
	size := 4
	for size < 4*len(all) {
		size *= 2
	}
	w.table = make([]word, size)
	for text, a := range all {
		w.insert(text, a)
		w.admit(text, a)
	}
	return w
}

// admit has the filters admit the name or glob text, which does a.
func (w *words) admit(text string, a action) {
	switch a {
	case free:
		return
	case calls, asks:
		w.functions.add(text)
		if !w.attributes {
			return
		}
	case module, sequence:
		w.functions.add(text)
	case local, position, schema:
	default:
		w.begins.add(text)
		w.keywords.add(text)
		return
	}
	w.begins.add(text)
	w.keywords.add(text)
	w.quoted.add(text)
	w.odd |= lengths(text)
}

// with returns a copy that knows the user's globs too.
func (w *words) with(globs []glob) *words {
	own := new(words)
	*own = *w
	own.globs = w.globs[:len(w.globs):len(w.globs)]
	if w.attributes {
		own.begins = new(beginBytes)
		*own.begins = *w.begins
	}
	for _, g := range globs {
		g.users = true
		own.globs = append(own.globs, g)
		if g.wild {
			own.functions.add(g.name)
			continue
		}
		own.admit(g.name, calls)
		own.begins.short = own.begins.short || w.attributes && len(g.name) < 4
	}
	return own
}

// add admits the name, or what the glob matches, which begins with no wildcard in its first four bytes.
func (b *beginBytes) add(pattern string) {
	b.sizes[place(four(pattern+"    "), uint(len(pattern)))] |= lengths(pattern)
}

// add admits the words that a glob in lower case matches.
func (n *names) add(pattern string) {
	bits := lengths(pattern)
	if last := pattern[len(pattern)-1]; last == '*' || last == '?' {
		fill(n.last[:], bits)
	} else {
		n.last[last] |= bits
		n.last[upper(last)] |= bits
	}
	if len(pattern) == 1 || strings.ContainsAny(pattern[:2], "*?") {
		fill(n.heads[:], bits)
	} else {
		n.heads[pairOf(pattern[0], pattern[1])] |= bits
	}
}

func fill(sizes []uint64, bits uint64) {
	for i := range sizes {
		sizes[i] |= bits
	}
}

// lengths has the bits for as many bytes as what a glob matches may have.
func lengths(pattern string) uint64 {
	stars := strings.Count(pattern, "*")
	size := min(len(pattern)-stars, longest)
	if stars > 0 {
		return ^uint64(0) << size
	}
	return 1 << size
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

// tells says whether a glob of relations that tell about their server matches text.
func (w *words) tells(text string) bool {
	for _, g := range w.relations {
		if globMatch(g.name, text) {
			return true
		}
	}
	return false
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
