package router

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
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

// takes makes d what is known of a reader's latency.
func takes(r *Reader, d time.Duration) { r.latency.Store(int64(d)) }

// nobodyTried are bits for which the less loaded reader of two is taken.
func nobodyTried() uint64 { return rand.Uint64() | 1<<11 }

func TestLeastLoadedAvoids(t *testing.T) {
	for name, load := range map[string]func(slow, fast *Reader){
		"more reads in flight": func(slow, fast *Reader) { slow.work.Store(9) },
		"longer latency":       func(slow, fast *Reader) { takes(slow, 50*time.Millisecond) },
		"less weight":          func(slow, fast *Reader) { fast.weight = 10 },
		"a failed connection":  func(slow, fast *Reader) { slow.work.Add(oneRead); slow.failed() },
		"a latency that makes up for fewer reads in flight": func(slow, fast *Reader) {
			fast.work.Store(5)
			takes(slow, 50*time.Millisecond)
		},
		"reads in flight, though its latency is a little shorter": func(slow, fast *Reader) {
			takes(fast, 2*time.Millisecond)
			slow.work.Store(1)
		},
		"not measured, but somebody is about it": func(slow, fast *Reader) {
			takes(slow, 0)
			slow.begin()
		},
		"measured by a first read only, and somebody is about it": func(slow, fast *Reader) {
			takes(slow, 0)
			slow.measured(time.Millisecond)
			slow.begin()
		},
		"measured, and the other one never was": func(slow, fast *Reader) { takes(fast, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			readers := readersOf(t, 1, 1)
			for _, r := range readers {
				takes(r, time.Millisecond)
			}
			load(readers[0], readers[1])
			for range 100 {
				assert.Same(t, readers[1], lessLoaded(readers, nobodyTried()))
			}
		})
	}
}

// Averages of a few reads differ: that keeps no reader from its share.
func TestLeastLoadedSharesAmongAboutEqualReaders(t *testing.T) {
	readers := readersOf(t, 1, 1, 1)
	for i, r := range readers {
		takes(r, time.Duration(10+3*i)*time.Millisecond)
	}
	got := share(LeastLoaded{}, readers, 3000)
	for _, r := range readers {
		assert.InDelta(t, 1000, got[r], 200, r.Name())
	}
}

// A reader that was slow once must be asked again, but not twice at a time.
func TestLeastLoadedTriesASlowReaderAgain(t *testing.T) {
	for _, n := range []int{2, 3, 5, 9} {
		readers := readersOf(t, make([]int, n)...)
		for _, r := range readers {
			r.weight = 1
			takes(r, time.Millisecond)
		}
		slow := readers[0]
		takes(slow, time.Second)
		random := rand.New(rand.NewPCG(1, uint64(n)))
		const reads = 100_000
		tried := 0
		for range reads {
			if lessLoaded(readers, random.Uint64()) != slow {
				continue
			}
			tried++
			start := slow.begin()
			require.NotZero(t, start, "the read that finds out is measured")
			for range 2000 {
				require.NotSame(t, slow, lessLoaded(readers, random.Uint64()), "it is being tried")
			}
			slow.end(0)
			slow.measured(time.Second)
		}
		assert.InDelta(t, reads/2048, tried, 30, "of %d readers", n)

		slow.measured(time.Millisecond) // which is to be confirmed by a read that is never sent there
		assert.True(t, slow.try(), "unless it is tried")
		slow.measured(time.Millisecond)
		assert.Equal(t, time.Millisecond, slow.Latency(), "what was measured before counts no more")
	}
}

func TestReaderLatency(t *testing.T) {
	r := readersOf(t, 1)[0]
	assert.Zero(t, r.Latency())
	assert.NotZero(t, r.begin(), "the first read is measured")
	r.end(0)
	r.measured(time.Second)
	assert.Zero(t, r.Latency(), "it had to connect")
	assert.NotZero(t, r.begin(), "so is the second")
	r.end(0)
	r.measured(8 * time.Millisecond)
	assert.Equal(t, 8*time.Millisecond, r.Latency())
	r.measured(4 * time.Millisecond)
	assert.Equal(t, 7*time.Millisecond, r.Latency(), "a new measurement counts for a quarter")

	r.measured(time.Second)
	assert.Equal(t, 7*time.Millisecond, r.Latency(), "a read that differs much may do so by itself")
	assert.NotZero(t, r.begin(), "but the next one is measured")
	r.end(0)
	r.measured(2 * time.Second)
	assert.Equal(t, 2*time.Second, r.Latency(), "and believed")
	r.measured(time.Millisecond)
	assert.Equal(t, 2*time.Second, r.Latency())
	r.measured(1900 * time.Millisecond)
	assert.Equal(t, 1900*time.Millisecond, r.Latency(), "also if it says that nothing has changed")

	assert.Zero(t, r.InFlight())
}

// The monitor's own questions tell when a slow reader is worth a try.
func TestProbesTellWhenToTry(t *testing.T) {
	const slow, fast = 50 * time.Millisecond, time.Millisecond
	for reason, row := range map[string]struct {
		reads  time.Duration
		probes []time.Duration
		want   bool
	}{
		"it answers fast again":         {slow, []time.Duration{slow, fast}, true},
		"it still answers slowly":       {slow, []time.Duration{slow, slow}, false},
		"only its reads are slow":       {slow, []time.Duration{fast, fast}, false},
		"it was tried for that":         {slow, []time.Duration{slow, fast, fast}, true},
		"its reads were never slow":     {fast, []time.Duration{slow, fast}, false},
		"its reads were not measured":   {0, []time.Duration{slow, fast}, false},
		"it answers no more than twice": {slow, []time.Duration{2 * fast, fast}, false},
	} {
		r := &Reader{weight: 1, started: time.Now()}
		takes(r, row.reads)
		for _, took := range row.probes {
			r.probed(took)
		}
		assert.Equal(t, row.want, r.mending(), reason)
	}
	readers := readersOf(t, 1, 1)
	takes(readers[0], slow)
	takes(readers[1], fast)
	readers[0].probed(slow)
	readers[0].probed(fast)
	assert.Same(t, readers[0], lessLoaded(readers, nobodyTried()), "one read finds out")
	assert.Same(t, readers[1], lessLoaded(readers, nobodyTried()), "and no other")
	start := readers[0].begin()
	assert.NotZero(t, start)
	readers[0].measured(slow)
	readers[0].probed(fast)
	assert.Same(t, readers[1], lessLoaded(readers, nobodyTried()), "its reads are slow, whatever the probes say")
}

func TestReadersMeasureReads(t *testing.T) {
	for name, row := range map[string]struct {
		gap  time.Duration
		want int // of 800 reads
	}{
		"one in eight of many":        {10 * time.Microsecond, 800 / sampleEvery},
		"one in eight of almost many": {often - 50*time.Microsecond, 800 / sampleEvery},
		"each of few":                 {often + 50*time.Microsecond, 800},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &Reader{weight: 1, started: time.Now()}
				measured := 0
				for range 800 {
					time.Sleep(row.gap)
					start := r.begin()
					if start != 0 {
						measured++
					}
					r.end(start)
				}
				assert.InDelta(t, row.want, measured, 4)
				assert.Zero(t, r.InFlight())
				assert.EqualValues(t, 800, r.Served())
			})
		})
	}
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
