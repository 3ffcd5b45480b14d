package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A rate is the load that each library gets.
type rate struct {
	readers, writers int
	// every is the time from the beginning of one operation of a reader or writer to that of the
	// next. What is missed while one takes longer is not made up for.
	every time.Duration
	// deadline bounds each operation.
	deadline time.Duration
}

// A load asks all libraries at once, each as much as the others.
type load struct {
	start time.Time
	rate  rate
	quit  chan struct{}
	wg    sync.WaitGroup

	mu   sync.Mutex // guards seen
	seen map[*contender]*traffic
}

// begin starts a load. The numbers of its writes are greater than after.
func begin(ctx context.Context, all []*contender, r rate, after int64) *load {
	l := &load{start: time.Now(), rate: r, quit: make(chan struct{}), seen: map[*contender]*traffic{}}
	for _, c := range all {
		l.seen[c] = new(traffic)
		for i := range r.readers {
			l.wg.Go(func() { l.read(ctx, c, i) })
		}
		for i := range r.writers {
			l.wg.Go(func() { l.write(ctx, c, i, after) })
		}
	}
	return l
}

// end lets everybody finish what they have begun, and returns what was seen of each library.
func (l *load) end() map[*contender]*traffic {
	close(l.quit)
	l.wg.Wait()
	whole := time.Since(l.start)
	for _, t := range l.seen {
		t.whole = whole
	}
	return l.seen
}

func (l *load) read(ctx context.Context, c *contender, i int) {
	random := rand.New(rand.NewPCG(1, uint64(i)))
	var events []event
	l.pace(i, l.rate.readers, func() {
		id := 1 + random.Int64N(items)
		events = append(events, l.measure(ctx, c, func(ctx context.Context) error {
			item, err := c.db.Get(ctx, id)
			if err == nil && item.ID != id {
				return fmt.Errorf("the row of item %d was asked for, and that of %d came", id, item.ID)
			}
			return err
		}))
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[c].reads = append(l.seen[c].reads, events...)
}

func (l *load) write(ctx context.Context, c *contender, i int, after int64) {
	var writes []write
	number := after + int64(i)
	l.pace(i, l.rate.writers, func() {
		number += int64(l.rate.writers)
		e := l.measure(ctx, c, func(ctx context.Context) error { return c.db.Exec(ctx, insertNumber(number)) })
		writes = append(writes, write{e, number})
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[c].writes = append(l.seen[c].writes, writes...)
}

// measure does one operation as one request of a service.
func (l *load) measure(ctx context.Context, c *contender, do func(context.Context) error) event {
	ctx, cancel := context.WithTimeout(c.request(ctx), l.rate.deadline)
	defer cancel()
	began := time.Since(l.start)
	err := do(ctx)
	return event{began: began, ended: time.Since(l.start), err: err}
}

// pace calls do at worker i's moments until the load ends. The moments of all workers are spread
// evenly.
func (l *load) pace(i, workers int, do func()) {
	next := l.rate.every * time.Duration(i) / time.Duration(workers)
	timer := time.NewTimer(next - time.Since(l.start))
	defer timer.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-timer.C:
		}
		do()
		next = following(next, time.Since(l.start), l.rate.every)
		timer.Reset(next - time.Since(l.start))
	}
}

// following returns the first moment of a worker after the one that was due that is not yet past.
func following(due, now, every time.Duration) time.Duration {
	next := due + every
	if missed := now - next; missed > 0 {
		next += (missed + every - 1) / every * every
	}
	return next
}
