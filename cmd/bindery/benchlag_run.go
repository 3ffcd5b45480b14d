package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

const (
	lookEvery = time.Millisecond       // how often a reader is looked at
	grace     = 5 * time.Second        // for readers, after the last write
	dropTime  = 10 * time.Second       // for the table, at the end
	askHealth = 250 * time.Millisecond // how often the horizon is asked for
	tellEvery = 2 * time.Second        // of progress
)

// A ledger holds when each write was acknowledged: write n at acked[n-1].
type ledger struct {
	mu    sync.Mutex // guards the rest
	acked []time.Time
	done  bool // no more will come
}

func (l *ledger) add(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, at)
}

func (l *ledger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
}

// between returns the moments of the writes from n on, up to m.
func (l *ledger) between(n, m int) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked[min(n, len(l.acked)):min(m, len(l.acked))])
}

func (l *ledger) state() (n int, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked), l.done
}

// bench measures the readers of one bind.
func (l *lagBench) bench(ctx context.Context, b *manager.Bind) (results []*lagResult, err error) {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // it never fails
	table := fmt.Sprintf("bindery_bench_lag_%08x", binary.BigEndian.Uint32(random))
	writer := b.WriterEngine().DB()
	created := true
	defer func() {
		if !created {
			return
		}
		dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
		defer cancel()
		if _, dropErr := writer.ExecContext(dropping, "DROP TABLE IF EXISTS "+table); dropErr != nil {
			err = errors.Join(err, fmt.Errorf("the table %s could not be dropped, drop it by hand: %w", table, dropErr))
		}
	}()
	if _, err := writer.ExecContext(ctx, "CREATE TABLE "+table+" (id BIGINT PRIMARY KEY)"); err != nil {
		created = ctx.Err() != nil || b.WriterEngine().Classify(err).LeavesOpen() // cut off, it may be there all the same
		return nil, fmt.Errorf("create its table: %w", err)
	}
	l.say("%s: writing to %s for %v\n", b, table, l.duration)
	book := new(ledger)
	working, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, e := range b.ReaderEngines() {
		r := &lagResult{Bind: b.String(), Engine: e.Name()}
		results = append(results, r)
		wg.Go(func() { r.watch(working, e, table, book) })
	}
	watched := make(chan struct{})
	var horizons sync.WaitGroup
	horizons.Go(func() { watchHorizons(working, b, results, watched) })
	err = l.write(working, b, writer, table, book)
	book.end()
	wg.Wait()
	close(watched)
	horizons.Wait()
	n, _ := book.state()
	short := false
	for _, r := range results {
		r.Writes = n
		r.Shown, r.Lag = len(r.observed), spreadOf(r.observed)
		short = short || r.Shown < n
	}
	if err == nil && short && ctx.Err() == nil {
		err = fmt.Errorf("not every write was shown by every reader within %v of the last one", grace)
	}
	return results, err
}

// write inserts a row at each tick.
func (l *lagBench) write(ctx context.Context, b *manager.Bind, db *sql.DB, table string, book *ledger) error {
	tick := time.NewTicker(time.Duration(float64(time.Second) / l.rate))
	defer tick.Stop()
	began, told := time.Now(), time.Now()
	for n := 1; time.Since(began) < l.duration; n++ {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (id) VALUES (%d)", table, n)); err != nil {
			return fmt.Errorf("write %d: %w", n, err)
		}
		book.add(time.Now())
		if time.Since(told) >= tellEvery {
			told = time.Now()
			l.say("%s: %d writes in %v of %v\n", b, n, time.Since(began).Round(time.Second), l.duration)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// watch looks at a reader until it shows every write, or its time is over.
func (r *lagResult) watch(ctx context.Context, e *binds.Engine, table string, book *ledger) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	query := "SELECT COALESCE(MAX(id), 0) FROM " + table
	var deadline time.Time
	for seen := 0; ; {
		var shown int
		looking, cancel := context.WithTimeout(ctx, grace)
		err := e.DB().QueryRowContext(looking, query).Scan(&shown)
		cancel()
		now := time.Now()
		r.Error = ""
		if err != nil && ctx.Err() == nil && !e.IsUndefined(err) { // the table has not come yet
			r.Error = err.Error()
		}
		for _, acked := range book.between(seen, shown) {
			r.observed = append(r.observed, max(now.Sub(acked), 0))
			seen++
		}
		n, done := book.state()
		if done && deadline.IsZero() {
			deadline = now.Add(grace)
		}
		if done && (seen >= n || now.After(deadline)) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// watchHorizons asks the router how far it knows each reader to trail, until all readers have been watched.
func watchHorizons(ctx context.Context, b *manager.Bind, results []*lagResult, watched <-chan struct{}) {
	lags := make([][]time.Duration, len(results))
	tick := time.NewTicker(askHealth)
	defer tick.Stop()
	for {
		for i, h := range b.Router().Health(ctx) {
			results[i].Doubt = ""
			if h.LagKnown {
				lags[i] = append(lags[i], h.Lag)
			} else if h.Doubt != nil {
				results[i].Doubt = h.Doubt.Error()
			}
		}
		select {
		case <-tick.C:
			continue
		case <-watched:
		case <-ctx.Done():
		}
		break
	}
	for i := range results {
		if len(lags[i]) > 0 {
			s := spreadOf(lags[i])
			results[i].Horizon = &s
		}
	}
}
