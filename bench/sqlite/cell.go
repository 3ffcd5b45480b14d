package sqlite

import (
	"time"

	"github.com/bindery-go/bindery/bench/internal/load"
)

// A cell is what one setup did in one workload on one number of goroutines: a result for each round.
type cell []*load.Result

// rate is how many operations succeeded in a second of one round.
func rate(r *load.Result) float64 {
	return float64(r.Count()-r.Failed()) / r.Elapsed.Seconds()
}

// rate returns the median of the rounds' rates.
func (c cell) rate() float64 { return c.median(rate) }

// percentile returns the median of the rounds' percentiles.
func (c cell) percentile(op string, p float64) time.Duration {
	return time.Duration(c.median(func(r *load.Result) float64 { return float64(r.Percentile(op, p)) }))
}

// worst returns the longest operation of all rounds.
func (c cell) worst(op string) time.Duration {
	var worst time.Duration
	for _, r := range c {
		worst = max(worst, r.Percentile(op, 1))
	}
	return worst
}

// tried returns how many operations there were in all rounds.
func (c cell) tried() (n int) {
	for _, r := range c {
		n += r.Count()
	}
	return n
}

// busy returns how many of them failed, all with SQLITE_BUSY: another error ends the run.
func (c cell) busy() (n int) {
	for _, r := range c {
		n += r.Failed()
	}
	return n
}

func (c cell) median(of func(*load.Result) float64) float64 {
	all := make([]float64, len(c))
	for i, r := range c {
		all[i] = of(r)
	}
	return load.Median(all)
}

// against returns the median of the ratios of c to base, each of two results of one round.
func (c cell) against(base cell, of func(*load.Result) float64) float64 {
	var all []float64
	for i, r := range c {
		if b := of(base[i]); b > 0 {
			all = append(all, of(r)/b)
		}
	}
	return load.Median(all)
}
