package router

import (
	"errors"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// Where all servers are equals, see [binds.Probe], no position of the writer proves a reader: an answer of the reader
// itself does. Its horizon is the moment before it was asked, whatever becomes of the writer. So the readers are
// asked at the same time as the writer, and go on to be proved when that is dead.
//
// The writer is one of the equals, too. What was written through another one, it may show a moment later: who comes
// with a token, or has read on a reader, has it prove itself before he reads there, see [binds.Revealer].

// doubtPeer returns why the answer p of a reader proves nothing beside a writer that answered w. That w has a doubt is
// the writer's affair.
func doubtPeer(p, w binds.Probe) error {
	switch {
	case p.Doubt != nil:
		return p.Doubt
	case p.History != w.History:
		return errOtherPeers
	}
	return nil
}

var errOtherPeers = errors.New("the reader belongs to another cluster than the writer: give a node of the writer's cluster")

// learnPeer takes in a proof that the reader has given of itself.
func (st *standing) learnPeer() {
	if st.asked > 0 {
		st.horizon, st.floor, st.proven = st.asked, 0, nil
	}
}

// peers reports whether the writer is known as one of equals.
func (s *samples) peers() bool {
	last, ok := s.last()
	return ok && last.probe.Peer
}

// tellPeers has the readers asked at once if they do not depend on what the writer says, and reports whether.
func (m *monitor) tellPeers() (epoch int, told bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if told = m.samples.peers() && !m.resting; told {
		m.tellReadersLocked()
	}
	return m.samples.epoch, told
}

// A token says of such a bind only which cluster it is: whoever resumes needs what was acknowledged up to then.

// peersHistory returns the history of the writer's cluster, "" if the writer is not known as one of equals.
func (r *Router) peersHistory() string {
	if r.monitor == nil {
		return ""
	}
	if last, ok, _ := r.monitor.lastSample(); ok && last.probe.Peer {
		return last.probe.History
	}
	return ""
}

// ofPeers completes the requirement of the present by what a token's part p says of the writer's cluster w.
func (present requirement) ofPeers(p part, w binds.Probe, key binds.Key) requirement {
	if p.history != 0 && p.history != hashOf(w.History) {
		present.renew, present.err = true, &StaleTokenError{Bind: key}
	}
	return present
}

// proveWriter has the writer prove itself before the session reads there: another process may have written through
// another node.
func (b *sessionBind) proveWriter() {
	r := b.router
	if r.monitor == nil {
		return
	}
	if last, ok, _ := r.monitor.lastSample(); !ok || last.probe.Peer { // it is not known, or one of equals
		b.readOn(r.readers[0])
	}
}

// staysUnproved reports whether the error of a question to reader i says that it is the server known, which cannot prove
// anything now: it is as late as it is, and serves who needs no more than it has proved.
func (m *monitor) staysUnproved(i int, err error) bool {
	var unproved *binds.UnprovedError
	s := &m.states[i]
	return errors.As(err, &unproved) && !s.down && s.why == nil &&
		unproved.Probe.Server == s.server && unproved.Probe.History == s.history && m.samples.otherView(unproved.Probe) == nil
}

// isUnprovedAsKnown is staysUnproved for a new connection to a reader, which may be sent what the reader has proved.
func (m *monitor) isUnprovedAsKnown(reader *Reader, err error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.staysUnproved(reader.place, err)
}

// provesAlone reports whether reader i is to be asked steadily, since it proves itself and the writer does not answer:
// that one hangs, perhaps, and so do the looks.
func (m *monitor) provesAlone(i int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[i].peer && m.writerErr != nil && !m.resting
}

// asksItself reports whether the answer of a reader may prove itself, so that its moment must be that of a question:
// horizons are compared with moments of writes and reads, and these are questions' moments, see Router.moment.
func (s *readerState) asksItself() bool { return s.peer || s.server == "" }

// todayFor is the moment up to which a reader's lag is counted. Equals go on to write when the writer is gone.
func (s *readerState) todayFor(today, now time.Duration) time.Duration {
	if s.peer {
		return now
	}
	return today
}

// movedToPeer retires the connections to the node that the writer's address led to before, if p is of another one of the
// same cluster, or of the same one after a restart: what is known of the readers stays true.
func (m *monitor) movedToPeer(p binds.Probe) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.samples.last()
	if !ok || !last.probe.Peer || !p.Peer || last.probe.History != p.History {
		return false
	}
	m.r.writerConns.retire()
	m.want()
	return true
}

// hearPeerLocked does the same when the monitor finds it. Was is the writer's sample before.
func (m *monitor) hearPeerLocked(was sample, p binds.Probe) {
	if !p.Peer || was.probe.Server == p.Server {
		return
	}
	m.r.logger.Info("writer's server is another node of its cluster, or was restarted", "engine", m.r.writer.Name())
	m.r.writerConns.retire()
	m.writer = pace{}
}

// peers reports whether the writer is known as one of equals.
func (m *monitor) peers() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.samples.peers()
}
