package noop

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

var (
	_ binds.Driver     = (*Cluster)(nil)
	_ binds.Positioner = (*Cluster)(nil)
)

// Name is what the servers pass for.
func (c *Cluster) Name() string { return c.dialect.String() }

// Open finds the server of a URI.
func (c *Cluster) Open(_ context.Context, uri string) (binds.Source, error) {
	s, err := c.find(uri)
	if err != nil {
		return nil, err
	}
	return source{s}, nil
}

// Dialect returns Bun's dialect of the database that the servers pass for.
func (c *Cluster) Dialect() schema.Dialect {
	if c.dialect == dialect.MySQL {
		return mysqldialect.New()
	}
	return pgdialect.New()
}

// Probe asks a server who it is.
func (c *Cluster) Probe(ctx context.Context, ask binds.Ask) (binds.Probe, error) {
	row, err := ask(ctx, probeText)
	if err != nil {
		return binds.Probe{}, err
	}
	if len(row) != 2 {
		return binds.Probe{}, errors.New("noop: the answer to a probe has not two columns")
	}
	return binds.Probe{Server: row[0], History: "noop", Primary: row[1] == "true", Position: position{}}, nil
}

// ParsePosition reads the only position there is.
func (c *Cluster) ParsePosition(text string) (binds.Position, error) {
	if text != (position{}).String() {
		return nil, errors.New("noop: malformed position")
	}
	return position{}, nil
}

// position is where all servers always are.
type position struct{}

func (position) Covers(w binds.Position) bool { return w == position{} }
func (position) Exceeds(binds.Position) bool  { return false }
func (position) String() string               { return "0" }

type source struct{ server *server }

func (s source) Connector(binds.Role) driver.Connector { return &connector{s.server} }

type connector struct{ server *server }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	return &conn{server: c.server, saw: c.server.saw}, nil
}

func (c *connector) Driver() driver.Driver { return noDriver{} }

// noDriver is for sql.DB.Driver: connections are made by connectors.
type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("noop: connections are made by connectors alone")
}
