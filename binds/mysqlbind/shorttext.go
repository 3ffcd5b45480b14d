package mysqlbind

import (
	"cmp"
	"slices"
	"strings"
)

// shortText is how long a position's text may be without anything left out. A token of three binds with such
// positions fits into a cookie.
const shortText = 900 // bytes

// short writes a long set: the latest intervals of the origins that are likeliest to grow, as they are, and digests in
// place of the rest, which a server covers only if it has exactly that. Where the rest does grow, text and server no
// longer agree: whoever asks goes to the writer, needlessly but rightly.
func (p *mysqlPosition) short() string {
	room := shortText - len(mysqlPrefix) - len(restMark) - maxDigest
	var kept gtidSet
	rest := p.total()
	for _, o := range p.likeliest() {
		whole := hashOrigin(o.name, o.intervals)
		size := len(o.appendTo(nil)) + 1
		if size > room {
			o = o.shortened(room - 1)
			if size = len(o.appendTo(nil)) + 1; len(o.intervals) == 0 {
				continue
			}
		}
		kept, room = append(kept, o), room-size
		rest.n, rest.sum = rest.n-1, rest.sum-whole
	}
	slices.SortFunc(kept, func(a, b origin) int { return cmp.Compare(a.name, b.name) })
	return string(rest.appendRest(kept.appendTo([]byte(mysqlPrefix))))
}

// maxDigest is the length of the longest digest.
const maxDigest = 20 + 1 + 16

// appendRest appends a set's digest, nothing if none of it is left out.
func (d digest) appendRest(b []byte) []byte {
	if d.n == 0 {
		return b
	}
	return d.appendTo(append(b, restMark...))
}

// likeliest returns the origins, those first that are likeliest to grow: the server's own, those with transactions on
// their way, and then those with the highest numbers.
func (p *mysqlPosition) likeliest() []origin {
	rank := func(o *origin) int {
		_, owned := p.owned.find(o.name)
		switch {
		case p.own != "" && strings.HasPrefix(o.name, p.own):
			return 0
		case owned:
			return 1
		}
		return 2
	}
	list := slices.Clone(p.shown)
	slices.SortStableFunc(list, func(a, b origin) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(b.last(), a.last()))
	})
	return list
}

func (o *origin) last() uint64 { return o.intervals[len(o.intervals)-1].last }

// shortened returns the origin with its latest intervals and a digest of the others, in so many bytes. It has no
// interval if none fits.
func (o *origin) shortened(room int) origin {
	room -= len(o.name) + len(":") + 1 + maxDigest
	first := len(o.intervals)
	for first > 1 {
		if room -= len(appendIntervals(nil, o.intervals[first-1:first])); room < 0 {
			break
		}
		first--
	}
	if first == len(o.intervals) {
		return origin{name: o.name}
	}
	return origin{name: o.name, old: o.upTo(o.intervals[first-1].last), intervals: o.intervals[first:]}
}

// total returns the digest of all origins.
func (p *mysqlPosition) total() digest {
	if p.sums.n != uint64(len(p.shown)) {
		return digestOf(p.shown)
	}
	return p.sums
}

// restBeside returns the digest of what is shown beside the origins of named; zero if that is not known.
func (p *mysqlPosition) restBeside(named gtidSet) digest {
	if !p.rest.isZero() {
		if !slices.EqualFunc(p.shown, named, func(a, b origin) bool { return a.name == b.name }) {
			return digest{}
		}
		return p.rest
	}
	if p.isShort() {
		return digest{}
	}
	d := p.total()
	for i := range named {
		if o, ok := p.shown.find(named[i].name); ok {
			d.n, d.sum = d.n-1, d.sum-hashOrigin(o.name, o.intervals)
		}
	}
	return d
}
