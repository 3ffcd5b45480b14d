package router

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// A sample is what the primary said of itself: at is the moment before it was asked, on this
// process's monotonic clock. Whoever has replayed its position shows every write that was
// acknowledged before at.
type sample struct {
	at    time.Duration
	probe binds.Probe
}

// samples are the primary's latest, oldest first, all of one history.
type samples struct {
	list  []sample
	epoch int   // counts the histories seen
	none  error // why there are none, nil if nobody has been asked
}

const (
	// keepSamples bounds how many samples are kept. The older they are, the further they stand apart, by thin: so they
	// reach back for keepFor however fast new ones come, and a reader that trails steadily covers one that is older
	// than its lag by a third of that at most.
	keepSamples = 64
	keepFor     = time.Hour
)

// add appends a sample. If it belongs to another history than those before, or the writer has gone
// back, they are forgotten and the reason is returned: what was known of readers is void.
func (s *samples) add(n sample) (broken error) {
	if len(s.list) > 0 {
		last := s.list[len(s.list)-1].probe
		switch {
		case last.History != n.probe.History:
			broken = fmt.Errorf("the writer's history changed from %s to %s: it was replaced or promoted", last.History, n.probe.History)
		case last.Server != n.probe.Server && !(last.Peer && n.probe.Peer):
			broken = errors.New("the writer restarted, or its address leads to another server")
		case last.Position != nil && n.probe.Position != nil && !n.probe.Position.Covers(last.Position):
			broken = errors.New("the writer's position went back: it lost writes, or its address leads to an older server")
		}
	}
	if broken != nil || len(s.list) == 0 {
		s.list = s.list[:0]
		s.epoch++
	}
	if len(s.list) > 1 && n.at-s.list[1].at > keepFor {
		s.list = slices.Delete(s.list, 0, 1)
	}
	if len(s.list) == keepSamples {
		s.thin(n.at)
	}
	s.list = append(s.list, n)
	return broken
}

// thin forgets the sample that is missed least now: the one whose neighbours stand closest together, compared with
// their age. The newest and the oldest stay.
func (s *samples) thin(now time.Duration) {
	least, at := math.Inf(1), 1
	for i := 1; i < len(s.list)-1; i++ {
		before, after := s.list[i-1].at, s.list[i+1].at
		if gap := float64(after-before) / float64(now-before); gap < least {
			least, at = gap, i
		}
	}
	s.list = slices.Delete(s.list, at, at+1)
}

func (s *samples) last() (sample, bool) {
	if len(s.list) == 0 {
		return sample{}, false
	}
	return s.list[len(s.list)-1], true
}

// after returns the moment of the earliest sample after a moment, and whether there is one.
func (s *samples) after(moment time.Duration) (at time.Duration, ok bool) {
	for _, sample := range s.list {
		if sample.at > moment {
			return sample.at, true
		}
	}
	return 0, false
}

// covered returns the moment of the latest sample that p covers, 0 if it covers none. A sample that
// proves nothing may be short of what was acknowledged before it.
func (s *samples) covered(p binds.Position) time.Duration {
	for i := len(s.list) - 1; i >= 0; i-- {
		if then := s.list[i].probe; then.Doubt == nil && p.Covers(sentBy(then)) {
			return s.list[i].at
		}
	}
	return 0
}

// otherView returns an error if a reader's sessions see other data than the primary's do: nothing that it shows is what was
// asked for.
func (s *samples) otherView(p binds.Probe) error {
	last, ok := s.last()
	if !ok {
		return nil
	}
	if differs := p.View.Differs(last.probe.View); differs != nil {
		return &OtherViewError{Differences: differs}
	}
	return nil
}

// sentBy is how far replicas may have come when a primary was asked: whoever covers it shows all that any of them did.
func sentBy(p binds.Probe) binds.Position {
	if p.Sent != nil {
		return p.Sent
	}
	return p.Position
}

// firstCovering returns the moment of the earliest sample since which the writer has always covered
// p, and whether there is one: a reader with that horizon, or a later one, covers p, too.
func (s *samples) firstCovering(p binds.Position) (first time.Duration, ok bool) {
	for i := len(s.list) - 1; i >= 0; i-- {
		then := s.list[i].probe
		if then.Doubt != nil || then.Position == nil || !then.Position.Covers(p) {
			break
		}
		first, ok = s.list[i].at, true
	}
	return first, ok
}

// standing is what is known of one reader's freshness. Its zero value knows nothing.
type standing struct {
	horizon  time.Duration // the reader shows every write acknowledged before it; 0: nothing is known
	proven   binds.Position
	server   string // whom horizon and proven are true of
	history  string
	left     []string // the histories that server was on before
	epoch    int
	life     uint64 // counts the times that what was known became void
	parted   bool   // it has diverged; true until the server or the history is another
	balanced bool   // its address leads to several servers, see balance
	why      error  // why the reader's freshness cannot be proved, nil if it can
	// floor is a horizon that is void because the writer has changed. It counts while no primary answers: what the server has
	// shown it still shows, and whatever was written to another primary was acknowledged later, on a connection that
	// has found the change.
	floor time.Duration

	asked time.Duration // the moment of the question that is answered, see Router.question; 0: it was none
	peer  bool          // see peer.go
	// primary says that it is the primary's own server: after a failover, say, where the list of readers stayed.
	primary bool

	previous binds.Position // of the probe before
	prevAt   time.Duration  // the moment when that was answered
	overtake
}

