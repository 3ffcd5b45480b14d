package routertest

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// A Server is one of a cluster's servers. What its methods change takes effect at once.
type Server struct {
	cluster *Cluster
	name    string
	writing chan struct{} // holds a token while a transaction writes

	// The rest is guarded by the mutex of the cluster.

	db      *database
	log     []*entry // what db holds
	history string
	// timeline counts the promotions that the history has seen.
	timeline int
	starts   int
	// commitWait is how long a commit waits before hidden, what the server showed before it, becomes nil again.
	commitWait time.Duration
	hidden     *database
	conns      map[*conn]struct{}

	upstream *Server // whose log it replays; nil for a primary
	lag      time.Duration
	paused   bool
	since    time.Time // replay began; entries that are older come lag after it
	stuck    bool      // replay failed

	down   bool
	thawed chan struct{} // closed by Thaw; nil unless frozen

	latency   time.Duration
	failNext  []error
	failEach  func(query string) error
	failDials error
	doubt     error
	setting   string // "name=value"

	statements []string
	probes     int
}

func newServer(c *Cluster, name string, upstream *Server, db *database) *Server {
	return &Server{
		cluster:  c,
		name:     name,
		writing:  make(chan struct{}, 1),
		db:       db,
		history:  c.historyLocked(),
		timeline: c.timeline,
		starts:   1,
		conns:    make(map[*conn]struct{}),
		upstream: upstream,
	}
}

// lock locks the cluster and returns what unlocks it.
func (s *Server) lock() (unlock func()) {
	s.cluster.mu.Lock()
	return s.cluster.mu.Unlock
}

// Name returns the server's name in its cluster: "primary", "replica-1". It stays, whatever becomes of
// the server.
func (s *Server) Name() string { return s.name }

// String returns the server's name.
func (s *Server) String() string { return s.name }

// IsPrimary reports whether the server accepts writes.
func (s *Server) IsPrimary() bool {
	defer s.lock()()
	return s.upstream == nil
}

// Connections returns how many connections the server has, of pools and probes.
func (s *Server) Connections() int {
	defer s.lock()()
	return len(s.conns)
}

// identityLocked is what probes call the server.
func (s *Server) identityLocked() string {
	return fmt.Sprintf("%s/%s#%d", s.cluster.name, s.name, s.starts)
}

var errConnectionRefused = &net.OpError{Op: "dial", Net: scheme, Err: syscall.ECONNREFUSED}

// accept makes a connection, which takes one round trip. A frozen server keeps the caller waiting.
func (s *Server) accept(ctx context.Context, role binds.Role) (*conn, error) {
	c := &conn{server: s, role: role, broken: make(chan struct{})}
	if err := s.welcome(); err != nil {
		return nil, err
	}
	if err := c.travel(ctx, s.latencyNow()); err != nil {
		return nil, err
	}
	if err := c.arrive(ctx); err != nil {
		return nil, err
	}
	defer s.cluster.mu.Unlock()
	if err := s.welcomeLocked(); err != nil {
		return nil, err
	}
	s.conns[c] = struct{}{}
	return c, nil
}

func (s *Server) welcome() error {
	defer s.lock()()
	return s.welcomeLocked()
}

func (s *Server) welcomeLocked() error {
	switch {
	case s.cluster.closed:
		return errClosed
	case s.down:
		return errConnectionRefused
	}
	return s.failDials
}

func (s *Server) latencyNow() time.Duration {
	defer s.lock()()
	return s.latency
}
