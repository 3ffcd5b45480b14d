// Package slow measures what one slow replica among three does to the reads of a library.
package slow

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// A setting is what is measured.
type setting struct {
	plan
	perSecond float64 // reads of each contender
	patience  time.Duration
}

func settingOf(quick bool) setting {
	s := setting{
		plan: plan{
			rounds: replicas, replicas: replicas, delay: 50 * time.Millisecond,
			lengths: map[state]time.Duration{
				settling: 4 * time.Second, well: 9 * time.Second, slowed: 12 * time.Second, again: 4 * time.Second, frozen: 9 * time.Second,
			},
		},
		perSecond: 100,
		patience:  2 * time.Second,
	}
	if quick {
		s.rounds = 1
		s.lengths = map[state]time.Duration{
			settling: time.Second, well: 3 * time.Second, slowed: time.Second, again: settle + time.Second/2, frozen: 3 * time.Second / 2,
		}
		s.perSecond = 20
	}
	return s
}

// Run measures reads of PostgreSQL while one of three replicas is slow, and while it hangs.
func Run(ctx context.Context, r *report.Run) (_ *report.Section, err error) {
	s, err := start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	all, err := enter(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, leave(all)) }()

	what := settingOf(r.Quick)
	stages, reads, err := measure(ctx, r, s, all, what)
	if err != nil {
		return nil, err
	}
	found := make(map[contender]map[state]*figures)
	for i, e := range all {
		found[e.contender] = evaluate(stages, reads[i])
	}
	return section(what, found), nil
}

// measure lets all entrants read at the same time while the course is run, and returns its stages and
// the reads of each entrant.
func measure(ctx context.Context, r *report.Run, s *servers, all []*entrant, what setting) ([]stage, [][]read, error) {
	stop := make(chan struct{})
	reads := make([][]read, len(all))
	var wg sync.WaitGroup
	start := time.Now()
	for i, e := range all {
		st := &stream{
			perSecond: what.perSecond, patience: what.patience, random: rand.New(rand.NewPCG(4, uint64(i))),
			do: func(ctx context.Context, random uint64) (int, error) { return e.read(ctx, s, random) },
		}
		wg.Go(func() { reads[i] = st.run(ctx, start, stop) })
	}
	stages, err := what.run(ctx, s, start, func(round int) { r.Printf("slow: round %d of %d", round+1, what.rounds) })
	close(stop)
	wg.Wait()
	return stages, reads, err
}
