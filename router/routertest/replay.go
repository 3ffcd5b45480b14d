package routertest

import "time"

// An entry is a committed write in a log. Servers share entries: logs with the same entry at the same
// place are equal up to there.
type entry struct {
	at         time.Time // of the commit
	statements []statement
}

// SetLag makes the server show each entry exactly d after its commit; d must not be negative. What it
// shows already stays.
func (s *Server) SetLag(d time.Duration) {
	if d < 0 {
		panic("routertest: SetLag of a negative lag")
	}
	defer s.lock()()
	s.catchUpLocked()
	s.lag = d
}

// PauseReplay keeps the server at the state that it shows now.
func (s *Server) PauseReplay() {
	defer s.lock()()
	s.catchUpLocked()
	s.paused = true
}

// ResumeReplay ends [Server.PauseReplay]. What is due by now shows at once.
func (s *Server) ResumeReplay() {
	defer s.lock()()
	s.paused = false
}

// catchUpLocked replays what is due. It runs whenever somebody looks, which nobody can tell from a
// replay that goes on all the time.
func (s *Server) catchUpLocked() {
	if s.upstream == nil || s.paused || s.stuck || s.thawed != nil || s.cluster.closed || !s.followsLocked(s.upstream) {
		return
	}
	now := time.Now()
	for _, e := range s.upstream.log[len(s.log):] {
		if now.Before(s.dueLocked(e)) || !s.replayLocked(e) {
			return
		}
	}
}

// dueLocked returns when the server shows e.
func (s *Server) dueLocked(e *entry) time.Time {
	from := e.at
	if from.Before(s.since) {
		from = s.since
	}
	return from.Add(s.lag)
}

// followsLocked reports whether the log of s is a beginning of that of upstream.
func (s *Server) followsLocked(upstream *Server) bool {
	n := len(s.log)
	return n == 0 || n <= len(upstream.log) && s.log[n-1] == upstream.log[n-1]
}

func (s *Server) replayLocked(e *entry) bool {
	if _, err := s.db.apply(e.statements...); err != nil {
		s.stuck = true
		s.cluster.t.Errorf("routertest: %s cannot replay entry %d, %q: %v (a statement must do the same wherever it is run)",
			s.name, len(s.log)+1, e.statements[0].query, err)
		return false
	}
	s.log = append(s.log, e)
	return true
}

// commitLocked adds a write to the log of a primary, whose database has it already.
func (s *Server) commitLocked(statements ...statement) {
	s.log = append(s.log, &entry{time.Now(), statements})
}

// rebuildLocked takes the server back to the first n entries of its log.
func (s *Server) rebuildLocked(n int) error {
	db, err := openDatabase()
	if err != nil {
		return err
	}
	old, again := s.db, s.log[:n]
	s.db, s.log, s.stuck = db, nil, false
	for _, e := range again {
		if !s.replayLocked(e) {
			break
		}
	}
	return old.close()
}
