package replication

import (
	"context"
	"time"

	"github.com/bindery-go/bindery/bench/internal/load"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

// A plan is how much is done.
type plan struct {
	workers   int
	rowsEach  int     // rows that a worker's sessions own
	capacity  float64 // statements a second that each server can do
	warm      time.Duration
	measure   time.Duration
	rounds    int
	lag       time.Duration // of replicas that lag
	lagSample time.Duration // time between two measurements of the lag
}

// A turn is what one mode did in one round.
type turn struct {
	findings
	rate              float64 // operations a second
	readP50, readP99  time.Duration
	writeP99          time.Duration
	onReplicas, other int64 // statements: reads there; what the library asked by itself, anywhere
	took              time.Duration
}

// A stage is where the modes take turns: a cluster, its rows and the workers.
type stage struct {
	*peers.Real
	*ledger
	plan
	seed uint64
}

// take lets a mode have its turn: sessions begin, run in, and are then measured.
func (s *stage) take(ctx context.Context, m opened) (turn, error) {
	users := make([]*session, s.workers)
	found := make([]findings, s.workers)
	step := func(_ context.Context, w *load.Worker) error {
		if u := users[w.ID]; u == nil || u.left == 0 {
			users[w.ID] = newSession(m.begin(ctx), w.ID) // it outlives the load's own context
		}
		return users[w.ID].step(w, s.ledger, m.db, &found[w.ID])
	}
	s.seed++
	if _, err := load.Run(ctx, s.workers, s.warm, s.seed, step); err != nil {
		return turn{}, err
	}
	clear(found)
	before := s.count()
	s.seed++
	res, err := load.Run(ctx, s.workers, s.measure, s.seed, step)
	if err != nil {
		return turn{}, err
	}
	sent := s.count().since(before)
	t := turn{
		rate:    float64(res.Count()) / res.Elapsed.Seconds(),
		readP50: res.Percentile(read, 0.5), readP99: res.Percentile(read, 0.99),
		writeP99: res.Percentile(write, 0.99), took: res.Elapsed,
		onReplicas: sent.itemsOnReplicas, other: sent.all - sent.items,
	}
	for _, f := range found {
		t.add(f)
	}
	return t, nil
}

// A count is what the proxies have counted. Nothing but the load speaks of items.
type count struct{ all, items, itemsOnReplicas int64 }

func (s *stage) count() (c count) {
	for i, p := range s.Proxies {
		items := p.Watched()
		c.all += p.Statements()
		c.items += items
		if i > 0 {
			c.itemsOnReplicas += items
		}
	}
	return c
}

func (c count) since(o count) count {
	return count{c.all - o.all, c.items - o.items, c.itemsOnReplicas - o.itemsOnReplicas}
}
