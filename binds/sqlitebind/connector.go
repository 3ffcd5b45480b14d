package sqlitebind

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"github.com/bindery-go/bindery/binds"
)

// connector makes the connections of one engine.
type connector struct {
	*source
	role   binds.Role
	native bool // hands out connections of modernc.org/sqlite's own type

	mu     sync.Mutex  // guards anchor, closed
	anchor driver.Conn // keeps a memory database alive between connections
	closed bool
}

// Connect opens a connection and settles it. Its waits for locks end with ctx.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	conn, err := c.connect(ctx, c.role)
	if err != nil || !c.native {
		return asConn(conn), err
	}
	return conn.strip(ctx)
}

// asConn keeps a nil *conn from becoming a driver.Conn that is not nil.
func asConn(c *conn) driver.Conn {
	if c == nil {
		return nil
	}
	return c
}

// Driver returns the driver of modernc.org/sqlite that has the functions of this [Driver].
func (c *connector) Driver() driver.Driver { return &c.source.driver.native }

// ready makes sure that there is a database to connect to.
func (c *connector) ready(ctx context.Context) error {
	if c.memory() {
		return c.hold()
	}
	return c.source.ready(ctx, c.role)
}

// hold opens the anchor. A memory database dies with its last connection, and pools close theirs
// as they like.
func (c *connector) hold() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return errors.New("sqlitebind: the engine is closed")
	case c.anchor != nil:
		return nil
	}
	anchor, err := c.source.driver.native.Open(c.dsn(binds.Writer)) // touches memory only
	c.anchor = anchor
	return err
}

// Close lets a memory database go that no other engine holds.
func (c *connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	anchor := c.anchor
	c.anchor, c.closed = nil, true
	if anchor == nil {
		return nil
	}
	return anchor.Close()
}

// connect opens one connection in a role and sets its pragmas.
func (s *source) connect(ctx context.Context, role binds.Role) (*conn, error) {
	raw, err := s.driver.native.Open(s.dsn(role))
	if err != nil {
		return nil, s.openError(err)
	}
	c, err := newConn(raw, role, s.busyTimeout)
	if err != nil {
		_ = raw.Close() // the error counts
		return nil, err
	}
	if err := s.settle(ctx, c); err != nil {
		_ = c.Close() // the error counts
		return nil, s.openError(err)
	}
	if role == binds.Writer {
		s.made.Store(true)
	}
	return c, nil
}

// dsn names the database as modernc.org/sqlite reads it. Times are written as Bun writes them, and
// read in UTC.
func (s *source) dsn(role binds.Role) string {
	params := url.Values{"_time_format": {"sqlite"}, "_timezone": {"UTC"}, "_error_rc": {"1"}}
	if role == binds.Writer && s.mode != "ro" {
		params.Set("_txlock", "immediate") // refused where nothing can be written
	}
	if s.memory() {
		params.Set("vfs", "memdb")
		return "file:" + s.memoryName + "?" + params.Encode()
	}
	params.Set("mode", s.mode)
	if role == binds.Reader {
		params.Set("mode", "ro")
	}
	if s.immutable {
		params.Set("immutable", "1")
	}
	return "file:" + escapePath(s.path) + "?" + params.Encode()
}

// escapePath writes a path as SQLite's file: URIs want it, https://www.sqlite.org/uri.html.
func escapePath(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a Windows volume
	}
	var b strings.Builder
	for i, part := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(url.PathEscape(part))
	}
	return b.String()
}
