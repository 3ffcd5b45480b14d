package mysqlbind

import (
	"strings"

	"github.com/bindery-go/bindery/binds"
)

// A mysqlPosition is what a MySQL server shows: the transactions that it has committed.
type mysqlPosition struct {
	shown gtidSet
	rest  digest // what shown leaves out; only in a position that was read from a short text
	// owned are transactions that have a GTID and are not shown yet. A replica may show them already: they are sent
	// before they are committed. They were asked for before shown was, so that none is in neither.
	owned gtidSet
	own   string // the UUID under which the server itself writes, outside a group; "" if not known
	sums  digest // of all that is shown, if it has been made
}

var (
	_ binds.Position  = (*mysqlPosition)(nil)
	_ binds.Overtaker = (*mysqlPosition)(nil)
)

// Covers reports whether all of w is shown here. Of a w that was read from a short text it may report false though
// it is, never true though it is not.
func (p *mysqlPosition) Covers(w binds.Position) bool {
	other, ok := w.(*mysqlPosition)
	if !ok {
		return false
	}
	for i := range other.shown {
		if !p.coversOrigin(&other.shown[i]) {
			return false
		}
	}
	return other.rest.isZero() || p.restBeside(other.shown) == other.rest
}

func (p *mysqlPosition) coversOrigin(o *origin) bool {
	have, ok := p.shown.find(o.name)
	if !ok {
		return false
	}
	if !o.old.isZero() && have.upTo(o.old.n) != o.old {
		return false
	}
	return contains(have.intervals, o.intervals)
}

// Exceeds reports whether p shows more than w has of an origin that w has, w's owned transactions included. An origin
// that w does not have is no matter: a replica may have several primaries, and writes of its own that touch no data.
func (p *mysqlPosition) Exceeds(w binds.Position) bool {
	other, ok := w.(*mysqlPosition)
	if !ok || p.isShort() || other.isShort() {
		return false
	}
	for i := range other.shown {
		name := other.shown[i].name
		have := p.shown.of(name)
		if contains(other.shown[i].intervals, have) {
			continue
		}
		known := append(append([]interval(nil), other.shown[i].intervals...), other.owned.of(name)...)
		if !contains(merge(known), have) {
			return true
		}
	}
	return false
}

// Parted reports whether p shows transactions that w's server has numbered under its own UUID and does not know: it had
// not shown them yet, it would own them. So it has lost them, and may give their numbers to others. Of a group's name that
// cannot be told: a member may commit what is agreed before the member that wrote it does, and nothing tells of that.
func (p *mysqlPosition) Parted(w binds.Position) bool {
	other, ok := w.(*mysqlPosition)
	if !ok || other.own == "" || p.isShort() || other.isShort() {
		return false
	}
	for i := range p.shown {
		name := p.shown[i].name
		if name != other.own && !strings.HasPrefix(name, other.own+":") {
			continue
		}
		known := append(append([]interval(nil), other.shown.of(name)...), other.owned.of(name)...)
		if len(known) == 0 || !contains(merge(known), p.shown[i].intervals) {
			return true
		}
	}
	return false
}

// withOwned returns the position of a server that has committed what p's is about to.
func (p *mysqlPosition) withOwned() *mysqlPosition {
	q := &mysqlPosition{shown: p.shown.with(p.owned), own: p.own}
	if !p.sums.isZero() {
		q.sums = digestOf(q.shown)
	}
	return q
}

// isShort reports whether something was left out of p.
func (p *mysqlPosition) isShort() bool {
	if !p.rest.isZero() {
		return true
	}
	for i := range p.shown {
		if !p.shown[i].old.isZero() {
			return true
		}
	}
	return false
}

// String returns "mysql/" and the set, as "uuid:1-5:7,uuid:tag:1-3", or, where that is long, a short form of it.
func (p *mysqlPosition) String() string {
	b := p.shown.appendTo([]byte(mysqlPrefix))
	if len(b) <= shortText || p.isShort() {
		return string(p.rest.appendRest(b))
	}
	return p.short()
}

const mysqlPrefix = "mysql/"

// readMySQL reads what a server answers.
func readMySQL(own, owned, executed string) (*mysqlPosition, error) {
	shown, err := parseSet(executed)
	p := &mysqlPosition{shown: shown, owned: parseOwned(owned), own: strings.ToLower(own)}
	if len(executed) > shortText { // only a long set has a short text, and is compared with those of others like it
		p.sums = digestOf(shown)
	}
	return p, err
}

// parseMySQL reads what String wrote after "mysql/".
func parseMySQL(text string) (*mysqlPosition, error) {
	list, rest, isShort := strings.Cut(text, restMark)
	p := new(mysqlPosition)
	var ok bool
	if isShort {
		if p.rest, ok = parseDigest(rest); !ok {
			return nil, errSet
		}
	}
	var err error
	p.shown, err = parseSet(list)
	return p, err
}
