package router

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/bindery-go/bindery/internal/nearest"
)

// A Policy chooses the reader that serves a read.
//
// Pick gets at least one reader, all of them fit to serve. It must be safe for concurrent use, and
// must neither keep nor modify the slice. It runs for every read: it should not allocate or lock.
type Policy interface {
	Pick(readers []*Reader) *Reader
}

// LeastLoaded compares two readers chosen at random and takes the one with fewer reads in flight
// for its weight, each counted by the latency of late where that differs much ("the power of two
// choices": Mitzenmacher, 2001). A slow reader gets few reads, and no herd runs to the fastest. It is
// the default.
type LeastLoaded struct{}

// Pick returns the less loaded of two random readers.
func (LeastLoaded) Pick(readers []*Reader) *Reader {
	if len(readers) == 1 {
		return readers[0]
	}
	return lessLoaded(readers, rand.Uint64())
}

// lessLoaded returns the less loaded of the two readers, out of two or more, that the random bits choose.
//
// Now and then it returns the other one, for its latency to be measured again: when the monitor has
// found that it answers much faster than before, and else by one read in 2048, should the reads alone
// have been slow. That is rare enough for a reader which stays slow not to show in the 99th percentile,
// where onset and the users' own slow reads need room too.
func lessLoaded(readers []*Reader, bits uint64) *Reader {
	n := uint32(len(readers))
	i := uint32(uint64(uint32(bits)) * uint64(n) >> 32)
	j := i + 1 + uint32(bits>>32&(1<<24-1)*uint64(n-1)>>24) // one of the others, in a circle
	if j >= n {
		j -= n
	}
	a, b := readers[i], readers[j]
	if b.lighter(a) {
		a, b = b, a
	}
	// A reader is in two of n pairs. The lowest bits have no part in choosing these.
	if (uint32(bits)&4095 < n || b.mending()) && b.try() {
		return b
	}
	return a
}

// RoundRobin takes the readers in turn. The zero value is ready; each bind needs its own.
type RoundRobin struct{ next atomic.Uint32 }

// Pick returns the next reader.
func (p *RoundRobin) Pick(readers []*Reader) *Reader {
	return readers[(p.next.Add(1)-1)%uint32(len(readers))]
}

// Random takes any reader, each equally often.
type Random struct{}

// Pick returns a random reader.
func (Random) Pick(readers []*Reader) *Reader {
	return readers[rand.IntN(len(readers))]
}

// Weighted takes readers at random in proportion to their weights, whatever their load.
type Weighted struct{}

// Pick returns a random reader, the heavier the likelier.
func (Weighted) Pick(readers []*Reader) *Reader {
	total := 0
	for _, r := range readers {
		total += r.weight
	}
	n := rand.IntN(total)
	for _, r := range readers {
		if n -= r.weight; n < 0 {
			return r
		}
	}
	return readers[len(readers)-1]
}

// PolicyNames are the names that [NewPolicy] takes.
var policyNames = []string{"least_loaded", "round_robin", "random", "weighted"}

// NewPolicy returns a new policy by its configured name: least_loaded, round_robin, random or
// weighted. The empty name is least_loaded.
func NewPolicy(name string) (Policy, error) {
	switch name {
	case "", "least_loaded":
		return LeastLoaded{}, nil
	case "round_robin":
		return new(RoundRobin), nil
	case "random":
		return Random{}, nil
	case "weighted":
		return Weighted{}, nil
	}
	return nil, fmt.Errorf("unknown policy %q%s (have least_loaded, round_robin, random, weighted)", name, nearest.Hint(name, policyNames))
}

// UsesWeights reports whether the policy called name honours the weights of readers.
func UsesWeights(name string) bool {
	return slices.Contains([]string{"", "least_loaded", "weighted"}, name)
}
