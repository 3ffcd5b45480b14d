package routertest

import "time"

// Down makes the server unreachable until [Server.Up]: dialing fails at once, a statement under way
// gets io.ErrUnexpectedEOF and open transactions are rolled back; an idle connection is
// driver.ErrBadConn when it is next used. The server goes on replaying and keeps its identity: a
// restart is [Server.CrashRestart].
func (s *Server) Down() {
	defer s.lock()()
	s.down = true
	s.disconnectLocked()
}

// Up ends [Server.Down].
func (s *Server) Up() {
	defer s.lock()()
	s.down = false
}

// Freeze stops the server as SIGSTOP does until [Server.Thaw]: it replays nothing, and whoever dials,
// probes or sends a statement waits until Thaw, the end of the context, or binds.Interrupter. A
// statement that its sender has given up by Thaw is not carried out.
func (s *Server) Freeze() {
	defer s.lock()()
	if s.thawed == nil {
		s.catchUpLocked()
		s.thawed = make(chan struct{})
	}
}

// Thaw ends [Server.Freeze].
func (s *Server) Thaw() {
	defer s.lock()()
	s.thawLocked()
}

func (s *Server) thawLocked() {
	if s.thawed != nil {
		close(s.thawed)
		s.thawed = nil
	}
}

// CrashRestart restarts the server at an older state, as a standby does that had not yet flushed what
// it showed: without the last lost entries, or empty if it had no more. They come back as its lag
// says, counted from now: at once if it has none. All connections break, and the server is another
// one to probes. A server that is down stays so; one that is frozen is not any more.
//
// A primary forgets its last entries for good. Replicas that have them show them on, and follow
// no further.
func (s *Server) CrashRestart(lost int) {
	if lost < 0 {
		panic("routertest: CrashRestart with less than nothing lost")
	}
	defer s.lock()()
	s.catchUpLocked()
	s.stopLocked()
	if lost > 0 {
		s.loadLocked(s.rebuildLocked(max(0, len(s.log)-lost)))
	}
	s.restartLocked()
}

// stopLocked ends what goes on in the server; nothing that is not committed survives.
func (s *Server) stopLocked() {
	for c := range s.conns {
		c.tx.discardLocked(s)
		c.tx = nil
	}
	s.disconnectLocked()
	s.thawLocked()
}

func (s *Server) restartLocked() {
	s.revealLocked()
	s.starts++
	s.since = time.Now()
}

// loadLocked reports that a server could not get another state.
func (s *Server) loadLocked(err error) {
	if err != nil {
		s.cluster.t.Errorf("routertest: restart %s: %v", s.name, err)
	}
}

func (s *Server) disconnectLocked() {
	for c := range s.conns {
		c.breakLocked()
	}
}
