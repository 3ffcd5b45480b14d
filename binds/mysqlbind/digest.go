package mysqlbind

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A digest stands for a part of a set that a short text leaves out. Two are equal only if what they stand for is.
type digest struct {
	n   uint64 // of an origin: the number up to which its intervals are left out; of a set: how many origins are
	sum uint64 // a hash of what is left out
}

const (
	oldMark  = '.' // before an origin's digest
	restMark = "/" // before a set's
)

func (d digest) isZero() bool { return d == digest{} }

// appendTo writes the digest, as "17.00f3a8…".
func (d digest) appendTo(b []byte) []byte {
	return fmt.Appendf(strconv.AppendUint(b, d.n, 10), ".%016x", d.sum)
}

// parseDigest reads what appendTo wrote.
func parseDigest(text string) (digest, bool) {
	number, sum, _ := strings.Cut(text, ".")
	n, errNumber := strconv.ParseUint(number, 10, 64)
	s, errSum := strconv.ParseUint(sum, 16, 64)
	d := digest{n: n, sum: s}
	return d, errNumber == nil && errSum == nil && n > 0 && string(d.appendTo(nil)) == text
}

// upTo returns the digest of the origin's intervals as far as end; zero if those are not known.
func (o *origin) upTo(end uint64) digest {
	switch {
	case o.old.n == end:
		return o.old
	case !o.old.isZero():
		return digest{}
	}
	var part []interval
	for _, v := range o.intervals {
		if v.first > end {
			break
		}
		part = append(part, interval{v.first, min(v.last, end)})
	}
	return digest{n: end, sum: hashOrigin(o.name, part)}
}

func hashOrigin(name string, list []interval) uint64 {
	sum := sha256.Sum256(appendIntervals([]byte(name), list))
	return binary.BigEndian.Uint64(sum[:])
}

// digestOf returns the digest of whole origins: how many, and the sum of their hashes, from which that of some can
// be taken away.
func digestOf(set gtidSet) digest {
	d := digest{n: uint64(len(set))}
	for i := range set {
		d.sum += hashOrigin(set[i].name, set[i].intervals)
	}
	return d
}
