package router

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// demandGap is the least time between two looks that reads asked for: under a load of reads
	// that wait for a write the writer is asked at most 200 times a second. Tokens may ask it as often.
	demandGap = 5 * time.Millisecond
	// idleFactor is how much rarer the looks at a bind become that was not read from since the last.
	idleFactor = 10
)

// noteRead says that the bind is read from: its servers are worth a look.
func (m *monitor) noteRead() {
	if !m.r.reads.Load() {
		m.r.reads.Store(true)
		m.begin()
		if m.idle.Load() {
			m.want()
		}
	}
}

// want asks for a look at once.
func (m *monitor) want() {
	select {
	case m.demand <- struct{}{}:
	default:
	}
}

// wait returns when it is time to ask the writer again, false when the monitor ends.
func (m *monitor) wait(ctx context.Context) bool {
	interval := m.pace()
	// A tenth of jitter keeps the processes of a service from asking in step.
	timer := time.NewTimer(interval + rand.N(interval/10+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-m.demand:
	case <-timer.C:
	}
	return true
}

// pace returns how long it is to the next look. Only the goroutine that watches the writer calls it.
func (m *monitor) pace() time.Duration {
	m.idle.Store(true) // before reads is looked at: a read that comes after that must see it
	read, now := m.r.reads.Swap(false), m.r.now()
	if read {
		m.idle.Store(false)
		m.awake = now + restAfter
	}
	if m.checked.Swap(false) {
		m.awake = max(m.awake, now+2*m.conf.ProbeTimeout)
	}
	interval := m.conf.MonitorInterval
	if read {
		return interval
	}
	interval *= idleFactor
	if m.conf.MaxLag > 0 {
		interval = min(interval, max(m.conf.MaxLag/8, m.conf.MonitorInterval))
	}
	if now < m.awake || m.r.strict {
		return interval
	}
	m.rest()
	return max(interval, restInterval)
}
