package routertest

import (
	"fmt"
	"strings"
)

const scheme = "routertest"

// An address is what a URI names: a host name, or a load balancer, in front of servers. It is guarded
// by the mutex of its cluster.
type address struct {
	name    string
	servers []*Server
	next    int
}

// takeLocked returns the server for the next connection, nil if there is none.
func (a *address) takeLocked() *Server {
	if len(a.servers) == 0 {
		return nil
	}
	s := a.servers[a.next%len(a.servers)]
	a.next++
	return s
}

func (c *Cluster) uri(a *address) string { return scheme + "://" + c.name + "/" + a.name }

// WriterURI returns the primary's address. It leads to the first primary until [Cluster.Promote] or
// [Cluster.MoveWriter] makes it lead elsewhere.
func (c *Cluster) WriterURI() string { return c.uri(c.writer) }

// ReaderURIs returns the readers' addresses, one for each replica that the cluster began with. Each
// leads to its replica until [Cluster.Balance] makes it lead elsewhere.
func (c *Cluster) ReaderURIs() []string {
	var uris []string
	for _, a := range c.readers {
		uris = append(uris, c.uri(a))
	}
	return uris
}

// MoveWriter makes the writer's address lead to a server, of this cluster or another: a DNS name that
// moved, or was moved wrongly. Connections that exist stay where they are.
func (c *Cluster) MoveWriter(to *Server) { c.point(c.writer, []*Server{to}) }

// BalanceWriter makes the writer's address lead to servers in turn, one connection each, as [Cluster.Balance] does for
// readers.
func (c *Cluster) BalanceWriter(servers ...*Server) { c.point(c.writer, servers) }

// Balance makes the address ReaderURIs()[i] lead to servers in turn, one connection each, as a load
// balancer does; with no server it refuses connections. Connections that exist stay where they are.
// The servers may belong to another cluster.
func (c *Cluster) Balance(i int, servers ...*Server) { c.point(c.readers[i], servers) }

func (c *Cluster) point(a *address, servers []*Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.servers, a.next = append([]*Server(nil), servers...), 0
}

// addressOf finds what a URI names. Its errors do not repeat the URI.
func (c *Cluster) addressOf(uri string) (*address, error) {
	text, ok := strings.CutPrefix(uri, scheme+"://")
	cluster, name, _ := strings.Cut(text, "/")
	if !ok || cluster != c.name {
		return nil, fmt.Errorf("routertest: the URI is none of %s: use its WriterURI and ReaderURIs", c.name)
	}
	for _, a := range append([]*address{c.writer}, c.readers...) {
		if a.name == name {
			return a, nil
		}
	}
	return nil, fmt.Errorf("routertest: %s has no such address: use its WriterURI and ReaderURIs", c.name)
}
