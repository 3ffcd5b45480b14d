package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// fakeDriver opens servers that remember what they were asked and can be taken down. Failures must
// be deterministic here; package integration shows the same on real servers.
type fakeDriver struct {
	mu   sync.Mutex // guards the rest
	sent []sent
	down map[string]bool
	hang map[string]bool  // connecting waits for the caller to give up
	errs map[string]error // what a server answers to every statement
}

// sent is a statement that reached a server.
type sent struct{ server, query string }

func (d *fakeDriver) Name() string { return "fake" }

func (d *fakeDriver) Open(_ context.Context, uri string) (binds.Source, error) {
	return &fakeSource{driver: d, server: strings.TrimPrefix(uri, "fake://")}, nil
}

func (d *fakeDriver) Dialect() schema.Dialect { return pgdialect.New() }

// errFakeConflict is what the drivers of real servers call retryable.
var errFakeConflict = errors.New("fake: conflict")

func (d *fakeDriver) Classify(err error) binds.Fault {
	if errors.Is(err, errFakeConflict) {
		return binds.Retryable
	}
	return binds.ClassifyCommon(err)
}

func (d *fakeDriver) setDown(server string, down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down == nil {
		d.down = map[string]bool{}
	}
	d.down[server] = down
}

func (d *fakeDriver) setHanging(server string, hang bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hang == nil {
		d.hang = map[string]bool{}
	}
	d.hang[server] = hang
}

func (d *fakeDriver) setError(server string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.errs == nil {
		d.errs = map[string]error{}
	}
	d.errs[server] = err
}

// servers returns where the statements since the last call went.
func (d *fakeDriver) servers() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for _, s := range d.sent {
		names = append(names, s.server)
	}
	d.sent = nil
	return names
}

type fakeSource struct {
	driver *fakeDriver
	server string
}

func (s *fakeSource) Connector(binds.Role) driver.Connector { return &fakeConnector{s} }

type fakeConnector struct{ *fakeSource }

var errRefused = errors.New("connection refused")

func (c *fakeConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c.driver.mu.Lock()
	defer c.driver.mu.Unlock()
	if c.driver.hang[c.server] {
		c.driver.mu.Unlock()
		<-ctx.Done()
		c.driver.mu.Lock()
		return nil, ctx.Err()
	}
	if c.driver.down[c.server] {
		return nil, errRefused
	}
	return &fakeConn{c.fakeSource}, nil
}

func (c *fakeConnector) Driver() driver.Driver { return nil }

type fakeConn struct{ *fakeSource }

func (c *fakeConn) note(query string) error {
	c.driver.mu.Lock()
	defer c.driver.mu.Unlock()
	if c.driver.down[c.server] {
		return driver.ErrBadConn
	}
	c.driver.sent = append(c.driver.sent, sent{c.server, query})
	return c.driver.errs[c.server]
}

func (c *fakeConn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	if err := c.note(query); err != nil {
		return nil, err
	}
	rows := &fakeRows{columns: []string{"id"}}
	if strings.Contains(query, "author_id") {
		rows.columns = append(rows.columns, "author_id")
	}
	return rows, nil
}

func (c *fakeConn) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), c.note(query)
}

func (c *fakeConn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("fake: no statements")
}
func (c *fakeConn) Begin() (driver.Tx, error) { return fakeTx{}, nil }
func (c *fakeConn) Close() error              { return nil }

type fakeTx struct{}

func (fakeTx) Commit() error   { return nil }
func (fakeTx) Rollback() error { return nil }

// fakeRows is one row in which everything is 1.
type fakeRows struct {
	columns []string
	done    bool
}

func (r *fakeRows) Columns() []string { return r.columns }
func (r *fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done = true
	for i := range dest {
		dest[i] = int64(1)
	}
	return nil
}

// bench is one bind on fake servers.
type bench struct {
	*Router
	driver *fakeDriver
	db     *bun.DB // routes
}

// newBench opens a bind called key with n readers; change may alter its configuration.
func newBench(t testing.TB, key binds.Key, n int, change func(*Config)) *bench {
	t.Helper()
	d := new(fakeDriver)
	var drivers binds.Drivers
	drivers.Register(d, "fake")
	open := func(name string, role binds.Role) *binds.Engine {
		e, err := drivers.Open(t.Context(), string(key)+"/"+name, "fake://"+name, binds.As(role))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		return e
	}
	cfg := Config{
		Key: key, Default: "shop", Dialect: d.Dialect(), Writer: open("writer", binds.Writer),
		Logger: slog.New(slog.DiscardHandler),
		// The fake knows no positions: its readers serve what needs no freshness.
		Freshness: Freshness{ReadYourWrites: NoWrites, MaxLag: -1},
	}
	for i := range n {
		cfg.Readers = append(cfg.Readers, NewReader(open("reader-"+string(rune('1'+i)), binds.Reader), 1))
	}
	if change != nil {
		change(&cfg)
	}
	r, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return &bench{Router: r, driver: d, db: bun.NewDB(cfg.Writer.DB(), cfg.Dialect, bun.WithConnResolver(r.Routed()))}
}

func (b *bench) on(resolver bun.ConnResolver) *bun.DB {
	return bun.NewDB(b.Writer().DB(), b.dialect, bun.WithConnResolver(resolver))
}

func withSQLite(c *Config) { c.Dialect = sqlitedialect.New() }
