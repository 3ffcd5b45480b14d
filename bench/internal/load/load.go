// Package load runs work in a closed loop and measures it.
package load

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Worker is one of the goroutines that do the work.
type Worker struct {
	ID   int
	Rand *rand.Rand // its own; the same numbers in every run with the same seed

	took map[string][]time.Duration
	errs map[string][]error
}

// Do measures one operation of the given name.
func (w *Worker) Do(name string, op func() error) error {
	start := time.Now()
	err := op()
	took := time.Since(start)
	if err != nil {
		w.errs[name] = append(w.errs[name], err)
	}
	w.took[name] = append(w.took[name], took)
	return err
}

// Result is what all workers measured.
type Result struct {
	Elapsed time.Duration
	took    map[string][]time.Duration
	errs    map[string][]error
}

// Run calls step in a loop on as many goroutines as workers, until d has passed. A step begun by
// then is waited for. An error of step ends its worker and is returned; what is to be counted and
// survived is measured by [Worker.Do] and not returned.
func Run(ctx context.Context, workers int, d time.Duration, seed uint64, step func(context.Context, *Worker) error) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := make([]*Worker, workers)
	errs := make([]error, workers)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range workers {
		w := &Worker{
			ID: i, Rand: rand.New(rand.NewPCG(seed, uint64(i))),
			took: map[string][]time.Duration{}, errs: map[string][]error{},
		}
		all[i] = w
		wg.Go(func() {
			for time.Since(start) < d && ctx.Err() == nil {
				if errs[i] = step(ctx, w); errs[i] != nil {
					cancel()
					return
				}
			}
		})
	}
	wg.Wait()
	res := &Result{Elapsed: time.Since(start), took: map[string][]time.Duration{}, errs: map[string][]error{}}
	for _, w := range all {
		for name, took := range w.took {
			res.took[name] = append(res.took[name], took...)
		}
		for name, e := range w.errs {
			res.errs[name] = append(res.errs[name], e...)
		}
	}
	for _, took := range res.took {
		slices.Sort(took)
	}
	for _, err := range errs {
		if err != nil {
			return res, err
		}
	}
	return res, ctx.Err()
}

// Count returns how many operations of the given names were done, failed ones included; of all
// names if none is given.
func (r *Result) Count(names ...string) int {
	n := 0
	for _, name := range r.names(names) {
		n += len(r.took[name])
	}
	return n
}

// Failed returns how many operations of the given names failed; of all names if none is given.
func (r *Result) Failed(names ...string) int {
	n := 0
	for _, name := range r.names(names) {
		n += len(r.errs[name])
	}
	return n
}

// Errors returns the errors of the operations called name.
func (r *Result) Errors(name string) []error { return r.errs[name] }

// Percentile returns the time within which a share p (0 to 1) of the operations called name ended:
// 1 is the longest. It is zero if there were none.
func (r *Result) Percentile(name string, p float64) time.Duration {
	return Percentile(r.took[name], p)
}

func (r *Result) names(names []string) []string {
	if len(names) > 0 {
		return names
	}
	for name := range r.took {
		names = append(names, name)
	}
	return names
}
