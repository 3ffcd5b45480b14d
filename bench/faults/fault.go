package faults

import (
	"context"
	"errors"
	"time"

	"github.com/bindery-go/bindery/integration"
)

// A fault befalls one server of a cluster, and is mended.
type fault struct {
	name    string // "a reader is killed"
	primary bool   // it befalls the primary, else the replicas in turn
	first   int    // the replica where it begins
	strike  func(context.Context, *integration.Server) error
	mend    func(context.Context, *integration.Server) error
	lasts   func(*plan) time.Duration
	// anew says that the server's process is another one after it: who uses it again can be told.
	anew bool
}

var faults = []*fault{
	{
		name:   "a reader is killed",
		strike: func(ctx context.Context, s *integration.Server) error { return s.Kill(ctx) },
		mend:   func(ctx context.Context, s *integration.Server) error { return s.Start(ctx) },
		lasts:  func(p *plan) time.Duration { return p.killed },
		anew:   true,
	},
	{
		name:    "the primary is restarted",
		primary: true,
		strike:  func(ctx context.Context, s *integration.Server) error { return s.Stop(ctx) },
		mend:    func(ctx context.Context, s *integration.Server) error { return s.Start(ctx) },
		lasts:   func(p *plan) time.Duration { return p.stopped },
		anew:    true,
	},
	{
		name:   "a reader hangs",
		first:  1, // not the one that was killed before, which some may not have gone back to
		strike: func(_ context.Context, s *integration.Server) error { return s.Freeze() },
		mend:   func(_ context.Context, s *integration.Server) error { return s.Thaw() },
		lasts:  func(p *plan) time.Duration { return p.frozen },
	},
}

// victim returns the server that the fault befalls in the given round.
func (f *fault) victim(c *integration.Cluster, round int) *integration.Server {
	if f.primary {
		return c.Primary
	}
	return c.Replicas[(f.first+round)%len(c.Replicas)]
}

// A run is one fault under load.
type run struct {
	*fault
	servers *servers
	plan    *plan
	round   int
	number  int // unlike that of all other runs on the same servers
}

// perRun is how many numbers the writes of one run may have.
const perRun = 1_000_000

// do gives all libraries their load, lets the fault befall the servers meanwhile, and says what
// became of each library.
func (r *run) do(ctx context.Context) (map[*contender]*tally, error) {
	after := int64(r.number) * perRun
	l := begin(ctx, r.servers.contenders, r.plan.rate, after)
	back, err := r.befall(ctx, l)
	seen := l.end()
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	tallies := map[*contender]*tally{}
	for c, t := range seen {
		rows, err := c.journal(ctx, after)
		if err != nil {
			return nil, err
		}
		t.struck = back.struck
		tallies[c] = count(t, rows)
		if took, ok := back.of(c, t); ok {
			tallies[c].back = append(tallies[c].back, took)
		}
	}
	return tallies, nil
}

// befall lets the fault befall its victim while the load goes on, and returns when it is long past.
func (r *run) befall(ctx context.Context, l *load) (*comeback, error) {
	victim := r.victim(r.servers.Cluster, r.round)
	if err := wait(ctx, r.plan.before); err != nil {
		return nil, err
	}
	struck := time.Now()
	if err := r.strike(ctx, victim); err != nil {
		return nil, err
	}
	if err := wait(ctx, r.lasts(r.plan)-time.Since(struck)); err != nil {
		return nil, errors.Join(err, r.mend(context.WithoutCancel(ctx), victim))
	}
	if err := r.mend(ctx, victim); err != nil {
		return nil, err
	}
	mended := time.Now()
	back := &comeback{struck: struck.Sub(l.start), mended: mended.Sub(l.start), primary: r.primary}
	if r.anew && !r.primary {
		var err error
		if back.reads, err = r.servers.awaitReads(ctx, victim, r.plan.patience); err != nil {
			return nil, err
		}
	}
	return back, wait(ctx, r.plan.after-time.Since(mended))
}

// wait returns when d has passed, with an error if ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
