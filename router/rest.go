package router

import (
	"context"
	"time"
)

// A bind that nobody reads from rests: its looks become rare, and nothing that they find is served by,
// since it would be older than the allowed lag by the time a read came. The first read after that wakes
// the monitor and waits for the look. A strict bind does not rest: a reader that trails proves nothing
// before it has replayed up to the first look, and meanwhile nobody else may serve.
const (
	// restAfter is how long nobody has read when the rest begins: whoever reads every few seconds
	// never waits for a look.
	restAfter = time.Minute
	// restInterval is the time between two looks at rest, so that a server which dies is logged soon
	// enough for somebody to mend it before it is needed. A probe's connection lives no longer, either.
	restInterval = time.Minute
)

// rest begins a rest, or goes on with it.
func (m *monitor) rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.resting {
		m.resting = true
		m.publishLocked()
	}
}

// atRest reports whether the looks are rare. A rest that is about to end does not count.
func (m *monitor) atRest() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.resting && !m.waking
}

// wanted reports whether somebody waits for the look that is under way, or may still use what it
// finds. Only the goroutine that watches the writer calls it.
func (m *monitor) wanted() bool {
	return m.r.reads.Load() || m.checked.Load() || m.r.now() < m.awake
}

// wakeLocked lets a rest end, now that the writer has been asked at a moment, as soon as the first
// reader that was up has been, too: at once if there is none.
func (m *monitor) wakeLocked(at time.Duration) {
	m.waking, m.woke = true, at
	up := false
	for i := range m.states {
		up = up || !m.states[i].down && !m.rests(m.r.readers[i])
	}
	if !up {
		m.endRestLocked()
	}
}

// endRestLocked ends the rest that is to end, if there is one. The caller publishes.
func (m *monitor) endRestLocked() {
	if m.waking {
		m.waking, m.resting = false, false
	}
}

// rouse wakes a bind that rests, for a read that found no reader in v, and returns what may serve it as
// soon as that is known: when the writer and a reader have been asked, or their time is over. A
// read that only readers may serve waits until one is up.
func (r *Router) rouse(ctx context.Context, v *view, onlyReaders bool) *view {
	if !v.resting {
		return v
	}
	r.reads.Store(true)
	r.monitor.want()
	timer := time.NewTimer(2 * r.fresh.ProbeTimeout) // one for the writer, one for the readers
	defer timer.Stop()
	for v.resting || onlyReaders && len(v.up) == 0 {
		select {
		case <-v.replaced:
		case <-timer.C:
			return r.view.Load()
		case <-ctx.Done():
			return v
		}
		v = r.view.Load()
	}
	return v
}
