package paired

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept keeps what forms allocate from staying on the stack.
var kept atomic.Pointer[[64]byte]

func allocating(name string, objects int) Form {
	return Form{Name: name, Run: func(n int) error {
		for range n * objects {
			kept.Store(new([64]byte))
		}
		return nil
	}}
}

func TestAddedFindsWhatIsAllocated(t *testing.T) {
	for _, goroutines := range []int{1, 8} {
		conf := Config{Rounds: 6, Turn: time.Millisecond, Goroutines: goroutines}
		res, err := Measure(t.Context(), conf, Family{allocating("one", 1), allocating("three", 3)})
		require.NoError(t, err)
		added := res.Added("three", "one")
		assert.InDelta(t, 2, added.Allocs, 0.1)
		assert.InDelta(t, 128, added.Bytes, 10)
		assert.InDelta(t, 64, res.Cost("one").Bytes, 5)
		assert.Positive(t, res.Cost("one").Nanoseconds)
	}
}

func TestDifferencesAreOfPairs(t *testing.T) {
	res := &Result{turns: map[string][]Turn{ // a machine that becomes slower and slower
		"base": {{Nanoseconds: 10}, {Nanoseconds: 100}, {Nanoseconds: 1000}, {Nanoseconds: 10000}, {Nanoseconds: 100000}},
		"form": {{Nanoseconds: 15}, {Nanoseconds: 104}, {Nanoseconds: 1006}, {Nanoseconds: 9000}, {Nanoseconds: 100008}},
	}}
	assert.Equal(t, Spread{Low: 4, Middle: 5, High: 6}, res.Added("form", "base").Nanoseconds)
	assert.Equal(t, 1006.0, res.Cost("form").Nanoseconds)
	assert.Zero(t, res.Cost("nobody"))
}

func TestQuantile(t *testing.T) {
	assert.Equal(t, 1.5, quantile([]float64{1, 2}, 0.5))
	assert.Equal(t, 2.0, quantile([]float64{1, 2}, 1))
	assert.Equal(t, 7.0, quantile([]float64{7}, 0.25))
	assert.Equal(t, 2.5, quantile([]float64{1, 2, 3, 4, 5, 6, 7}, 0.25))
}

func TestEveryoneComesAtEveryPlace(t *testing.T) {
	families := []Family{{{Name: "a"}, {Name: "b"}, {Name: "c"}}, {{Name: "d"}, {Name: "e"}}}
	var rounds []string
	for round := range 48 {
		var names strings.Builder
		for _, f := range inTurn(round, families) {
			names.WriteString(f.Name)
		}
		rounds = append(rounds, names.String())
	}
	assert.Equal(t, []string{"abcde", "acbde"}, rounds[:2])
	for _, form := range "abcde" {
		places := map[int]int{}
		for _, names := range rounds {
			places[strings.IndexRune(names, form)]++
		}
		assert.NotContains(t, places, -1)
		assert.GreaterOrEqual(t, len(places), 4, string(form))
	}
	first := map[byte]int{}
	for _, names := range rounds {
		i := strings.IndexAny(names, "abc")
		first[names[i]]++
	}
	assert.Equal(t, map[byte]int{'a': 16, 'b': 16, 'c': 16}, first, "within the family")
}

func TestMeasureStopsAtAnError(t *testing.T) {
	failure := errors.New("no")
	for _, goroutines := range []int{1, 8} {
		_, err := Measure(t.Context(), Config{Rounds: 3, Goroutines: goroutines}, Family{{Name: "a", Run: func(int) error {
			return failure
		}}})
		require.ErrorIs(t, err, failure)
	}
}

func TestMeasureEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Measure(ctx, Config{Rounds: 3}, Family{allocating("a", 1)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestTheOperationsAreSharedOut(t *testing.T) {
	var calls, done atomic.Int64
	f := Form{Run: func(n int) error {
		calls.Add(1)
		done.Add(int64(n))
		return nil
	}}
	require.NoError(t, run(8, f, 21))
	assert.Equal(t, []int64{8, 21}, []int64{calls.Load(), done.Load()})
}
