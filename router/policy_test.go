package router

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func readersOf(t *testing.T, weights ...int) []*Reader {
	b := newBench(t, "shop", len(weights), nil)
	for i, r := range b.Readers() {
		r.weight = weights[i]
	}
	return b.Readers()
}

// share counts how often each reader is picked.
func share(p Policy, readers []*Reader, n int) map[*Reader]int {
	picked := map[*Reader]int{}
	for range n {
		picked[p.Pick(readers)]++
	}
	return picked
}

func TestPoliciesPickEveryReader(t *testing.T) {
	for name, p := range map[string]Policy{
		"least_loaded": LeastLoaded{}, "round_robin": new(RoundRobin), "random": Random{}, "weighted": Weighted{},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 5} {
				readers := readersOf(t, make([]int, n)...)
				for _, r := range readers {
					r.weight = 1
				}
				got := share(p, readers, 1000*n)
				for _, r := range readers {
					assert.InDelta(t, 1000, got[r], 200, "%s of %d", r.Name(), n)
				}
			}
			made, err := NewPolicy(name)
			require.NoError(t, err)
			assert.IsType(t, p, made)
		})
	}
	_, err := NewPolicy("leest_loaded")
	assert.ErrorContains(t, err, `did you mean "least_loaded"?`)
}

func TestRoundRobinTakesTurns(t *testing.T) {
	readers := readersOf(t, 1, 1, 1)
	p := new(RoundRobin)
	for i := range 7 {
		assert.Same(t, readers[i%3], p.Pick(readers))
	}
}

func TestWeightedFollowsWeights(t *testing.T) {
	readers := readersOf(t, 3, 1)
	got := share(Weighted{}, readers, 8000)
	assert.InDelta(t, 6000, got[readers[0]], 400)
}

func TestLeastLoadedAvoids(t *testing.T) {
	for name, load := range map[string]func(slow, fast *Reader){
		"more reads in flight": func(slow, fast *Reader) { slow.work.Store(9) },
		"longer latency":       func(slow, fast *Reader) { slow.measured(50 * time.Millisecond) },
		"less weight":          func(slow, fast *Reader) { fast.weight = 10 },
		"a failed connection":  func(slow, fast *Reader) { slow.work.Add(oneRead); slow.failed() },
	} {
		t.Run(name, func(t *testing.T) {
			readers := readersOf(t, 1, 1)
			for _, r := range readers {
				r.measured(time.Millisecond)
			}
			load(readers[0], readers[1])
			for range 10 { // too few for the loser to age into the winner
				assert.Same(t, readers[1], LeastLoaded{}.Pick(readers))
			}
		})
	}
}

// A reader that was slow once must be asked again: its latency ages while it loses.
func TestLeastLoadedTriesASlowReaderAgain(t *testing.T) {
	readers := readersOf(t, 1, 1)
	readers[0].measured(time.Second)
	readers[1].measured(time.Millisecond)
	picks := 0
	for LeastLoaded.Pick(LeastLoaded{}, readers) != readers[0] {
		picks++
		require.Less(t, picks, 1_000_000)
	}
	assert.Greater(t, picks, 100, "but not at once")
	start := readers[0].begin()
	assert.NotZero(t, start, "the read that finds out is measured")
	readers[0].end(start)
}

func TestReaderLatency(t *testing.T) {
	r := readersOf(t, 1)[0]
	assert.Zero(t, r.Latency())
	assert.NotZero(t, r.begin(), "the first read is measured")
	r.end(0)
	r.measured(8 * time.Millisecond)
	assert.Equal(t, 8*time.Millisecond, r.Latency())
	r.measured(4 * time.Millisecond)
	assert.Equal(t, 7*time.Millisecond, r.Latency(), "a new measurement counts for a quarter")
	measured := 0
	for range 8 * sampleEvery {
		if start := r.begin(); start != 0 {
			measured++
		}
		r.end(0)
	}
	assert.Equal(t, 8, measured)
	assert.Zero(t, r.InFlight())
	assert.EqualValues(t, 8*sampleEvery+1, r.Served())
}

func TestPoliciesDoNotAllocate(t *testing.T) {
	readers := readersOf(t, 1, 2, 3)
	for name, p := range map[string]Policy{
		"least_loaded": LeastLoaded{}, "round_robin": new(RoundRobin), "random": Random{}, "weighted": Weighted{},
	} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { p.Pick(readers) }), name)
	}
}

func BenchmarkPick(b *testing.B) {
	bench := newBench(b, "shop", 3, nil)
	for name, p := range map[string]Policy{
		"least_loaded": LeastLoaded{}, "round_robin": new(RoundRobin), "random": Random{}, "weighted": Weighted{},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Pick(bench.Readers())
			}
		})
	}
}
