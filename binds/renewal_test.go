package binds_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strconv"
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
	fails    error  // of reading a URI
	onOpen   func() // is called when a URI has been read
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
	if d.onOpen != nil {
		d.onOpen()
	}
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
	assert.Equal(t, 2, d.opened, "when it is opened, and once more for the first connection: it may have changed meanwhile")
	require.NoError(t, os.WriteFile(file, []byte("another"), 0o600))
	connect()
	assert.Equal(t, 3, d.opened)
	connect()
	assert.Equal(t, 3, d.opened)
	d.fails = errors.New("no certificate in PEM form")
	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(file, later, later))
	connect()
	assert.Equal(t, 3, d.opened, "what was good serves on")
	d.fails = nil
	connect()
	assert.Equal(t, 4, d.opened)
	require.NoError(t, e.Close())
	assert.Equal(t, 4, d.closed)
}

// What replaces a file while the URI is being read is not overlooked.
func TestFilesThatChangeWhileTheyAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := "one"
	replace := func() {
		text += ", another"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	replace()
	d := &door{files: []string{file}, onOpen: replace}
	e := openDoor(t, d, "door://app@host")
	for want := 2; want < 5; want++ {
		_, err := d.connects(t, e)
		require.NoError(t, err)
		assert.Equal(t, want, d.opened)
	}
	d.onOpen = nil
	for range 3 {
		_, err := d.connects(t, e)
		require.NoError(t, err)
		assert.Equal(t, 5, d.opened)
	}
	require.NoError(t, e.Close())
}

// The new password is given out, and the server changed, after a connection was given the old one and before it has shown it.
func TestPasswordThatChangesOnItsWay(t *testing.T) {
	d := &door{password: "one"}
	given, calls := "one", 0
	e := openDoor(t, d, "door://app@host", binds.WithPassword(func(context.Context) (string, error) {
		calls++
		was := given
		if calls == 2 {
			given, d.password = "two", "two"
		}
		return was, nil
	}))
	for _, want := range [][]string{{"one"}, {"one", "two"}, {"two"}} {
		asked, err := d.connects(t, e)
		require.NoError(t, err)
		for i := range want {
			want[i] = "door://app:" + want[i] + "@host"
		}
		assert.Equal(t, want, asked)
	}
	require.NoError(t, e.Close())
}

// What the server never took, a file read when it was half written say, is not what is gone back to.
func TestPasswordThatWasNeverGoodIsNotGoneBackTo(t *testing.T) {
	d := &door{password: "one"}
	given := "one"
	e := openDoor(t, d, "door://app@host", binds.WithPassword(func(context.Context) (string, error) { return given, nil }))
	for _, given = range []string{"one", "t", "tw", "two"} { // and the server is not changed yet
		_, err := d.connects(t, e)
		require.NoError(t, err, given)
	}
	for i := range 40 {
		given = "wrong" + strconv.Itoa(i)
		_, err := d.connects(t, e)
		require.NoError(t, err, given)
	}
	require.NoError(t, e.Close())
}

func TestPasswordFunctionThatPanicsOrHangs(t *testing.T) {
	d := &door{password: "one"}
	hang, forever := false, make(chan struct{})
	e := openDoor(t, d, "door://app@host", binds.WithPassword(func(context.Context) (string, error) {
		if hang {
			<-forever // whatever its context says
		}
		panic("hunter2")
	}))
	_, err := d.connects(t, e)
	require.ErrorContains(t, err, "panic in WithPassword")
	assert.NotContains(t, err.Error(), "hunter2")
	hang = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.Connector().Connect(ctx)
	require.ErrorIs(t, err, context.Canceled)
	close(forever)
	require.NoError(t, e.Close())
}

// lockDoor also has named locks.
type lockDoor struct {
	door
	mu     sync.Mutex
	opened int // NamedLocks
	closed int
}

func (d *lockDoor) Open(ctx context.Context, uri string) (binds.Source, error) {
	_, err := d.door.Open(ctx, uri)
	return &lockSource{doorSource{&d.door, uri}, d}, err
}

type lockSource struct {
	doorSource
	door *lockDoor
}

func (s *lockSource) NamedLocks() binds.NamedLocks {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	s.door.opened++
	return &noLocks{s.door}
}

type noLocks struct{ door *lockDoor }

func (l *noLocks) Open(context.Context, string) (binds.NamedLock, error) { return nil, nil }

func (l *noLocks) Close() error {
	l.door.mu.Lock()
	defer l.door.mu.Unlock()
	l.door.closed++
	return nil
}

// A program that gives each connection a token of its own keeps no more for its locks than one that does not.
func TestLocksOfOldPasswordsAreNotKeptForEver(t *testing.T) {
	d := new(lockDoor)
	token := 0
	var ds binds.Drivers
	ds.Register(d, "door")
	e, err := ds.Open(t.Context(), "shop/writer", "door://app@host", binds.WithPassword(func(context.Context) (string, error) {
		token++
		return strconv.Itoa(token), nil
	}))
	require.NoError(t, err)
	for range 100 {
		_, err := e.NamedLock(t.Context(), "harbour")
		require.NoError(t, err)
	}
	assert.Less(t, d.opened-d.closed, 40)
	require.NoError(t, e.Close())
	assert.Equal(t, d.opened, d.closed)
}
