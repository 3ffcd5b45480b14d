// Package paired measures differences between things that do the same, on a machine that is noisy: in
// many short rounds, in each of which every one has its turn, with the order changed from round to
// round. A difference is taken within a round, and the middle of all rounds counts.
package paired

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A Form is one of the things that do the same.
type Form struct {
	Name string
	// Run does n operations one after the other. It is called by several goroutines at once if
	// [Config.Goroutines] says so. Give statements a context that never ends: with one that may,
	// database/sql starts a goroutine for each SELECT, which takes longer than most of what is measured.
	Run func(n int) error
}

// Config says how to measure.
type Config struct {
	Rounds     int
	Turn       time.Duration // how long each form's turn in a round is, about
	Goroutines int           // among which the operations of a turn are shared out; less than 1 is 1
}

// A Family is forms whose differences matter: in a round they come one after the other.
type Family []Form

// Measure runs the forms against each other. It stops at the first error, and between two rounds when
// the context ends.
//
// No garbage is collected during a turn, which is short, but before each: a collection that falls into
// one turn and not into the next one would be all that is seen. What collecting costs is therefore
// missing; the bytes tell of it.
func Measure(ctx context.Context, conf Config, families ...Family) (*Result, error) {
	conf.Goroutines = max(conf.Goroutines, 1)
	if conf.Goroutines == 1 { // the clock is the thread's
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	plan := make(map[string]int)
	for _, family := range families {
		n, err := calibrate(conf, family)
		if err != nil {
			return nil, err
		}
		for _, f := range family {
			plan[f.Name] = n
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	res := &Result{turns: make(map[string][]Turn)}
	for round := range conf.Rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, f := range inTurn(round, families) {
			turn, err := take(conf.Goroutines, f, plan[f.Name])
			if err != nil {
				return nil, err
			}
			res.turns[f.Name] = append(res.turns[f.Name], turn)
		}
	}
	return res, nil
}

// inTurn returns the order of a round. Families change their places more rarely than their forms do:
// else a form's place in the round would depend on that in its family.
func inTurn(round int, families []Family) []Form {
	var all []Form
	for i := range families {
		family := families[rotated(round/familyRounds, i, len(families))]
		for j := range family {
			all = append(all, family[rotated(round, j, len(family))])
		}
	}
	return all
}

// familyRounds is a multiple of the rounds after which a family of two or three begins anew.
const familyRounds = 12

// rotated returns who of n comes at place i: A B C, A C B, B C A, B A C and so on. Coming first, or
// after a certain other, is then nobody's advantage.
func rotated(round, i, n int) int {
	if round%2 == 1 {
		i = n - i
	}
	return (round/2 + i) % n
}

// calibrate returns how many operations make a turn: as many for each of a family, for what a turn takes
// besides must not count more with one than with another.
func calibrate(conf Config, family Family) (int, error) {
	most := conf.Goroutines
	for _, f := range family {
		for n := most; ; n *= 2 {
			fastest := time.Duration(math.MaxInt64)
			for range 3 { // one may be interrupted
				start := wallTime()
				if err := run(conf.Goroutines, f, n); err != nil {
					return 0, err
				}
				fastest = min(fastest, wallTime()-start)
			}
			if fastest >= conf.Turn/2 {
				most = max(most, int(float64(n)*float64(conf.Turn)/float64(fastest)))
				break
			}
		}
	}
	return most, nil
}

// take measures one turn, time first and memory after it: to ask for memory stops the program and has it
// begin to allocate anew, as collecting garbage does. What that costs, the warming up bears.
func take(goroutines int, f Form, n int) (Turn, error) {
	runtime.GC()
	if err := run(goroutines, f, n/4+1); err != nil {
		return Turn{}, err
	}
	clock := threadTime
	if goroutines > 1 {
		clock = wallTime
	}
	start := clock()
	if err := run(goroutines, f, n); err != nil {
		return Turn{}, err
	}
	turn := Turn{Nanoseconds: float64(clock()-start) / float64(n)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := run(goroutines, f, n/4+1)
	runtime.ReadMemStats(&after)
	turn.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n/4+1)
	turn.Allocs = float64(after.Mallocs-before.Mallocs) / float64(n/4+1)
	return turn, err
}

// run does n operations on so many goroutines.
func run(goroutines int, f Form, n int) error {
	if goroutines == 1 {
		return f.Run(n)
	}
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for i := range goroutines {
		share := n / goroutines
		if i < n%goroutines {
			share++
		}
		wg.Go(func() { errs[i] = f.Run(share) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
