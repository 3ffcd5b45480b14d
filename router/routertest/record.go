package routertest

import (
	"slices"
	"strings"
)

// Statements returns the texts of the statements that the server has begun to carry out or refused
// itself, in order, BEGIN, COMMIT and ROLLBACK among them. Probes, pings, replay and what failed
// because a test wanted it are not there.
func (s *Server) Statements() []string {
	defer s.lock()()
	return slices.Clone(s.statements)
}

// Served returns how many statements there are in [Server.Statements].
func (s *Server) Served() int {
	defer s.lock()()
	return len(s.statements)
}

// ResetStatements forgets the statements and probes that the servers have seen so far.
func (c *Cluster) ResetStatements() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.servers {
		s.statements, s.probes = nil, 0
	}
}

func (s *Server) note(query string) {
	defer s.lock()()
	s.statements = append(s.statements, strings.Clone(query)) // Bun's are parts of larger buffers
}
