package paired

import "slices"

// A Turn is what one operation took of one form in one round. With one goroutine, Nanoseconds is its
// thread's time on the processor, which other programs on the machine do not lengthen, where the system
// tells it; with several it is the time on the clock divided by the operations of all.
type Turn struct{ Nanoseconds, Bytes, Allocs float64 }

// A Result has a turn of each form in each round.
type Result struct{ turns map[string][]Turn }

// Cost returns the middle of a form's turns.
func (r *Result) Cost(form string) Turn {
	turns := r.turns[form]
	return Turn{
		Nanoseconds: spread(turns, nanoseconds).Middle,
		Bytes:       spread(turns, bytes).Middle,
		Allocs:      spread(turns, allocs).Middle,
	}
}

// A Spread is the middle of many values and the quartiles around it.
type Spread struct{ Low, Middle, High float64 }

// A Difference is how much more one form takes than another for one operation.
type Difference struct{ Nanoseconds, Bytes, Allocs Spread }

// Added returns how much more a form takes than its base, of pairs within a round.
func (r *Result) Added(form, base string) Difference {
	a, b := r.turns[form], r.turns[base]
	pairs := make([]Turn, min(len(a), len(b)))
	for i := range pairs {
		pairs[i] = Turn{
			Nanoseconds: a[i].Nanoseconds - b[i].Nanoseconds,
			Bytes:       a[i].Bytes - b[i].Bytes,
			Allocs:      a[i].Allocs - b[i].Allocs,
		}
	}
	return Difference{spread(pairs, nanoseconds), spread(pairs, bytes), spread(pairs, allocs)}
}

func nanoseconds(t Turn) float64 { return t.Nanoseconds }
func bytes(t Turn) float64       { return t.Bytes }
func allocs(t Turn) float64      { return t.Allocs }

func spread(turns []Turn, of func(Turn) float64) Spread {
	values := make([]float64, len(turns))
	for i, t := range turns {
		values[i] = of(t)
	}
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
