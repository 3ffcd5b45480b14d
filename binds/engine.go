package binds

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/internal/connectby"
	"github.com/bindery-go/bindery/internal/connwait"
	"github.com/bindery-go/bindery/internal/panicked"
)

// An Engine is one opened server in one role: a pool of connections with a name. It is safe for
// concurrent use and prints as its name.
type Engine struct {
	name   string
	role   Role
	driver Driver
	renew  func() *renewal // a func, which fmt cannot follow: %s walks into pointers of unexported fields
	pool   Pool
	pools  *pools

	connector, nativeConnector *connector      // what the pools connect by
	queue                      *connwait.Queue // nil: the pool bounds its connections itself

	probe prober
	asks  prober // a connection of its own, so that questions do not make probes late

	password func(context.Context) (string, error)          // see WithPassword; nil: the URI's own
	reopen   func(context.Context, *string) (Source, error) // reads the URI again; nil where there is none

	closing  sync.Once
	closeErr error // of closing
}

// An OpenOption says how an engine is opened.
type OpenOption func(*Engine)

// As opens the engine in role. Without it the engine is a [Writer].
func As(role Role) OpenOption { return func(e *Engine) { e.role = role } }

// WithPool bounds the engine's connections. Without it the defaults of [Pool] do.
func WithPool(p Pool) OpenOption { return func(e *Engine) { e.pool = p } }

func newEngine(name string, d Driver, src Source, reopen func(context.Context, *string) (Source, error), opts []OpenOption) *Engine {
	e := &Engine{name: name, driver: d, reopen: reopen, probe: newProber(), asks: newProber()}
	for _, opt := range opts {
		opt(e)
	}
	e.pool = e.pool.WithDefaults()
	if b, ok := src.(PoolBounder); ok {
		e.pool = b.BoundPool(e.role, e.pool)
	}
	r := newRenewal(e, src)
	e.renew = func() *renewal { return r }
	_ = r.connectorOf(r.now, false) // it is closed with the engine, used or not
	e.connector = &connector{renew: e.renew, engine: name}
	e.nativeConnector = &connector{renew: e.renew, native: true, engine: name}
	if e.pools == nil {
		e.pools = new(pools)
		e.pools.now.Store(e)
		e.pools.db = e.pool.Open(&pooled{e.pools, false, false})
	}
	return e
}

// Open opens a pool of connections of c that has those bounds which database/sql knows: all but that of the wait, which [OpenPool] has. The caller
// closes it.
func (p Pool) Open(c driver.Connector) *sql.DB {
	db := sql.OpenDB(c)
	p.bound(db, false)
	return db
}

// bound puts the bounds on a pool. If queued, something else bounds how many connections it has: to bound them here for a moment would have callers wait
// whom nobody wakes.
func (p Pool) bound(db *sql.DB, queued bool) {
	if queued {
		db.SetMaxOpenConns(0)
	} else {
		db.SetMaxOpenConns(max(p.MaxOpen, 0))
	}
	db.SetMaxIdleConns(max(p.MaxIdle, 0))
	db.SetConnMaxLifetime(max(p.MaxLifetime, 0))
	db.SetConnMaxIdleTime(max(p.MaxIdleTime, 0))
}

// Name returns the engine's name: "accounts/writer", "accounts/reader-1".
func (e *Engine) Name() string { return e.name }

// Role returns the role in which the engine was opened.
func (e *Engine) Role() Role { return e.role }

// Driver returns the driver that opened the engine.
func (e *Engine) Driver() Driver { return e.driver }

// Pool returns the bounds in force, with defaults filled in and the driver's own applied.
func (e *Engine) Pool() Pool { return e.pool }

// DB returns the engine's pool. Close the engine, not the pool.
func (e *Engine) DB() *sql.DB { return e.pools.db }

// Native returns a second pool, opened on first use, whose connections are of the driver's own
// type, as sql.Conn.Raw hands them out. It has the same bounds. Close the engine, not the pool.
func (e *Engine) Native() (*sql.DB, error) { return e.pools.openNative() }

// Connector returns where the engine's connections come from, for a pool that spreads over several
// engines. Connections made from it are the caller's to close, before the engine.
func (e *Engine) Connector() driver.Connector { return e.connector }

// OnConnect makes every new connection of the engine, but for those of [Engine.Native] and
// [Engine.Probe], go through fn, which may wrap it or refuse it: then it must close it. The router
// uses it to see writes and to prove a reader's connections. It must be called before the engine is
// used; a second call replaces the first.
func (e *Engine) OnConnect(fn func(context.Context, driver.Conn) (driver.Conn, error)) {
	e.connector.onConnect = fn
}

