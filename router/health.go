package router

import (
	"context"
	"slices"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// Health is what is known of one reader at one moment.
type Health struct {
	Engine *binds.Engine
	// Serving says that plain reads may go there now.
	Serving bool
	// Drained says that it was taken out of service, see [Router.SetDrained].
	Drained bool
	// Shared says that the reader sees its primary's own data: its lag is always zero.
	Shared bool
	// Down is why the reader serves nothing, nil if it is up.
	Down error
	// Doubt is why the reader's freshness cannot be proved, nil if it can.
	Doubt error
	// Lag is how long ago the moment is for which the reader is known to show every write that was
	// acknowledged before it. No server's clock is asked, so it is right while nothing is written.
	// While the writer does not answer, it is counted up to its last answer. Where nobody has read
	// for a minute, see [Freshness], and the reader has not caught up, it is up to a minute too long. It
	// means nothing unless LagKnown is set.
	Lag      time.Duration
	LagKnown bool

	caughtUp bool // with what was written before the call
}

// healthPoll is how often [Router.Health] looks whether the readers have caught up.
const healthPoll = 2 * time.Millisecond

// Health looks at the servers and returns what it finds of each reader, in the order of the
// configuration. It returns as soon as every reader that can is known to show all that was written
// before the call, or when ctx or the configured probe timeout ends: what lags by more than that is
// told with its lag. It does not count as a read, see [Freshness]. It is safe for concurrent use.
func (r *Router) Health(ctx context.Context) []Health {
	if r.monitor == nil {
		return r.sharedHealth()
	}
	began := r.moment()
	r.Start(ctx)
	r.monitor.checked.Store(true)
	r.monitor.want()
	ctx, cancel := context.WithTimeout(ctx, r.fresh.ProbeTimeout)
	defer cancel()
	var before []Health
	for {
		list, settled := r.monitor.health(began)
		for i := range before { // what one of them keeps us waiting for does not make another one late
			if before[i].caughtUp && list[i].caughtUp {
				list[i].Lag = before[i].Lag
			}
		}
		before = list
		if settled || !pause(ctx, healthPoll) {
			return list
		}
	}
}

func (r *Router) sharedHealth() []Health {
	var list []Health
	for _, reader := range r.readers {
		list = append(list, Health{Engine: reader.engine, Serving: !reader.Drained(), Drained: reader.Drained(), Shared: true, LagKnown: true})
	}
	return list
}

// health returns what is known, and whether no more is to be expected from waiting: each reader shows
// what was written up to the moment began, or cannot.
func (m *monitor) health(began time.Duration) (list []Health, settled bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.healthLocked(began)
}

// today is the moment up to which lag is counted. The lock must be held.
func (m *monitor) today() time.Duration {
	if m.gone() {
		return m.contact
	}
	return m.r.now()
}

func (m *monitor) healthLocked(began time.Duration) (list []Health, settled bool) {
	today := m.today()
	last, asked := m.samples.last()
	settled = m.gone() || asked && last.at > began
	serving := m.r.view.Load().fit
	for i, reader := range m.r.Readers() {
		s := &m.states[i]
		h := Health{Engine: reader.engine, Serving: slices.Contains(serving, reader), Drained: reader.Drained(), Doubt: s.why}
		if s.down {
			h.Down = s.err
		}
		if h.Doubt == nil && s.horizon > 0 {
			h.Lag, h.LagKnown, h.caughtUp = max(s.todayFor(today, m.r.now())-s.horizon, 0), true, s.horizon > began
		}
		if !m.gone() && !s.down && s.why == nil && !h.caughtUp {
			settled = false
		}
		list = append(list, h)
	}
	return list, settled
}
