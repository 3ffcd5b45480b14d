package paired

import (
	"math"
	"slices"
)

// A Turn is what one operation took of one form in one round. With one goroutine, Nanoseconds is its
// thread's time on the processor, which other programs on the machine do not lengthen, where the system
// tells it; with several it is the time on the clock divided by the operations of all.
type Turn struct{ Nanoseconds, Bytes, Allocs float64 }

// A Result has a turn of each form in each round.
type Result struct{ turns map[string][]Turn }

// Has reports whether a form was measured.
func (r *Result) Has(form string) bool { return len(r.turns[form]) > 0 }

// Cost returns what one operation of a form takes: the middle of its turns' times, and the least memory
// of them all, since whatever else goes on in the process can only add to that.
func (r *Result) Cost(form string) Turn {
	turns := r.turns[form]
	if len(turns) == 0 {
		return Turn{}
	}
	cost := Turn{Bytes: math.Inf(1), Allocs: math.Inf(1)}
	var times []float64
	for _, t := range turns {
		times = append(times, t.Nanoseconds)
		cost.Bytes, cost.Allocs = min(cost.Bytes, t.Bytes), min(cost.Allocs, t.Allocs)
	}
	cost.Nanoseconds = spread(times).Middle
	return cost
}

// A Spread is the middle of many values and the quartiles around it.
type Spread struct{ Low, Middle, High float64 }

// A Difference is how much more one form takes than another for one operation.
type Difference struct {
	Nanoseconds   Spread // of the pairs within a round
	Bytes, Allocs float64
}

// Added returns how much more a form takes than its base.
func (r *Result) Added(form, base string) Difference {
	a, b := r.turns[form], r.turns[base]
	times := make([]float64, min(len(a), len(b)))
	for i := range times {
		times[i] = a[i].Nanoseconds - b[i].Nanoseconds
	}
	cost, baseCost := r.Cost(form), r.Cost(base)
	return Difference{
		Nanoseconds: spread(times),
		Bytes:       cost.Bytes - baseCost.Bytes,
		Allocs:      cost.Allocs - baseCost.Allocs,
	}
}

// spread sorts the values.
func spread(values []float64) Spread {
	slices.Sort(values)
	return Spread{quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)}
}

// quantile returns the value below which a share q of the sorted values lies, between two of them if
// need be; zero of none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