// OnMeet has fn told whom each connection met that was made to ask one server, see [Engine.KeepTo] and [Engine.AskAt]. If that
// is another one and fn says that the one wanted is to be given up, the question fails with [ErrRedial] at once, and else after 16
// such connections in a row. It must be called before the engine is used; a second call replaces the first. Fn must be safe
// for concurrent use and must ask the engine nothing.
func (e *Engine) OnMeet(fn func(wanted string, met Probe) (giveUp bool)) { e.connector.onMeet = fn }

// LimitConnect bounds the making of each new connection by d: a server that accepts connections and
// never answers must not hold up those who could be served elsewhere. It must be called before the
// engine is used.
func (e *Engine) LimitConnect(d time.Duration) { e.connector.limit = d }

// Probe asks the server who and how far it is, on a connection of its own that is kept between
// calls. It is [ErrNoPosition] where the driver is no [Positioner]. Calls take turns.
func (e *Engine) Probe(ctx context.Context) (Probe, error) {
	p, ok := e.driver.(Positioner)
	if !ok {
		return Probe{}, ErrNoPosition
	}
	return e.probe.ask(ctx, e.connector, p)
}

// ProbeAnew makes the next [Engine.Probe] and [Engine.Ask] ask on a new connection, because the engine's address is
// known to lead to another server by now.
func (e *Engine) ProbeAnew() {
	e.probe.moved.Store(true)
	e.asks.moved.Store(true)
}

// KeepTo lets [Engine.Probe] and [Engine.Ask] ask the server with that identity alone, because the engine's address leads to
// several; "" ends that. Where 16 connections in a row lead elsewhere, they fail with [ErrRedial]. It does nothing where the
// driver is no [Positioner].
func (e *Engine) KeepTo(server string) {
	by, ok := e.driver.(Positioner)
	if !ok {
		return
	}
	var keep *keeps
	if server != "" {
		keep = &keeps{by, server}
	}
	e.probe.keep.Store(keep)
	e.asks.keep.Store(keep)
	e.ProbeAnew()
}

// Storage names the data that the engine shares with others, "" if it shares none, see [SharedStorage].
func (e *Engine) Storage() string {
	if s, ok := e.source().(SharedStorage); ok {
		return s.Storage()
	}
	return ""
}

// Pooler names the pooler between this process and the server, as far as the connections made so far have shown one, and
// what it pools; "" if none is known of, see [Pooled].
func (e *Engine) Pooler() string {
	if s, ok := e.source().(Pooled); ok {
		return s.Pooler()
	}
	return ""
}

// SplitsRoles reports whether the engine's URI is worth a second engine, see [RoleSplitter].
func (e *Engine) SplitsRoles() bool {
	s, ok := e.source().(RoleSplitter)
	return ok && s.SplitsRoles()
}

// Sibling opens another engine on the same source: a reader beside a SQLite writer. Each of the two
// is closed by itself.
func (e *Engine) Sibling(name string, opts ...OpenOption) *Engine {
	password := func(s *Engine) { s.password = e.password }
	return newEngine(name, e.driver, e.source(), e.reopen, append([]OpenOption{password}, opts...))
}

// Classify says what an error of this engine proves, see [Fault].
func (e *Engine) Classify(err error) Fault {
	if c, ok := e.driver.(FaultClassifier); ok {
		return c.Classify(err)
	}
	return ClassifyCommon(err)
}

// Ping asks the server for a sign of life: a writer on a connection of its pool, a reader on one that
// is made for the purpose, and proves nothing about the connections of its pool.
func (e *Engine) Ping(ctx context.Context) error {
	ping := e.DB().PingContext
	switch {
	case e.role == Reader:
		ping = e.connector.ping
	case e.pools.now.Load() != e: // the pool asks another one
		ping = e.connector.pingAsUsual
	}
	err := ping(ctx)
	var connect *ConnectError
	if err == nil || errors.As(err, &connect) {
		return err
	}
	return &ConnectError{Engine: e.name, Err: err}
}

// Close closes the engine's pools and their connectors: the idle connections at once, one that is
// still in use when its user gives it back. It may be called again, also at the same time: each
// call waits for the work to be done and returns the same errors, joined.
func (e *Engine) Close() error {
	e.closing.Do(func() { e.closeErr = e.close() })
	return e.closeErr
}

func (e *Engine) close() error { return errors.Join(e.CloseOwn(), e.pools.close(e)) }

// source returns where connections come from now.
func (e *Engine) source() Source { return e.renew().latest().source }

// String returns the engine's name.
func (e *Engine) String() string { return e.name }

// Format writes the engine's name for every verb, and nothing of its source.
func (e *Engine) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(e.name)) }

