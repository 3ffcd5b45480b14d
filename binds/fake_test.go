package binds_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync/atomic"

	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// fakeDriver is a kind of database without a server. Its fields say how it behaves.
type fakeDriver struct {
	openErr    error
	connectErr error
	pingErr    error
	closeErr   error // of the connectors
	bound      func(binds.Role, binds.Pool) binds.Pool
	native     bool

	connectors, connects, natives, closes atomic.Int64
}

// fakeDrivers registers d for the scheme fake.
func fakeDrivers(d binds.Driver) *binds.Drivers {
	ds := new(binds.Drivers)
	ds.Register(d, "fake")
	return ds
}

func (d *fakeDriver) Name() string            { return "Fake" }
func (d *fakeDriver) Dialect() schema.Dialect { return sqlitedialect.New() }

func (d *fakeDriver) Open(_ context.Context, uri string) (binds.Source, error) {
	if d.openErr != nil {
		return nil, d.openErr
	}
	src := &fakeSource{driver: d, uri: uri}
	switch {
	case d.native:
		return &nativeSource{src}, nil
	case d.bound != nil:
		return &boundSource{src}, nil
	}
	return src, nil
}

// fakeSource holds the whole URI, as a careless driver might.
type fakeSource struct {
	driver *fakeDriver
	uri    string
}

func (s *fakeSource) Connector(role binds.Role) driver.Connector {
	s.driver.connectors.Add(1)
	return &fakeConnector{driver: s.driver, role: role}
}

type nativeSource struct{ *fakeSource }

func (s *nativeSource) NativeConnector(role binds.Role) driver.Connector {
	s.driver.natives.Add(1)
	return s.Connector(role)
}

type boundSource struct{ *fakeSource }

func (s *boundSource) BoundPool(role binds.Role, p binds.Pool) binds.Pool {
	return s.driver.bound(role, p)
}

func (s *boundSource) SplitsRoles() bool { return true }

type fakeConnector struct {
	driver *fakeDriver
	role   binds.Role
	closed atomic.Bool
}

var errClosedTwice = errors.New("connector closed twice")

func (c *fakeConnector) Connect(context.Context) (driver.Conn, error) {
	if c.closed.Load() {
		return nil, errors.New("connector is closed")
	}
	c.driver.connects.Add(1)
	if err := c.driver.connectErr; err != nil {
		return nil, err
	}
	return &fakeConn{c.driver}, nil
}

func (c *fakeConnector) Driver() driver.Driver { return nil }

func (c *fakeConnector) Close() error {
	if c.closed.Swap(true) {
		return errClosedTwice
	}
	c.driver.closes.Add(1)
	return c.driver.closeErr
}

type fakeConn struct{ driver *fakeDriver }

var errNoStatements = errors.New("the fake runs no statements")

func (*fakeConn) Prepare(string) (driver.Stmt, error)      { return nil, errNoStatements }
func (*fakeConn) Begin() (driver.Tx, error)                { return nil, errNoStatements }
func (*fakeConn) Close() error                             { return nil }
func (c *fakeConn) Ping(context.Context) error             { return c.driver.pingErr }
func (*fakeConn) IsValid() bool                            { return true }
func (*fakeConn) ResetSession(context.Context) error       { return nil }
func (*fakeConn) CheckNamedValue(*driver.NamedValue) error { return nil }

// QueryContext answers every query with one row, a version as dialects ask for.
func (*fakeConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &versionRows{}, nil
}

type versionRows struct{ done bool }

func (*versionRows) Columns() []string { return []string{"version"} }
func (*versionRows) Close() error      { return nil }

func (r *versionRows) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done = true
	dest[0] = "8.4.0"
	return nil
}
