package routertest

import (
	"fmt"
	"slices"
)

func (c *Cluster) historyLocked() string { return fmt.Sprintf("%s.%d", c.name, c.timeline) }

// Promote makes a replica the primary, as [Server.Promote] does, and the writer's address lead to it.
func (c *Cluster) Promote(replica *Server) {
	replica.Promote()
	c.MoveWriter(replica)
}

// Promote makes a replica a primary with a new history that begins at the state it shows now: what it
// has not replayed is lost to it. Replicas that are not ahead of it follow it from now on; one that
// is has diverged, and stays with the old primary and its history. The old primary knows nothing and
// accepts writes until it is taken [Server.Down] or made to [Cluster.Rejoin]. All connections and
// addresses stay: those of writers may write now, those of readers may not.
//
// It panics if the server is no replica.
func (s *Server) Promote() {
	defer s.lock()()
	if s.upstream == nil {
		panic("routertest: Promote of " + s.name + ", which is no replica")
	}
	c := s.cluster
	s.catchUpLocked()
	old := s.upstream
	c.timeline++
	s.upstream, s.history, s.timeline, c.primary = nil, c.historyLocked(), c.timeline, s
	for _, r := range c.servers {
		if r.upstream != old {
			continue
		}
		r.catchUpLocked()
		if r.followsLocked(s) {
			r.upstream, r.history, r.timeline = s, s.history, s.timeline
		}
	}
}

// Rejoin makes a server restart as a replica of the primary, with a copy of its data as they are
// now: a former primary, or a replica that has diverged. Its lag and pause apply to what comes next.
// It panics if the server is the primary or belongs to another cluster.
func (c *Cluster) Rejoin(s *Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.primary
	if s.cluster != c || s == p {
		panic("routertest: Rejoin of " + s.name + ", which is no other server of the cluster")
	}
	s.stopLocked()
	db, err := p.db.copy()
	if err != nil {
		s.loadLocked(err)
		return
	}
	s.loadLocked(s.db.close())
	s.db, s.log, s.stuck = db, slices.Clone(p.log), false
	s.upstream, s.history, s.timeline = p, p.history, p.timeline
	s.restartLocked()
}
