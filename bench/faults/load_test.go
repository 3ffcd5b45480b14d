package faults

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/peers"
)

// ailing is a DB whose server is away for a while.
type ailing struct {
	peers.DB
	started time.Time
}

const (
	awayFrom, awayUntil = time.Second, 3 * time.Second
	latency             = time.Millisecond
)

// answer takes its time; while the server is away, a read hangs and a write fails at once.
func (a *ailing) answer(ctx context.Context, hangs bool) error {
	if now := time.Since(a.started); now < awayFrom || now >= awayUntil {
		return wait(ctx, latency)
	}
	if !hangs {
		return errBroken
	}
	<-ctx.Done()
	return ctx.Err()
}

func (a *ailing) Get(ctx context.Context, id int64) (peers.Item, error) {
	return peers.Item{ID: id}, a.answer(ctx, true)
}

func (a *ailing) Exec(ctx context.Context, _ string) error { return a.answer(ctx, false) }

func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rate{readers: 2, writers: 2, every: 100 * time.Millisecond, deadline: 500 * time.Millisecond}
		c := &contender{db: &ailing{started: time.Now()}, request: func(ctx context.Context) context.Context { return ctx }}
		l := begin(t.Context(), []*contender{c}, r, 1000)
		const long = 4975 * time.Millisecond // everybody is at rest then
		time.Sleep(long)
		seen := l.end()[c]

		require.Equal(t, long, seen.whole)
		// Each writer begins every 100 ms, and misses none: what fails fails at once.
		require.Len(t, seen.writes, 2*50)
		require.Equal(t, 2*20, failed(seen.writeEvents()))
		require.Equal(t, latency, slowest(seen.writeEvents()))
		require.Equal(t, 2050*time.Millisecond, gap(seen.writeEvents(), seen.whole), "the last writer before, the first after")
		numbers := map[int64]bool{}
		for _, w := range seen.writes {
			require.Greater(t, w.number, int64(1000))
			numbers[w.number] = true
		}
		require.Len(t, numbers, len(seen.writes), "no number twice")
		// A reader hangs until its deadline and goes on at its next moment, four times in two seconds.
		require.Equal(t, 2*4, failed(seen.reads))
		require.Equal(t, r.deadline, slowest(seen.reads))
	})
}

func TestFollowing(t *testing.T) {
	const every = 20
	for name, c := range map[string]struct{ due, now, want time.Duration }{
		"in time":           {100, 105, 120},
		"just in time":      {100, 120, 120},
		"one missed":        {100, 121, 140},
		"many missed":       {100, 1000, 1000},
		"many missed, late": {100, 1001, 1020},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, following(c.due, c.now, every))
		})
	}
}
