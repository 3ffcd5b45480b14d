// Package paired measures differences between things that do the same, on a machine that is noisy: in
// many short rounds, in each of which every one has its turn, with the order changed from round to
// round. A difference is taken within a round, and the middle of all rounds counts.
package paired

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A Form is one of the things that do the same.
type Form struct {
	Name string
	// Run does n operations one after the other. It is called by several goroutines at once if
	// [Config.Goroutines] says so.
	Run func(ctx context.Context, n int) error
}

// Config says how to measure.
type Config struct {
	Rounds     int
	Turn       time.Duration // how long each form's turn in a round is, about
	Goroutines int           // among which the operations of a turn are shared out; less than 1 is 1
}

// Measure runs the forms against each other. It stops at the first error.
//
// No garbage is collected during a round, which is short, but before each: a collection that falls into
// one form's turn and not into the next one's would be all that is seen. What collecting costs is
// therefore missing; the bytes tell of it.
func Measure(ctx context.Context, conf Config, forms []Form) (*Result, error) {
	conf.Goroutines = max(conf.Goroutines, 1)
	if conf.Goroutines == 1 { // the clock is the thread's
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	counts := make([]int, len(forms))
	for i, f := range forms {
		n, err := calibrate(ctx, conf, f)
		if err != nil {
			return nil, err
		}
		counts[i] = n
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	res := &Result{turns: make(map[string][]Turn)}
	for round := range conf.Rounds {
		runtime.GC()
		for i := range forms {
			i = order(round, i, len(forms))
			turn, err := take(ctx, conf.Goroutines, forms[i], counts[i])
			if err != nil {
				return nil, err
			}
			res.turns[forms[i].Name] = append(res.turns[forms[i].Name], turn)
		}
	}
	return res, nil
}

// order rotates the forms from round to round, and turns them round in every other: A B C, A C B,
// B C A, B A C. Whoever comes first, or after whom, is then nobody's advantage.
func order(round, i, n int) int {
	if round%2 == 1 {
		i = n - i
	}
	return (round/2 + i) % n
}

// calibrate returns how many operations make a turn.
func calibrate(ctx context.Context, conf Config, f Form) (int, error) {
	for n := conf.Goroutines; ; {
		start := time.Now()
		if err := run(ctx, conf.Goroutines, f, n); err != nil {
			return 0, err
		}
		took := time.Since(start)
		if took >= conf.Turn/2 {
			return max(int(float64(n)*float64(conf.Turn)/float64(took)), conf.Goroutines), nil
		}
		n *= 2
	}
}

// take measures one turn, after a short one that warms the processor's caches.
func take(ctx context.Context, goroutines int, f Form, n int) (Turn, error) {
	if err := run(ctx, goroutines, f, n/8+1); err != nil {
		return Turn{}, err
	}
	clock := threadTime
	if goroutines > 1 {
		clock = wallTime
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := clock()
	err := run(ctx, goroutines, f, n)
	took := clock() - start
	runtime.ReadMemStats(&after)
	each := float64(n)
	return Turn{
		Nanoseconds: float64(took) / each,
		Bytes:       float64(after.TotalAlloc-before.TotalAlloc) / each,
		Allocs:      float64(after.Mallocs-before.Mallocs) / each,
	}, err
}

// run does n operations on so many goroutines.
func run(ctx context.Context, goroutines int, f Form, n int) error {
	if goroutines == 1 {
		return f.Run(ctx, n)
	}
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for i := range goroutines {
		share := n / goroutines
		if i < n%goroutines {
			share++
		}
		wg.Go(func() { errs[i] = f.Run(ctx, share) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
