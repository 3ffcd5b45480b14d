package binds_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// A door is a driver whose server lets in who has the password of now, and says by what URI each connection was asked for.
type door struct {
	mu       sync.Mutex
	password string   // in the URI, "" lets everybody in
	asked    []string // the URIs
	opened   int      // sources
	closed   int      // connectors
	files    []string
	fails    error // of reading a URI
}

var errRefused = errors.New("the password is refused")

func (d *door) Name() string                   { return "door" }
func (d *door) Dialect() schema.Dialect        { return sqlitedialect.New() }
func (d *door) RefusesPassword(err error) bool { return errors.Is(err, errRefused) }

func (d *door) Open(_ context.Context, uri string) (binds.Source, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil {
		return nil, d.fails
	}
	d.opened++
	return &doorSource{d, uri}, nil
}

type doorSource struct {
	door *door
	uri  string
}

func (s *doorSource) Files() []string { return s.door.files }

func (s *doorSource) Connector(binds.Role) driver.Connector { return &doorConnector{s} }

type doorConnector struct{ *doorSource }

func (c *doorConnector) Connect(context.Context) (driver.Conn, error) {
	d := c.door
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, c.uri)
	if d.password != "" && c.uri != "door://app:"+d.password+"@host" {
		return nil, errRefused
	}
	return doorConn{}, nil
}

func (c *doorConnector) Driver() driver.Driver { return nil }

func (c *doorConnector) Close() error {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.door.closed++
	return nil
}

type doorConn struct{}

func (doorConn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (doorConn) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }
func (doorConn) Close() error                        { return nil }

// connects makes a connection, and returns the URIs that it took.
func (d *door) connects(t *testing.T, e *binds.Engine) ([]string, error) {
	t.Helper()
	d.mu.Lock()
	d.asked = nil
	d.mu.Unlock()
	conn, err := e.Connector().Connect(t.Context())
	if err == nil {
		require.NoError(t, conn.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked, err
}

func openDoor(t *testing.T, d *door, uri string, opts ...binds.OpenOption) *binds.Engine {
	t.Helper()
	var ds binds.Drivers
	ds.Register(d, "door")
	e, err := ds.Open(t.Context(), "shop/writer", uri, opts...)
	require.NoError(t, err)
	return e
}

func TestPasswordIsAskedForEachConnection(t *testing.T) {
	d := &door{password: "one"}
	password, failure := "one", error(nil)
	e := openDoor(t, d, "door://app@host", binds.WithPassword(func(context.Context) (string, error) { return password, failure }))
	sibling := e.Sibling("shop/reader-1", binds.As(binds.Reader))
	for range 3 {
		asked, err := d.connects(t, e)
		require.NoError(t, err)
		assert.Equal(t, []string{"door://app:one@host"}, asked)
	}
	assert.Equal(t, 2, d.opened, "without a password, and with one: the same is not read again")
	asked, err := d.connects(t, sibling)
	require.NoError(t, err)
	assert.Equal(t, []string{"door://app:one@host"}, asked, "an engine beside it asks, too")

	password = "two" // given out, and not yet changed at the server
	asked, err = d.connects(t, e)
	require.NoError(t, err)
	assert.Equal(t, []string{"door://app:two@host", "door://app:one@host"}, asked)
	d.password = "two"
	asked, err = d.connects(t, e)
	require.NoError(t, err)
	assert.Equal(t, []string{"door://app:two@host"}, asked)
	d.password = "three"
	_, err = d.connects(t, e)
	require.ErrorIs(t, err, errRefused)
	var connect *binds.ConnectError
	require.ErrorAs(t, err, &connect)
	assert.Equal(t, "shop/writer", connect.Engine)

	failure = errors.New("the vault is sealed")
	asked, err = d.connects(t, e)
	require.ErrorIs(t, err, failure)
	assert.Empty(t, asked)
	assert.ErrorContains(t, err, "the password cannot be had: the vault is sealed")
	failure = nil
	for i := range 40 { // tokens of a cloud's
		password = "token" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		d.password = password
		_, err := d.connects(t, e)
		require.NoError(t, err)
	}
	assert.Greater(t, d.closed, 20, "those of long ago are not kept")
	require.NoError(t, sibling.Close())
	require.NoError(t, e.Close())
	assert.GreaterOrEqual(t, d.closed, 43, "each connector that was used is closed")
}

func TestURIWithoutAUserTakesNoPassword(t *testing.T) {
	d := new(door)
	e := openDoor(t, d, "door://host", binds.WithPassword(func(context.Context) (string, error) { return "hunter2", nil }))
	_, err := d.connects(t, e)
	require.ErrorContains(t, err, "needs a URI with a user")
	assert.NotContains(t, err.Error(), "hunter2")
	require.NoError(t, e.Close())
}

func TestFilesThatChangeAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, []byte("one"), 0o600))
	d := &door{files: []string{file}}
	e := openDoor(t, d, "door://app@host")
	connect := func() {
		_, err := d.connects(t, e)
		require.NoError(t, err)
	}
	connect()
	connect()
	assert.Equal(t, 1, d.opened)
	require.NoError(t, os.WriteFile(file, []byte("another"), 0o600))
	connect()
	assert.Equal(t, 2, d.opened)
	connect()
	assert.Equal(t, 2, d.opened)
	d.fails = errors.New("no certificate in PEM form")
	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(file, later, later))
	connect()
	assert.Equal(t, 2, d.opened, "what was good serves on")
	d.fails = nil
	connect()
	assert.Equal(t, 3, d.opened)
	require.NoError(t, e.Close())
	assert.Equal(t, 3, d.closed)
}
