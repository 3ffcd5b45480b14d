// Package noop is a primary with replicas that do no work: what is left of a statement's time is what
// the library before them takes. Statements succeed at once, queries return one constant row, and next
// to nothing is allocated.
package noop

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/binds"
)

// Row is the item that every query returns.
var Row = peers.Item{ID: 1, Owner: 7, Version: 3, Name: "first"}

// A Cluster is a primary and its replicas. It is a [binds.Driver] for the scheme "noop", whose servers
// can say where they are: replicas always show what the primary has. It is safe for concurrent use.
type Cluster struct {
	servers []*server // the primary first
	dialect dialect.Name
	saw     func(server, text string)
}

// An Option changes a cluster.
type Option func(*Cluster)

// Seen has saw called with every statement that reaches a server, BEGIN, COMMIT and ROLLBACK included
// and probes left out. It must be safe for concurrent use.
func Seen(saw func(server, text string)) Option { return func(c *Cluster) { c.saw = saw } }

// OfMySQL makes the servers pass for MariaDB; without it they pass for PostgreSQL.
func OfMySQL() Option { return func(c *Cluster) { c.dialect = dialect.MySQL } }

// New returns a cluster whose servers are called primary, replica-1, replica-2 and so on.
func New(replicas int, opts ...Option) *Cluster {
	c := &Cluster{dialect: dialect.PG}
	for _, opt := range opts {
		opt(c)
	}
	c.servers = append(c.servers, c.server("primary"))
	for i := range replicas {
		c.servers = append(c.servers, c.server(fmt.Sprintf("replica-%d", i+1)))
	}
	return c
}

// Peers returns what the libraries open.
func (c *Cluster) Peers() peers.Cluster {
	drivers := new(binds.Drivers)
	drivers.Register(c, scheme)
	p := peers.Cluster{Dialect: c.dialect, Drivers: drivers, Primary: c.servers[0].peer()}
	for _, s := range c.servers[1:] {
		p.Replicas = append(p.Replicas, s.peer())
	}
	return p
}

// server is one of a cluster's.
type server struct {
	name    string
	cluster *Cluster
	saw     func(server, text string)
	version [1]driver.Value // its answer to the question for it
	probe   [2]driver.Value // its answer to a probe: who it is, and whether it is the primary
}

func (c *Cluster) server(name string) *server {
	return &server{
		name: name, cluster: c, saw: c.saw,
		version: [1]driver.Value{"11.4.2-MariaDB"},
		probe:   [2]driver.Value{name, fmt.Sprint(name == "primary")},
	}
}

const scheme = "noop"

func (s *server) uri() string { return scheme + "://" + s.name }

func (s *server) peer() peers.Server {
	return peers.Server{Name: s.name, URI: s.uri(), Connect: func() driver.Connector { return &connector{s} }}
}

func (c *Cluster) find(uri string) (*server, error) {
	name := strings.TrimPrefix(uri, scheme+"://")
	for _, s := range c.servers {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("noop: the cluster has no such server")
}
