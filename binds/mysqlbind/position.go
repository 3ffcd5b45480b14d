package mysqlbind

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/bindery-go/bindery/binds"
)

// longestPosition bounds the text that ParsePosition reads.
const longestPosition = 4096 // bytes; a cookie holds no more

// ParsePosition reads what a position's String wrote, and nothing else, up to 4096 bytes. The text says
// whether it is MariaDB's or MySQL's.
func (Driver) ParsePosition(text string) (binds.Position, error) {
	if len(text) > longestPosition {
		return nil, errLongPosition
	}
	product, rest, _ := strings.Cut(text, "/")
	var p binds.Position
	var err error
	switch product {
	case "mariadb":
		server, list, _ := strings.Cut(rest, "/")
		p, err = parseMariaDB(server, list)
	case "mysql":
		p, err = parseMySQL(rest)
	default:
		return nil, errPosition
	}
	if err != nil || p.String() != text {
		return nil, errPosition
	}
	return p, nil
}

var (
	errPosition     = errors.New(`mysqlbind: a position has the form "mariadb/1/0-1-22,5-2-7" or "mysql/" and a sorted set of GTIDs`)
	errLongPosition = errors.New("mysqlbind: the text is too long for a position: more than 4096 bytes")
)

// A gtid is the last transaction of a domain: the server that wrote it and its number.
type gtid struct {
	domain, server uint32
	seq            uint64
}

// A mariaPosition is how far each replication domain has come.
//
// A number says which transaction it is only together with the server that gave it: two servers that were
// primaries after another may both have given it. So a domain is known to hold a transaction if it has
// come to that very one, or if its last is a later one of the same server, or of the server that
// was the primary when the other position was taken; gtid_strict_mode has each server count up from
// what it holds.
type mariaPosition struct {
	primary uint32 // the server asked, if it was a primary; else 0
	last    []gtid // sorted by domain, one for each
}

var _ binds.Position = (*mariaPosition)(nil)

// Covers reports whether every domain of w has come as far here. A primary covers its own positions
// only: its binary log is ahead of what its readers see, by as long as a commit takes.
func (p *mariaPosition) Covers(w binds.Position) bool {
	other, ok := w.(*mariaPosition)
	if !ok || p.primary != 0 && p.primary != other.primary {
		return false
	}
	for _, want := range other.last {
		have, ok := p.in(want.domain)
		if !ok || !p.follows(have, want, other.primary) {
			return false
		}
	}
	return true
}

func (p *mariaPosition) follows(have, want gtid, primary uint32) bool {
	if have.seq == want.seq {
		return have.server == want.server
	}
	return have.seq > want.seq && (have.server == want.server || have.server == primary || p.primary != 0)
}

// Exceeds reports whether a domain of w has come further here, or to the same number by another server.
// A domain that w does not have is no matter: a replica may have several primaries.
func (p *mariaPosition) Exceeds(w binds.Position) bool {
	other, ok := w.(*mariaPosition)
	if !ok {
		return false
	}
	for _, known := range other.last {
		have, ok := p.in(known.domain)
		if ok && (have.seq > known.seq || have.seq == known.seq && have.server != known.server) {
			return true
		}
	}
	return false
}

func (p *mariaPosition) in(domain uint32) (gtid, bool) {
	i, ok := slices.BinarySearchFunc(p.last, domain, func(g gtid, d uint32) int { return cmp.Compare(g.domain, d) })
	if !ok {
		return gtid{}, false
	}
	return p.last[i], true
}

// String returns "mariadb/", the primary asked or 0, "/", and the GTIDs as the server writes them.
func (p *mariaPosition) String() string {
	b := append([]byte("mariadb/"), strconv.FormatUint(uint64(p.primary), 10)...)
	separator := byte('/')
	for _, g := range p.last {
		b = strconv.AppendUint(append(b, separator), uint64(g.domain), 10)
		b = strconv.AppendUint(append(b, '-'), uint64(g.server), 10)
		b = strconv.AppendUint(append(b, '-'), g.seq, 10)
		separator = ','
	}
	return string(b)
}

// parseMariaDB reads the number of the primary asked, and a list of GTIDs as the server writes it.
func parseMariaDB(primary, list string) (*mariaPosition, error) {
	n, err := strconv.ParseUint(primary, 10, 32)
	if err != nil {
		return nil, errPosition
	}
	p := &mariaPosition{primary: uint32(n)}
	if list == "" {
		return p, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		g, ok := parseGTID(text)
		if !ok {
			return nil, errPosition
		}
		p.last = append(p.last, g)
	}
	slices.SortFunc(p.last, func(a, b gtid) int { return cmp.Compare(a.domain, b.domain) })
	for i := range p.last[1:] {
		if p.last[i].domain == p.last[i+1].domain {
			return nil, errPosition
		}
	}
	return p, nil
}

func parseGTID(text string) (gtid, bool) {
	domain, rest, _ := strings.Cut(text, "-")
	server, seq, _ := strings.Cut(rest, "-")
	d, errDomain := strconv.ParseUint(domain, 10, 32)
	s, errServer := strconv.ParseUint(server, 10, 32)
	n, errSeq := strconv.ParseUint(seq, 10, 64)
	return gtid{domain: uint32(d), server: uint32(s), seq: n}, errDomain == nil && errServer == nil && errSeq == nil
}
