package router

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// view is which readers may serve, for queries to read without a lock. It is never changed: the
// monitor replaces it.
type view struct {
	fit      []*Reader       // up, within the allowed lag, the latest horizon first
	horizons []time.Duration // of fit
	leases   []*lease        // what horizons are true of, by the readers' places; nil for those that are not fit
	ordered  []*Reader       // fit, in the order of the configuration, for policies that take turns
	least    time.Duration   // the earliest of horizons
	primary  ahead           // those of fit whose server is the primary, see sessionBind.shownBy
	up       []*Reader       // up, however stale
	replaced chan struct{}   // closed when there is a newer one
	patience time.Duration   // how long a session's read waits for a reader if none of fit is fresh enough
	alone    time.Duration   // and one that belongs to no session
	resting  bool            // nobody has looked lately: a read has to wake the monitor
}

// always is the horizon of a reader that sees its primary's own data.
const always = time.Duration(math.MaxInt64)

// freshEnough returns the readers that show every write acknowledged by the moment need. Readers
// are sorted by their horizons, so that these are the first ones, and nothing is allocated.
func (v *view) freshEnough(need time.Duration) []*Reader {
	if len(v.ordered) > 0 && v.least > need {
		return v.ordered
	}
	n := len(v.horizons)
	for n > 0 && v.horizons[n-1] <= need {
		n--
	}
	return v.fit[:n]
}

// order fills in what follows from fit and horizons; readers are in the order of the configuration.
func (v *view) order(readers []*Reader) {
	for _, r := range readers {
		if slices.Contains(v.fit, r) {
			v.ordered = append(v.ordered, r)
		}
	}
	if n := len(v.horizons); n > 0 {
		v.least = v.horizons[n-1]
	}
}

// leaseOf returns the lease of a reader that is fit.
func (v *view) leaseOf(reader *Reader) *lease {
	if l := v.promised(reader); l != nil {
		return l
	}
	return reader.lease.Load()
}

// promised returns the lease of a reader, nil if nothing is known of its freshness.
func (v *view) promised(reader *Reader) *lease {
	if reader.place < len(v.leases) {
		return v.leases[reader.place]
	}
	return nil
}

// A reader leaves the set at half the allowed lag, unless it would be the last, and at the allowed
// lag in any case; it returns at a quarter. Between the thresholds nothing changes, so that a
// reader on the edge does not go in and out, and one slow moment of all readers does not send
// every read to the writer.
func (f *Freshness) tardy(lag time.Duration, was bool) bool {
	if was {
		return lag > f.MaxLag/4
	}
	return lag > f.MaxLag/2
}

// publishLocked makes a new view of what is known. m.mu must be held.
func (m *monitor) publishLocked() {
	type entry struct {
		reader  *Reader
		horizon time.Duration
		tardy   bool
	}
	v := &view{replaced: make(chan struct{}), leases: make([]*lease, len(m.r.readers)), resting: m.resting && !m.r.yielded.Load()}
	var fit []entry
	today, gone := m.r.now(), m.gone()
	if gone {
		today = m.contact // no write was acknowledged to us since: lag stands still
	}
	// While no primary has answered once, no lag can be known, and reads that need no write of
	// ours are better served than refused.
	blind := gone && !m.known
	onTime := 0
	for i, r := range m.r.readers {
		s := &m.states[i]
		if s.down || m.r.yielded.Load() || r.drained.Load() || m.rests(r) {
			continue
		}
		v.up = append(v.up, r)
		if m.resting && m.conf.MaxLag >= 0 {
			continue // by the time a read comes, its lag is not known
		}
		horizon := s.horizon
		if s.why != nil || horizon == 0 {
			horizon = 0 // serves what needs no freshness
			if gone {
				horizon = s.floor
			}
			if m.conf.MaxLag >= 0 && !blind && horizon == 0 {
				continue // nothing is known of its lag
			}
		}
		lag := s.todayFor(today, m.r.now()) - horizon
		if m.conf.MaxLag >= 0 && !blind {
			if horizon >= m.woke { // else nobody looked meanwhile: it may be less late than it seems
				s.tardy = m.conf.tardy(lag, s.tardy)
			}
			if lag > m.conf.MaxLag {
				continue
			}
		} else {
			s.tardy = false
		}
		if !s.tardy {
			onTime++
		}
		fit = append(fit, entry{r, horizon, s.tardy})
	}
	slices.SortStableFunc(fit, func(a, b entry) int { return cmp.Compare(b.horizon, a.horizon) })
	for _, e := range fit {
		if e.tardy && onTime > 0 {
			continue
		}
		v.fit = append(v.fit, e.reader)
		v.horizons = append(v.horizons, e.horizon)
		v.leases[e.reader.place] = e.reader.lease.Load()
		if m.states[e.reader.place].primary {
			v.primary |= ahead(e.reader.bit())
		}
		if onTime == 0 {
			break // the least late of the late: one is enough
		}
	}
	v.order(m.r.readers)
	v.patience, v.alone = m.patienceLocked(v)
	m.logServing(v)
	if old := m.r.view.Swap(v); old != nil && old.replaced != nil {
		close(old.replaced)
	}
}

// logServing writes one line when the last reader goes, and one when the first is back.
func (m *monitor) logServing(v *view) {
	none := len(v.fit) == 0
	switch {
	case none == m.unserved, m.unasked > 0, m.r.yielded.Load(): // at first nothing is known: that is no news
		return
	case v.resting, none && len(v.up) > 0 && m.woke > 0 && m.r.now()-m.woke <= m.conf.MaxLag: // nor after a rest
		return
	case none && m.r.strict:
		m.r.logger.Warn("no reader is up and fresh enough: plain reads fail", "bind", m.r.key.String())
	case none:
		m.r.logger.Warn("no reader is up and fresh enough: the writer serves all reads", "bind", m.r.key.String())
	default:
		m.r.logger.Info("readers serve", "bind", m.r.key.String(), "readers", len(v.fit))
	}
	m.unserved = none
}