// forget makes everything void that was known.
func (st *standing) forget() {
	st.horizon, st.floor, st.proven, st.previous = 0, 0, nil, nil
	st.life++
}

// void makes void what was known of a server that is still the same, because the writer has changed.
func (st *standing) void() {
	floor := max(st.horizon, st.floor)
	st.forget()
	st.floor = floor
}

// learn takes in what a reader says of itself, asked after the latest of the writer's samples.
func (st *standing) learn(p binds.Probe, answered time.Duration, s *samples) {
	if p.Detached && p.Server == st.server && slices.Contains(st.left, p.History) {
		p.History = st.history // a server goes back to none that it has left: it only does not know better
	}
	if p.Server != st.server || p.History != st.history || s.epoch != st.epoch {
		switch {
		case p.Server == st.server && p.Server != "":
			st.void()
		case p.Server != "" || st.server != "": // a driver without positions promises nothing that could end
			st.forget()
		}
		st.parted = st.parted && p.Server == st.server && p.History == st.history
		switch {
		case p.Server != st.server:
			st.left = nil
		case p.History != st.history && !slices.Contains(st.left, st.history):
			st.left = append(st.left, st.history)
		}
		st.server, st.history, st.epoch = p.Server, p.History, s.epoch
		st.overtake = overtake{}
	}
	st.peer, st.primary = p.Peer, p.Primary && !p.Peer
	writer, ok := s.last()
	if !ok {
		st.why = s.none
		if st.why == nil {
			st.why = errWriterUnknown
		}
		return
	}
	st.why = st.doubt(p, writer)
	st.previous, st.prevAt = p.Position, answered
	if st.why != nil {
		switch {
		case st.why == errDiverged && !st.parted: // time will tell, or the writer's end
			if st.horizon != 0 {
				st.void()
			}
		case st.horizon != 0 || st.parted || st.balanced:
			st.forget()
		}
		return
	}
	if p.Peer {
		st.learnPeer()
		return
	}
	if st.proven != nil && !p.Position.Covers(st.proven) {
		st.forget() // it recovered to an older state under the same name
	}
	if st.holds(p, writer) {
		return
	}
	if at := s.covered(p.Position); at > 0 {
		st.horizon, st.floor, st.proven = at, 0, p.Position
	}
}

var (
	errWriterUnknown = errors.New("the writer has not been asked yet")
	errDiverged      = errors.New("the reader has diverged: it holds what the writer does not have: rebuild it from the present primary")
	errBalanced      = errors.New("the address leads to several servers: give each of them as a reader of its own")
)

// doubt returns why the reader's position proves nothing.
func (st *standing) doubt(p binds.Probe, writer sample) error {
	w := writer.probe
	switch {
	case st.balanced:
		return errBalanced
	case p.Peer && w.Peer:
		return doubtPeer(p, w)
	case w.Doubt != nil:
		return fmt.Errorf("the writer cannot prove freshness: %w", w.Doubt)
	case p.Doubt != nil:
		return p.Doubt
	case p.Primary && p.Server != w.Server:
		return errors.New("the reader is a primary of its own: it was promoted, or is no replica")
	case p.History != w.History:
		return otherHistory(p, w)
	case st.hasParted(p, writer):
		return errDiverged
	}
	return nil
}

// hasParted compares where the reader was before with where the writer was after that.
func (st *standing) hasParted(p binds.Probe, writer sample) bool {
	w := writer.probe
	if st.previous != nil && st.prevAt < writer.at && p.Server != w.Server {
		if o, may := st.previous.(binds.Overtaker); may {
			st.parted = st.parted || o.Parted(w.Position)
			st.compare(st.previous, writer)
		} else if st.previous.Exceeds(w.Position) {
			st.parted = true
		}
	}
	return st.parted || st.lasts(writer)
}

// logDoubt writes one line when a reader begins or ceases to prove its freshness.
func logDoubt(log *slog.Logger, engine string, before, after error) {
	switch {
	case after == nil && errors.Is(before, errWriterUnknown):
		log.Debug("reader proves its freshness", "engine", engine)
	case after == nil && before != nil:
		log.Info("reader proves its freshness", "engine", engine)
	case after != nil && (before == nil || before.Error() != after.Error()) && !errors.Is(after, errWriterUnknown):
		log.Warn("reader cannot prove its freshness and serves only reads that need none", "engine", engine, "reason", after)
	}
}

// otherHistory says that a reader cannot be compared with the writer, and what might change that.
func otherHistory(p, w binds.Probe) error {
	advice := ""
	if p.Advice != "" {
		advice = ": " + p.Advice
	}
	return fmt.Errorf("the reader follows another history (%s) than the writer (%s): it belongs to another cluster, or was not repointed after a failover%s", p.History, w.History, advice)
}
