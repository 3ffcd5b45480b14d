package routertest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
)

// TB is what a cluster needs of a test; *testing.T, *testing.B and *testing.F have it.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A Cluster is a primary and its replicas in memory. It is a [binds.Driver] for the scheme
// "routertest", in a registry of its own. Its methods and those of its servers are safe for concurrent
// use.
//
// Made inside a testing/synctest bubble, a cluster must be used in that bubble only.
type Cluster struct {
	name    string
	t       TB
	drivers binds.Drivers
	servers []*Server // never changes
	writer  *address
	readers []*address

	mu       sync.Mutex // guards the rest, the addresses and the servers; never held while waiting
	primary  *Server
	timeline int
	closed   bool
	peers    bool // see MakePeers

	functions []function
}

var clusters atomic.Int64

// New starts a primary and as many replicas, which follow it without lag until they are told
// otherwise. All are gone when the test ends.
func New(t TB, replicas int) *Cluster {
	t.Helper()
	c := &Cluster{name: fmt.Sprintf("cluster-%d", clusters.Add(1)), t: t, timeline: 1}
	c.drivers.Register(c, scheme)
	t.Cleanup(c.close)
	c.primary = c.add("primary", nil)
	c.writer = &address{name: "writer", servers: []*Server{c.primary}}
	for i := range replicas {
		replica := c.add(fmt.Sprintf("replica-%d", i+1), c.primary)
		c.readers = append(c.readers, &address{name: fmt.Sprintf("reader-%d", i+1), servers: []*Server{replica}})
	}
	return c
}

func (c *Cluster) add(name string, upstream *Server) *Server {
	db, err := openDatabase()
	if err != nil {
		c.t.Helper()
		c.t.Fatalf("%v", err)
	}
	s := newServer(c, name, upstream, db)
	c.servers = append(c.servers, s)
	return s
}

func (c *Cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, s := range c.servers {
		s.stopLocked()
		if err := s.db.close(); err != nil {
			c.t.Errorf("routertest: close %s: %v", s.name, err)
		}
	}
}

// Drivers returns a registry in which the cluster opens its URIs.
func (c *Cluster) Drivers() *binds.Drivers { return &c.drivers }

// Primary returns the server that was made primary last.
func (c *Cluster) Primary() *Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.primary
}

// Replicas returns the servers that replay another's log, in the order in which they were made.
func (c *Cluster) Replicas() []*Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.servers), func(s *Server) bool { return s.upstream == nil })
}

// Servers returns all servers, in the order in which they were made: the first primary comes first.
func (c *Cluster) Servers() []*Server { return slices.Clone(c.servers) }

// String returns the cluster's name, which no other cluster of the process has.
func (c *Cluster) String() string { return c.name }
