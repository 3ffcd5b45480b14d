package proxy

import (
	"sync"
	"time"
)

// turns gives statements their turns, in virtual time: each turn comes one interval after the one
// before, or now if that is past. Its zero value has no limit.
type turns struct {
	mu       sync.Mutex // guards the rest
	interval time.Duration
	next     time.Time
}

func (t *turns) limit(perSecond float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interval = 0
	if perSecond > 0 {
		t.interval = time.Duration(float64(time.Second) / perSecond)
	}
}

// take returns when the turn of a statement is that comes now.
func (t *turns) take(now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.interval == 0 {
		return now
	}
	turn := now
	if t.next.After(now) {
		turn = t.next
	}
	t.next = turn.Add(t.interval)
	return turn
}
