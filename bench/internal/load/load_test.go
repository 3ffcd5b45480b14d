package load_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/bench/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errPlanted = errors.New("planted")

// TestLoopIsClosed: a worker begins a step when the one before has ended, until the time is over, and
// the last one is waited for.
func TestLoopIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		begin := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			running += n
			most = max(most, running)
		}
		res, err := load.Run(t.Context(), 3, time.Second, 1, func(_ context.Context, w *load.Worker) error {
			begin(1)
			defer begin(-1)
			return w.Do("step", func() error { time.Sleep(300 * time.Millisecond); return nil })
		})
		require.NoError(t, err)
		assert.Equal(t, 3, most)
		assert.Equal(t, 3*4, res.Count("step"), "0, 300, 600 and 900 ms")
		assert.Equal(t, 1200*time.Millisecond, res.Elapsed)
		assert.Equal(t, 300*time.Millisecond, res.Percentile("step", 1))
	})
}

// TestErrorOfStepEndsTheRun: of all workers, and at once for those who heed the context.
func TestErrorOfStepEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res, err := load.Run(t.Context(), 4, time.Hour, 1, func(ctx context.Context, w *load.Worker) error {
			if w.ID == 2 {
				time.Sleep(time.Second)
				return errPlanted
			}
			return w.Do("wait", func() error { <-ctx.Done(); return nil })
		})
		require.ErrorIs(t, err, errPlanted)
		assert.Equal(t, time.Second, res.Elapsed)
		assert.Equal(t, 3, res.Count("wait"), "what was measured until then is there")
	})
}

func TestCancelledContextEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		res, err := load.Run(ctx, 2, time.Hour, 1, func(ctx context.Context, _ *load.Worker) error {
			<-ctx.Done()
			return nil
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, res.Elapsed)
	})
}

// TestFailedOperationsAreCounted: an error of an operation is measured; it ends nothing.
func TestFailedOperationsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res, err := load.Run(t.Context(), 1, time.Second, 1, func(_ context.Context, w *load.Worker) error {
			err := w.Do("write", func() error { time.Sleep(100 * time.Millisecond); return errPlanted })
			assert.ErrorIs(t, err, errPlanted)
			return w.Do("read", func() error { time.Sleep(150 * time.Millisecond); return nil })
		})
		require.NoError(t, err)
		assert.Equal(t, []int{4, 4, 8, 8}, []int{res.Count("read"), res.Count("write"), res.Count("read", "write"), res.Count()})
		assert.Equal(t, []int{0, 4, 4}, []int{res.Failed("read"), res.Failed("write"), res.Failed()})
		assert.Equal(t, []error{errPlanted, errPlanted, errPlanted, errPlanted}, res.Errors("write"))
		assert.Equal(t, 100*time.Millisecond, res.Percentile("write", 0.5), "failed ones count")
	})
}

// TestPercentile: the operations of all workers in one order.
func TestPercentile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		res, err := load.Run(t.Context(), n, time.Nanosecond, 1, func(_ context.Context, w *load.Worker) error {
			return w.Do("op", func() error { time.Sleep(time.Duration((w.ID*37)%n+1) * time.Millisecond); return nil })
		})
		require.NoError(t, err)
		require.Equal(t, n, res.Count("op"))
		assert.Equal(t, time.Millisecond, res.Percentile("op", 0))
		assert.Equal(t, n*time.Millisecond, res.Percentile("op", 1))
		for _, p := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
			took := int(res.Percentile("op", p) / time.Millisecond) // so many ended within it
			assert.GreaterOrEqual(t, float64(took)/n, p)
			assert.LessOrEqual(t, float64(took-1)/n, p, "%v: no more than needed", p)
		}
		assert.Zero(t, res.Percentile("another", 0.5))
	})
}

// TestSameSeedSameNumbers: for each worker its own, whatever the order in which they run.
func TestSameSeedSameNumbers(t *testing.T) {
	draw := func(seed uint64) (all [4]uint64) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			_, err := load.Run(t.Context(), len(all), time.Nanosecond, seed, func(_ context.Context, w *load.Worker) error {
				time.Sleep(time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				all[w.ID] = w.Rand.Uint64()
				return nil
			})
			require.NoError(t, err)
		})
		return all
	}
	first := draw(7)
	assert.Equal(t, first, draw(7))
	assert.NotEqual(t, first, draw(8))
	distinct := slices.Compact(slices.Sorted(slices.Values(first[:])))
	assert.Len(t, distinct, len(first))
}
