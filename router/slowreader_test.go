package router

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// seeded is [LeastLoaded] with chances that are the same in every run.
type seeded struct{ random *rand.Rand }

func (p seeded) Pick(readers []*Reader) *Reader { return lessLoaded(readers, p.random.Uint64()) }

// An arrival is a read that came at some moment and went to some reader.
type arrival struct {
	at, took time.Duration
	reader   int
}

// arrive lets reads come at random moments, perSecond on average, whatever has become of those before,
// while the monitor asks each reader four times a second. It is one goroutine, whatever is on its way: the
// race detector does not bear some hundred thousand of them. Must run in a bubble.
func arrive(n int, perSecond float64, d time.Duration, latency func(reader int, at time.Duration) time.Duration) []arrival {
	random := rand.New(rand.NewPCG(4, uint64(n)))
	policy := seeded{rand.New(rand.NewPCG(uint64(n), 4))}
	var readers []*Reader
	for range n {
		readers = append(readers, &Reader{weight: 1, started: time.Now()})
	}
	var arrivals []arrival
	var due agenda
	start := time.Now()
	due.add(0, nil)
	for i, reader := range readers {
		for at := 250 * time.Millisecond; at < d; at += 250 * time.Millisecond {
			due.add(at, func() { reader.probed(latency(i, at)) })
		}
	}
	for {
		at, do := due.next()
		if at > d {
			return arrivals
		}
		time.Sleep(at - time.Since(start))
		if do != nil {
			do()
			continue
		}
		reader := policy.Pick(readers)
		i := slices.Index(readers, reader)
		took := latency(i, at)
		arrivals = append(arrivals, arrival{at, took, i})
		began := reader.begin()
		due.add(at+took, func() { reader.end(began) })
		due.add(at+time.Duration(random.ExpFloat64()/perSecond*float64(time.Second)), nil)
	}
}

// An agenda is what is to be done at which moment; nil is a read that comes.
type agenda struct {
	moments []time.Duration // a heap, see package container/heap
	todo    []func()
}

func (a *agenda) Len() int           { return len(a.moments) }
func (a *agenda) Less(i, j int) bool { return a.moments[i] < a.moments[j] }
func (a *agenda) Push(any)           {} // add has done it

func (a *agenda) Swap(i, j int) {
	a.moments[i], a.moments[j] = a.moments[j], a.moments[i]
	a.todo[i], a.todo[j] = a.todo[j], a.todo[i]
}

func (a *agenda) Pop() any {
	last := len(a.moments) - 1
	a.moments, a.todo = a.moments[:last], a.todo[:last]
	return nil
}

func (a *agenda) add(at time.Duration, do func()) {
	a.moments, a.todo = append(a.moments, at), append(a.todo, do)
	heap.Push(a, nil)
}

// next takes the earliest off.
func (a *agenda) next() (at time.Duration, do func()) {
	at, do = a.moments[0], a.todo[0]
	heap.Pop(a)
	return at, do
}

// TestASlowReaderGetsFewReads adds 50 ms to a reader's answers for a while: it must not show in the 99th
// percentile, and must have its share back soon after.
func TestASlowReaderGetsFewReads(t *testing.T) {
	const (
		slow  = 10 * time.Second // it is so until well
		well  = 30 * time.Second
		again = well + time.Second
		end   = again + 20*time.Second
	)
	for _, n := range []int{2, 3, 5} {
		for _, perSecond := range []float64{100, 600, 3000} {
			t.Run(fmt.Sprintf("%d readers, %.0f reads a second", n, perSecond), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					jitter := rand.New(rand.NewPCG(1, 1))
					arrivals := arrive(n, perSecond, end, func(reader int, at time.Duration) time.Duration {
						d := 300*time.Microsecond + time.Duration(jitter.ExpFloat64()*float64(100*time.Microsecond))
						if reader == 0 && at >= slow && at < well {
							d += 50 * time.Millisecond
						}
						return d
					})
					share := func(from, to time.Duration) float64 {
						all, first := 0, 0
						for _, a := range arrivals {
							if a.at < from || a.at >= to {
								continue
							}
							if all++; a.reader == 0 {
								first++
							}
						}
						return float64(first) / float64(all)
					}
					assert.InDelta(t, 1/float64(n), share(0, slow), 0.1, "before")
					assert.Less(t, share(slow, well), 0.005, "while it is slow")
					assert.Less(t, share(slow, slow+time.Second), max(0.01, 7/perSecond), "until that is found out")
					assert.InDelta(t, 1/float64(n), share(again, end), 0.1, "after")
				})
			})
		}
	}
}

// TestReadsThatTakeLongByThemselves lets one read in twenty take long on any reader: that says nothing of
// the readers, which share the reads as before.
func TestReadsThatTakeLongByThemselves(t *testing.T) {
	const n, perSecond, seconds = 3, 600, 60
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 1))
		arrivals := arrive(n, perSecond, seconds*time.Second, func(int, time.Duration) time.Duration {
			d := 300*time.Microsecond + time.Duration(random.ExpFloat64()*float64(150*time.Microsecond))
			if random.IntN(20) == 0 {
				d += 30 * time.Millisecond
			}
			return d
		})
		worst := 0.0
		for second := range seconds {
			var got [n]float64
			all := 0.0
			for _, a := range arrivals {
				if int(a.at/time.Second) == second {
					got[a.reader]++
					all++
				}
			}
			worst += slices.Max(got[:]) / all / seconds
		}
		assert.Less(t, worst, 0.5, "the share of the busiest reader in a second")
		t.Logf("the busiest reader of a second gets %.2f of its reads on average", worst)
	})
}
