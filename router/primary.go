package router

import (
	"errors"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// primaryState is what the monitor knows of the bind's primary. The writer's address says only where we hope that it
// is: whose positions prove the readers is the server that says of itself that it is the primary.
type primaryState struct {
	// source is the listed reader whose server is the primary now that the writer's is a replica; nil: the writer.
	source *Reader
	// demoted says that the writer's server is a replica, as it said itself. What it said then is replica.
	demoted bool
	replica binds.Probe
	known   bool          // some primary has answered once
	contact time.Duration // when one answered last
}

// ErrWriterIsReplica is matched by the error of connecting to a writer whose server says that it is a replica: it is not written
// to, nor read from as a writer. Nothing was sent.
var ErrWriterIsReplica = errors.New("the writer's server is a replica: give the primary's address as writer, or wait until it is promoted")

// gone reports whether no primary answers: no write is acknowledged to this process.
func (m *monitor) gone() bool {
	return m.source == nil && (m.demoted || m.writerErr != nil)
}

// knowsWriterDown reports whether the writer did not answer when the monitor asked it last. A bind without a monitor knows nothing.
func (m *monitor) knowsWriterDown() bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writerErr != nil
}

// isDemoted reports whether the writer's server said that it is a replica when the monitor asked it last.
func (m *monitor) isDemoted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.demoted
}

// hearWriterLocked takes in what the writer's server said of itself when it was asked at a moment.
func (m *monitor) hearWriterLocked(at time.Duration, p binds.Probe) {
	if p.Primary {
		if m.demoted {
			m.r.logger.Info("writer is the primary again", "engine", m.r.writer.Name())
			m.demoted, m.source, m.samples.none = false, nil, nil
			m.restStandbyLocked()
		}
		m.hearPrimaryLocked(at, p)
		return
	}
	m.replica = p
	if m.demoted {
		return
	}
	m.demoted, m.samples.none = true, ErrWriterIsReplica
	m.r.logger.Warn("writer's server is a replica: writes wait for a primary, reads go to whichever server is proved",
		"engine", m.r.writer.Name())
	m.r.writerConns.retire()
	m.publishLocked()
}

// hearPrimaryLocked takes in what the primary said.
func (m *monitor) hearPrimaryLocked(at time.Duration, p binds.Probe) {
	m.known, m.contact = true, at
	was, ok := m.samples.last()
	if broken := m.samples.add(sample{at: at, probe: p}); broken != nil {
		m.voidLocked(broken)
	} else if ok {
		m.hearPeerLocked(was, p)
	}
}

// hearReaderLocked takes in what a reader's server said when it was asked at a moment, if that makes it the primary:
// the one that is asked in the writer's place, as long as that is a replica. The other readers are asked then.
func (m *monitor) hearReaderLocked(reader *Reader, at time.Duration, p binds.Probe) {
	if m.source == reader && !p.Primary {
		m.r.logger.Warn("reader's server is the primary no longer", "engine", reader.Name())
		m.source = nil
	}
	if !m.demoted || !m.leadsLocked(reader, p) {
		return
	}
	if m.source != reader {
		m.source = reader
		m.r.logger.Info("a reader's server is the primary: the readers are proved by it", "engine", reader.Name())
	}
	m.hearPrimaryLocked(at, p)
	for i, other := range m.r.readers {
		if other != reader {
			m.tellLocked(i)
		}
	}
}

// leadsLocked reports whether a reader's server has proved to be the primary that the writer's server, a replica,
// was replaced by: it belongs to its cluster and is no older, and holds what is known of the primary of before.
func (m *monitor) leadsLocked(reader *Reader, p binds.Probe) bool {
	if !p.Primary || p.Doubt != nil || p.Position == nil {
		return false
	}
	if m.source == reader {
		return true
	}
	last, any := m.samples.last()
	// Two addresses may lead to the one primary. It is heard by one of them, as long as that answers: or each would have the other asked, on
	// and on.
	if any && m.source != nil && !m.states[m.source.place].down && p.Timeline <= last.probe.Timeline {
		return false
	}
	if p.Cluster != "" && p.Timeline != 0 {
		return p.Cluster == m.replica.Cluster && p.Timeline >= m.replica.Timeline &&
			(!any || p.Cluster == last.probe.Cluster && p.Timeline >= last.probe.Timeline)
	}
	// No promotion is counted there: it must hold all that the two held before, and be the only one to claim that.
	holds := func(of binds.Probe) bool {
		return of.Position == nil || p.History == of.History && !of.Position.Exceeds(p.Position)
	}
	return m.source == nil && holds(m.replica) && (!any || holds(last.probe))
}

// The writer's server is a reader like any other while it is a replica, by an engine of its own at the same address.
// It is the last of Router.readers, and none of those that were listed.

// addStandby adds that engine where positions can prove it. It connects when it is first used.
func (r *Router) addStandby() {
	if _, positions := r.writer.Driver().(binds.Positioner); !positions {
		return
	}
	r.standby = NewReader(r.writer.Sibling(r.writer.Name()+"-replica", binds.As(binds.Reader), binds.WithPool(r.writer.Pool())), 1)
	r.standby.held = newHolding(r.standby.engine, r.logger)
	r.standby.place = len(r.readers)
	r.readers = append(r.readers[:len(r.readers):len(r.readers)], r.standby)
}

// rests reports whether a reader is the standby while that serves nothing, because the writer's server is the
// primary.
func (m *monitor) rests(reader *Reader) bool { return reader == m.r.standby && !m.demoted }

// restStandbyLocked forgets what is known of the standby.
func (m *monitor) restStandbyLocked() {
	if m.r.standby == nil {
		return
	}
	s := &m.states[m.r.standby.place]
	s.forget()
	s.down, s.err, s.good, s.why = false, nil, 0, errWriterUnknown
	m.r.standby.publish(&s.standing, m.r.now())
	m.r.standby.engine.ProbeAnew()
}
