package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/integration"
)

// servers are a primary and two replicas, which all contenders use at the same time.
type servers struct {
	*integration.Cluster
	name       string // "PostgreSQL"
	version    string
	dialect    dialect.Name
	contenders []*contender
}

// A system is one kind of database servers.
type system struct {
	name    string
	dialect dialect.Name
	start   func(ctx context.Context) (*integration.Cluster, error)
	version string   // the query for it
	fill    string   // the query for items' rows
	create  []string // makes a database, as the administrator; %s is its name
}

var systems = []*system{
	{
		name: "PostgreSQL", dialect: dialect.PG,
		start:   func(ctx context.Context) (*integration.Cluster, error) { return integration.NewPostgres(ctx, 2) },
		version: "SHOW server_version",
		fill:    "SELECT i, i, 0, 'item' FROM generate_series(1, %d) AS i",
		create:  []string{"CREATE DATABASE %s OWNER app"},
	},
	{
		name: "MariaDB", dialect: dialect.MySQL,
		start: func(ctx context.Context) (*integration.Cluster, error) {
			return integration.NewMariaDB(ctx, 2, integration.WithSetting("userstat", "1")) // see readersOf
		},
		version: "SELECT VERSION()",
		fill:    "SELECT seq, seq, 0, 'item' FROM seq_1_to_%d",
		create:  []string{"CREATE DATABASE %s", "GRANT ALL ON %[1]s.* TO app"},
	},
}

// open starts the servers and opens all libraries on them.
func (sys *system) open(ctx context.Context) (_ *servers, err error) {
	cluster, err := sys.start(ctx)
	if err != nil {
		return nil, err
	}
	s := &servers{Cluster: cluster, name: sys.name, dialect: sys.dialect, contenders: contenders()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	version, err := cluster.Primary.QueryString(ctx, sys.version)
	if err != nil {
		return nil, err
	}
	s.version, _, _ = strings.Cut(strings.Fields(version)[0], "-")
	for _, c := range s.contenders {
		if err := sys.prepare(ctx, s, c); err != nil {
			return nil, fmt.Errorf("prepare the database of %s: %w", c.name, err)
		}
	}
	if err := cluster.WaitReplayed(ctx); err != nil {
		return nil, err
	}
	for _, c := range s.contenders {
		where, err := s.clusterOf(c)
		if err == nil {
			c.db, err = peers.Named(c.library).Open(ctx, where, peers.Options{})
		}
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", c.name, err)
		}
	}
	return s, nil
}

// prepare makes a contender's database and fills it.
func (sys *system) prepare(ctx context.Context, s *servers, c *contender) error {
	for _, statement := range sys.create {
		if err := s.Primary.Exec(ctx, fmt.Sprintf(statement, c.database)); err != nil {
			return err
		}
	}
	primary, err := s.at(s.Primary, c)
	if err != nil {
		return err
	}
	c.plain = sql.OpenDB(primary.Connect())
	c.plain.SetMaxIdleConns(-1) // a connection from before a fault is of no use
	for _, statement := range []string{
		"CREATE TABLE items (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL, version BIGINT NOT NULL, name VARCHAR(100) NOT NULL)",
		"CREATE TABLE journal (number BIGINT NOT NULL)",
		"INSERT INTO items (id, owner, version, name) " + fmt.Sprintf(sys.fill, items),
	} {
		if _, err := c.plain.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// clusterOf returns where a contender finds its database.
func (s *servers) clusterOf(c *contender) (peers.Cluster, error) {
	cluster := peers.Cluster{Dialect: s.dialect}
	for i, server := range append([]*integration.Server{s.Primary}, s.Replicas...) {
		found, err := s.at(server, c)
		switch {
		case err != nil:
			return cluster, err
		case i == 0:
			cluster.Primary = found
		default:
			cluster.Replicas = append(cluster.Replicas, found)
		}
	}
	return cluster, nil
}

// at returns where a contender finds its database on a server: directly, so that it sees what a server
// does that dies.
func (s *servers) at(server *integration.Server, c *contender) (peers.Server, error) {
	return peers.RealDatabase(server, s.dialect, server.Addr(), c.database)
}

// close closes the libraries and ends the servers.
func (s *servers) close() error {
	var errs []error
	for _, c := range s.contenders {
		errs = append(errs, c.close())
	}
	return errors.Join(append(errs, s.Cluster.Close())...)
}
