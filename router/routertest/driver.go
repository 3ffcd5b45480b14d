package routertest

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.Driver = (*Cluster)(nil)

// Name returns "routertest".
func (c *Cluster) Name() string { return scheme }

// Open finds the address that uri names.
func (c *Cluster) Open(_ context.Context, uri string) (binds.Source, error) {
	a, err := c.addressOf(uri)
	if err != nil {
		return nil, err
	}
	return &source{c, a}, nil
}

// Dialect returns a new dialect for SQLite.
func (c *Cluster) Dialect() schema.Dialect { return sqlitedialect.New() }

// A source is an address of a cluster.
type source struct {
	cluster *Cluster
	address *address
}

func (s *source) Connector(role binds.Role) driver.Connector { return &connector{s, role} }

type connector struct {
	*source
	role binds.Role
}

// Connect dials the server that the address leads to now.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.cluster.mu.Lock()
	s := c.address.takeLocked()
	c.cluster.mu.Unlock()
	if s == nil {
		return nil, errConnectionRefused
	}
	conn, err := s.accept(ctx, c.role)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (c *connector) Driver() driver.Driver { return noDriver{} }

// noDriver is for sql.DB.Driver: a cluster is opened by [binds.Drivers.Open].
type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("routertest: open a URI with Cluster.Drivers")
}
