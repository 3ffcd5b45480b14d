package manager

import (
	"context"
	"sync"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// How the lag of readers is remembered, for [DBManager.Handler].
const (
	lagStep  = 2 * time.Second
	lagSteps = 150 // five minutes
)

// A lagHistory remembers how far each reader trailed. It asks no server: it notes what the monitors have found.
type lagHistory struct {
	begin sync.Once

	mu      sync.Mutex // guards the rest
	engines map[*binds.Engine]*lagSeries
}

// A lagSeries is one reader's part. A lag that was not known is negative.
type lagSeries struct {
	seconds [lagSteps]float32 // a ring
	count   int               // of all there ever were
	seen    bool              // in the latest round
}

func (s *lagSeries) add(seconds float32) {
	s.seconds[s.count%lagSteps] = seconds
	s.count++
}

// watchLag begins to remember, once, until the manager is closed.
func (m *DBManager) watchLag() {
	m.lags.begin.Do(func() {
		m.goCheck(func(ctx context.Context) {
			ticker := time.NewTicker(lagStep)
			defer ticker.Stop()
			for {
				m.lags.note(m.book.Load().binds)
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
			}
		})
	})
}

// note adds what is known now of each reader, and forgets the readers that are gone.
func (h *lagHistory) note(list []*Bind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.engines == nil {
		h.engines = make(map[*binds.Engine]*lagSeries)
	}
	for _, b := range list {
		for _, health := range b.router.KnownHealth() {
			s := h.engines[health.Engine]
			if s == nil {
				s = new(lagSeries)
				h.engines[health.Engine] = s
			}
			s.seen = true
			if health.LagKnown && health.Down == nil {
				s.add(float32(health.Lag.Seconds()))
			} else {
				s.add(-1)
			}
		}
	}
	for e, s := range h.engines {
		if !s.seen {
			delete(h.engines, e)
		}
		s.seen = false
	}
}

// of returns the lags of a reader in seconds, oldest first, nil for what was not known; at most lagSteps, lagStep apart.
func (h *lagHistory) of(e *binds.Engine) []*float32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.engines[e]
	if s == nil {
		return nil
	}
	list := make([]*float32, 0, lagSteps)
	for i := max(s.count-lagSteps, 0); i < s.count; i++ {
		seconds := s.seconds[i%lagSteps]
		if seconds < 0 {
			list = append(list, nil)
			continue
		}
		list = append(list, &seconds)
	}
	return list
}
