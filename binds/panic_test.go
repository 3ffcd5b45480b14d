package binds_test

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// panics is a driver whose code does not survive what its server says: it panics with that, at the log-in or later.
type panics struct {
	fakeDriver
	later bool
	conn  *panicConn
}

func (d *panics) Open(_ context.Context, uri string) (binds.Source, error) {
	return &panicSource{&fakeSource{driver: &d.fakeDriver, uri: uri}, d}, nil
}

type panicSource struct {
	*fakeSource
	driver *panics
}

func (s *panicSource) Connector(binds.Role) driver.Connector { return &panicConnector{s.driver} }

type panicConnector struct{ driver *panics }

func (c *panicConnector) Driver() driver.Driver { return nil }

func (c *panicConnector) Connect(context.Context) (driver.Conn, error) {
	if !c.driver.later {
		panic("secret of the server")
	}
	c.driver.conn = &panicConn{fakeConn: fakeConn{&c.driver.fakeDriver}}
	return c.driver.conn, nil
}

type panicConn struct {
	fakeConn
	closed bool
}

func (c *panicConn) Ping(context.Context) error { panic("secret of the server") }
func (c *panicConn) Close() error               { c.closed = true; return nil }

func (c *panicConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	panic("secret of the server")
}

// TestPanic_connect makes an error of a panic in a driver's Connect, which runs on goroutines of this module's and of database/sql's.
// The slot is given back: the pool has one.
func TestPanic_connect(t *testing.T) {
	for _, role := range []binds.Role{binds.Writer, binds.Reader} {
		e, err := fakeDrivers(&panics{}).Open(t.Context(), "shop/one", "fake://db1", binds.As(role), binds.WithPool(binds.Pool{MaxOpen: 1}))
		require.NoError(t, err)
		for range 3 {
			err = e.Ping(t.Context())
			var failed *binds.ConnectError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, binds.NotSent, e.Classify(err))
			assert.NotContains(t, err.Error(), "secret")
			assert.ErrorContains(t, err, "panic in Connect of *binds_test.panicConnector")
		}
		assert.Zero(t, e.DB().Stats().InUse)
		require.NoError(t, e.Close())
	}
}

// TestPanic_later does so for what is asked in the background, and closes the connection.
func TestPanic_later(t *testing.T) {
	d := &panics{later: true}
	e, err := fakeDrivers(d).Open(t.Context(), "shop/one", "fake://db1", binds.As(binds.Reader))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	_, asked := e.Ask(t.Context(), "SELECT 1")
	for method, err := range map[string]error{"Ping": e.Ping(t.Context()), "Query": asked} {
		assert.ErrorContains(t, err, "panic in "+method+" of *binds_test.panicConn")
		assert.NotContains(t, err.Error(), "secret")
		assert.True(t, d.conn.closed)
	}
	e.OnConnect(func(context.Context, driver.Conn) (driver.Conn, error) { panic("secret of the server") })
	_, err = e.Connector().Connect(t.Context())
	assert.ErrorContains(t, err, "panic in OnConnect")
	assert.True(t, d.conn.closed)
}