// MarshalText returns the engine's name.
func (e *Engine) MarshalText() ([]byte, error) { return []byte(e.name), nil }

// connector puts the engine's name on the errors of connecting, and keeps what the driver knows of the
// password one pointer further away from whoever prints a sql.DB.
type connector struct {
	renew     func() *renewal
	native    bool // its connections are of the driver's own type
	engine    string
	next      atomic.Pointer[driver.Connector]                        // who connects in its place, see Engine.Yield; nil: nobody
	limit     time.Duration                                           // of connecting; 0: the driver's own
	onConnect func(context.Context, driver.Conn) (driver.Conn, error) // nil: nothing more to do
	onMeet    func(wanted string, met Probe) (giveUp bool)            // nil: nobody is told
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if next := c.next.Load(); next != nil {
		return (*next).Connect(ctx)
	}
	conn, err := c.connectAs(ctx, nil)
	if errors.Is(err, ErrRedial) {
		if next := c.next.Load(); next != nil { // meanwhile
			return (*next).Connect(ctx)
		}
	}
	return conn, err
}

// connectAs is Connect for a connection that made is called with before its first statement.
func (c *connector) connectAs(ctx context.Context, made func(driver.Conn)) (driver.Conn, error) {
	began := time.Now()
	conn, err := c.connect(ctx, made)
	var failed *ConnectError
	if errors.As(err, &failed) {
		failed.Took = time.Since(began)
	}
	return conn, err
}

func (c *connector) connect(ctx context.Context, made func(driver.Conn)) (driver.Conn, error) {
	limit := c.limit
	if left, bounded := connectby.Left(ctx); bounded && (limit == 0 || left < limit) {
		limit = max(left, 1)
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	for left := redials; ; left-- {
		conn, err := c.plain(ctx)
		if err == nil && made != nil {
			made(conn)
		}
		if err != nil || c.onConnect == nil {
			return conn, err
		}
		if conn, err = c.met(ctx, conn); err == nil {
			return conn, nil
		}
		if !errors.Is(err, ErrRedial) || left == 0 || ctx.Err() != nil || c.next.Load() != nil {
			return nil, &ConnectError{Engine: c.engine, Err: err}
		}
	}
}

// met calls onConnect, which closes what it refuses.
func (c *connector) met(ctx context.Context, made driver.Conn) (conn driver.Conn, err error) {
	err = caught("OnConnect", made, func() (err error) {
		conn, err = c.onConnect(ctx, made)
		return err
	})
	var p *panicked.Error
	if errors.As(err, &p) {
		_ = made.Close() // the panic counts
	}
	return conn, err
}

// ErrRedial is how a function of [Engine.OnConnect] refuses a connection that leads to one of several servers at an address,
// which is not the one wanted: another connection is made at once, 16 times at most.
var ErrRedial = errors.New("binds: the connection leads to another server")

const redials = 16

// ping makes a connection, asks for a sign of life if the driver knows how to, and closes it.
func (c *connector) ping(ctx context.Context) error { return pingBy(ctx, c.plain) }

// pingAsUsual is ping by a connection as the engine's pool would get it.
func (c *connector) pingAsUsual(ctx context.Context) error {
	return pingBy(ctx, func(ctx context.Context) (driver.Conn, error) { return c.connectAs(ctx, nil) })
}

func pingBy(ctx context.Context, connect func(context.Context) (driver.Conn, error)) error {
	conn, err := connect(ctx)
	if err != nil {
		return err
	}
	if p, ok := conn.(driver.Pinger); ok {
		err = caught("Ping", conn, func() error { return p.Ping(ctx) })
	}
	return errors.Join(err, conn.Close())
}

// caught calls what reads a server's answers through a driver, and makes an error of a panic there: the bytes are the server's, and the
// goroutine often is one of this module's or of database/sql, where no program could recover.
func caught(method string, of any, fn func() error) (err error) {
	defer panicked.Catch(&err, method, reflect.TypeOf(of))
	return fn()
}

// plain makes a connection as the driver gives it.
func (c *connector) plain(ctx context.Context) (conn driver.Conn, err error) {
	r := c.renew()
	err = r.use(ctx, func(o *opened) error {
		by := r.connectorOf(o, c.native)
		return caught("Connect", by, func() (err error) {
			conn, err = by.Connect(ctx)
			return err
		})
	})
	if err != nil {
		return nil, &ConnectError{Engine: c.engine, Err: err}
	}
	return conn, nil
}

// Driver returns the driver's own, for database/sql.
func (c *connector) Driver() driver.Driver {
	r := c.renew()
	return r.connectorOf(r.latest(), c.native).Driver()
}
