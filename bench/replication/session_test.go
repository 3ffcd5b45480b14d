package replication

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/load"
	"github.com/bindery-go/bindery/bench/internal/peers"
)

// A shelf is a store in memory whose reads may show another version than the latest.
type shelf struct {
	mu   sync.Mutex
	rows map[int64][]peers.Item // by key, all versions, oldest first
	show func(versions []peers.Item) peers.Item
}

func (s *shelf) Get(_ context.Context, id int64) (peers.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := append([]peers.Item{{ID: id}}, s.rows[id]...)
	return s.show(versions), nil
}

func (s *shelf) Update(_ context.Context, it peers.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[it.ID] = append(s.rows[it.ID], it)
	return nil
}

func (s *shelf) Close() error { return nil }

func latest(versions []peers.Item) peers.Item { return versions[len(versions)-1] }

// work lets two workers run sessions of the given store, and returns what they found.
func work(t *testing.T, db store) (found findings, res *load.Result, err error) {
	t.Helper()
	const workers = 2
	l := newLedger(workers, 4)
	users, each := make([]*session, workers), make([]findings, workers)
	res, err = load.Run(t.Context(), workers, 20*time.Millisecond, 1, func(ctx context.Context, w *load.Worker) error {
		if u := users[w.ID]; u == nil || u.left == 0 {
			users[w.ID] = newSession(ctx, w.ID)
		}
		return users[w.ID].step(w, l, db, &each[w.ID])
	})
	for _, f := range each {
		found.add(f)
	}
	if err == nil {
		err = l.verify(t.Context(), &shelf{rows: rowsOf(db), show: latest})
	}
	return found, res, err
}

func rowsOf(db store) map[int64][]peers.Item { return db.(*shelf).rows }

func TestSessionsOfAStoreWithoutFault(t *testing.T) {
	found, res, err := work(t, &shelf{rows: map[int64][]peers.Item{}, show: latest})
	require.NoError(t, err)
	assert.Zero(t, found.stale)
	assert.Zero(t, found.backwards)
	assert.Equal(t, res.Count(read), found.reads)
	assert.InDelta(t, writeShare, float64(res.Count(write))/float64(res.Count()), 0.03)
}

func TestSessionsFindAReplicaThatTrails(t *testing.T) {
	db := &shelf{rows: map[int64][]peers.Item{}, show: func(v []peers.Item) peers.Item { return v[max(len(v)-2, 0)] }}
	found, _, err := work(t, db)
	require.NoError(t, err)
	assert.Positive(t, found.stale)
}

func TestSessionsFindWhatWasNeverWritten(t *testing.T) {
	_, _, err := work(t, &shelf{rows: map[int64][]peers.Item{}, show: func(v []peers.Item) peers.Item {
		it := latest(v)
		it.Version++
		return it
	}})
	require.ErrorContains(t, err, "were written")
}

func TestLedgerFindsALostWrite(t *testing.T) {
	l := newLedger(1, 1)
	db := &shelf{rows: map[int64][]peers.Item{}, show: latest}
	require.NoError(t, l.verify(t.Context(), db))
	l.next(1)
	require.ErrorContains(t, l.verify(t.Context(), db), "not sound")
}

func TestCheck(t *testing.T) {
	s := newSession(t.Context(), 0)
	s.wrote[1] = 5
	for reason, step := range map[string]struct {
		item peers.Item
		seen int64
		want findings
	}{
		"what it wrote":                {peers.Item{ID: 1, Version: 5}, 0, findings{reads: 1}},
		"later than it wrote":          {peers.Item{ID: 1, Version: 6}, 0, findings{reads: 1}},
		"older than it wrote":          {peers.Item{ID: 1, Version: 4}, 0, findings{reads: 1, stale: 1}},
		"older than it wrote and read": {peers.Item{ID: 1, Version: 4}, 5, findings{reads: 1, stale: 1}},
		"another's row":                {peers.Item{ID: 2, Version: 3}, 3, findings{reads: 1}},
		"older than it read":           {peers.Item{ID: 2, Version: 3}, 4, findings{reads: 1, backwards: 1}},
	} {
		t.Run(reason, func(t *testing.T) {
			clear(s.seen)
			s.seen[step.item.ID] = step.seen
			var found findings
			s.check(&found, step.item)
			assert.Equal(t, step.want, found)
			assert.Equal(t, max(step.seen, step.item.Version), s.seen[step.item.ID])
		})
	}
}

// Each session writes its owner's rows only, so that a row has one writer.
func TestOwnRows(t *testing.T) {
	l := newLedger(3, 4)
	owners := map[int64]int{}
	for owner := range 3 {
		for n := range 4 {
			id := l.own(owner, n)
			_, taken := owners[id]
			assert.False(t, taken)
			owners[id] = owner
		}
	}
	assert.Len(t, owners, l.rows())
	r, s := rand.New(rand.NewPCG(1, 1)), newSession(t.Context(), 1)
	for range 1000 {
		assert.Contains(t, owners, s.choose(r, l))
	}
}
