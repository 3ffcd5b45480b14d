package router

import (
	"time"

	"github.com/bindery-go/bindery/binds"
)

// balance is what is known of a reader's address that may be a load balancer's. What one of several
// servers has proved says nothing of the next connection, which may lead to another: such a reader
// serves only reads that need no freshness. The verdict does not last for good: an address that was
// moved while the server before was still up looks the same for a moment.
type balance struct {
	// stranger is another server than the known one that a connection reached at the moment suspect, ""
	// if none did. If a new connection of the monitor's finds the known one still, the address leads to
	// several; if it finds the stranger, it has moved.
	stranger string
	suspect  time.Duration
	before   string // the server that it led to until it moved, at the moment movedAt
	movedAt  time.Duration
	confirms int           // how many questions are yet to be asked on new connections
	alike    int           // answers of one server in a row, each on a connection of its own, since the verdict
	checked  time.Duration // when the latest of them came
}

const (
	// askAnewEvery is how often the monitor asks on a new connection whether the verdict still holds.
	askAnewEvery = 10 * time.Second
	// answersAlike of one server in a row lift it: two minutes' worth. Should it be wrong, no read is:
	// each new connection proves which server it leads to.
	answersAlike = 12
	// backWithin is how soon an address that has moved is back at the very server of before if it leads to both.
	backWithin = 10 * time.Second
	// confirmMove is how many of the next questions are asked on new connections to find that out.
	confirmMove = 3
)

// askAnew lets the next probe of reader i use a new connection, if it is time to find out whether the
// address leads to several servers, or still does. It reports whether it did.
func (m *monitor) askAnew(i int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.states[i]
	switch {
	case s.confirms > 0:
		s.confirms--
	case !s.balanced || m.r.now()-s.checked < askAnewEvery:
		return false
	}
	m.r.readers[i].engine.ProbeAnew()
	return true
}

// suspectsLocked notes that a connection of reader i reached a server that is not the known one.
func (m *monitor) suspectsLocked(i int, stranger string) {
	m.r.readers[i].engine.ProbeAnew()
	m.states[i].stranger, m.states[i].suspect = stranger, m.r.now()
}

// judge says by the answer to a question asked at a moment whether the reader's address leads to
// several servers; anew tells that it was asked on a new connection for that.
func (s *readerState) judge(p binds.Probe, asked time.Duration, anew bool) {
	back := p.Server == s.before && p.Server != s.server && p.Server != "" && asked-s.movedAt < backWithin
	switch {
	case back:
		s.balanced, s.alike, s.checked = true, 0, asked
	case s.stranger == "":
	case p.Server == s.stranger:
		s.before, s.movedAt, s.confirms = s.server, asked, confirmMove
	case asked < s.suspect:
		return // perhaps on the connection of before
	case p.Server == s.server:
		s.balanced, s.alike, s.checked = true, 0, asked
	}
	s.stranger = ""
	if s.balanced && anew {
		s.checked = asked
		if s.alike++; p.Server != s.server {
			s.alike = 1
		}
		if s.alike == answersAlike {
			s.balanced = false
			s.forget()
		}
	}
}
