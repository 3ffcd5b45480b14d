package slow

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// A read is what became of one point read.
type read struct {
	began time.Duration // when it was released, since the start of the run
	took  time.Duration
	from  int // the replica that answered, or one of the following
}

const (
	fromPrimary = -1 - iota
	fromNobody  // it failed
)

func (r read) ended() time.Duration { return r.began + r.took }

// A stream releases reads at random moments, as independent users would: none waits for the answer
// to another one, so that a server that hangs makes no later read wait for its turn to be counted.
type stream struct {
	perSecond float64
	patience  time.Duration // a read's deadline
	random    *rand.Rand
	do        func(ctx context.Context, random uint64) (from int, err error)
}

// run releases reads until stop is closed or ctx ends, waits for their ends and returns them in the
// order of these. Moments are counted from start.
func (s *stream) run(ctx context.Context, start time.Time, stop <-chan struct{}) []read {
	var mu sync.Mutex // guards reads
	var reads []read
	var wg sync.WaitGroup
	defer wg.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next := time.Now(); ; {
		next = next.Add(time.Duration(s.random.ExpFloat64() / s.perSecond * float64(time.Second)))
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-stop:
			wg.Wait()
			return reads
		case <-ctx.Done():
			wg.Wait()
			return reads
		}
		random, began := s.random.Uint64(), time.Now()
		wg.Go(func() {
			from := s.one(ctx, random)
			r := read{began: began.Sub(start), took: time.Since(began), from: from}
			mu.Lock()
			defer mu.Unlock()
			reads = append(reads, r)
		})
	}
}

func (s *stream) one(ctx context.Context, random uint64) (from int) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	from, err := s.do(ctx, random)
	if err != nil {
		return fromNobody
	}
	return from
}
