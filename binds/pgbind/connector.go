package pgbind

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"reflect"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/ctxend"
	"github.com/bindery-go/bindery/internal/panicked"
)

// A connector makes connections for one role.
type connector struct {
	settings *settings
	role     binds.Role
	cancels  canceller
	sessions *sessions
}

// Connect logs in. It ends with ctx, and with connect_timeout.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	pg, w, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	return newConn(pg, w, c.role, c.sessions), nil
}

// login makes a connection with its belt on.
func (c *connector) login(ctx context.Context) (*pgdriver.Conn, *wire, error) {
	bounded := ctx
	if t := c.settings.timeout(ctx); t > 0 {
		var stop context.CancelFunc
		bounded, stop = context.WithTimeout(ctx, t)
		defer stop()
	}
	w, pg, err := c.attempt(bounded, false)
	for range attempts {
		again, standby := c.yields(err)
		if !again {
			break
		}
		if w != nil {
			_ = w.Close() // another one takes its place
		}
		w, pg, err = c.attempt(bounded, standby)
	}
	if w == nil {
		return nil, nil, c.explain(ctx, bounded, err)
	}
	if err == nil && w.socket.isDoomed() {
		err = bounded.Err()
	}
	if err != nil {
		_ = w.Close() // err says what is wrong
		return nil, nil, c.explain(ctx, bounded, err)
	}
	return pg, w, nil
}

// attempt makes a connection. The wire is nil if none came to be.
func (c *connector) attempt(ctx context.Context, standby bool) (*wire, *pgdriver.Conn, error) {
	w, err := c.dial(ctx, standby)
	if err != nil {
		return nil, nil, err
	}
	pg, err := c.open(ctx, w)
	w.finish()
	return w, pg, err
}

// explain says which of the two limits an error comes from, if from one of them.
func (c *connector) explain(ctx, bounded context.Context, err error) error {
	ended := ctxend.Err(ctx)
	switch {
	case ended != nil:
		return fmt.Errorf("pgbind: connect: %w", ended)
	case bounded.Err() != nil:
		return fmt.Errorf("pgbind: connect: no log-in within connect_timeout (%v): %w", c.settings.timeout(ctx), bounded.Err())
	}
	return err
}

// dial makes a wire, encrypted as the settings say, watched by ctx from the first byte on. See startup for standby.
func (c *connector) dial(ctx context.Context, standby bool) (*wire, error) {
	raw, err := c.settings.dial(ctx, c.settings.network, c.settings.address)
	if err != nil {
		return nil, err
	}
	w := &wire{socket: &socket{Conn: raw}, startup: c.startup(standby), quiet: true}
	w.required, w.proved = c.settings.requireAuth, c.settings.verifies || c.settings.local(raw.RemoteAddr())
	w.weakened = standby && c.role == binds.Writer
	w.poll.watch(raw)
	w.socket.onInterrupt = func() { c.requestCancel(raw.RemoteAddr(), w.pid, w.key, w.socket.answered.Load) }
	if err = w.begin(ctx, false); err == nil {
		w.stream, err = c.settings.encrypt(w.socket)
	}
	if err != nil {
		w.socket.finish()
		_ = raw.Close() // err says what is wrong
		return nil, err
	}
	return w, nil
}

// startup is what the server is told at log-in, the belt last: of two values the later one counts. On a standby that is told
// not to be SERIALIZABLE by default.
func (c *connector) startup(standby bool) []parameter {
	ps := make([]parameter, 0, len(exact)+len(c.settings.startup)+2)
	if !c.sessions.plain.Load() {
		ps = append(ps, exact...)
	}
	ps = append(ps, c.settings.startup...)
	if standby || c.role == binds.Reader && c.sessions.serializable.Load() {
		ps = append(ps, onStandby)
	}
	if c.role == binds.Reader {
		ps = append(ps, parameter{beltParameter, "on"})
	}
	return ps
}

// open has pgdriver log in over w, which the caller closes if that fails. A panic of pgdriver at what a server says is such a failure.
func (c *connector) open(ctx context.Context, w *wire) (pg *pgdriver.Conn, err error) {
	defer panicked.Catch(&err, "Connect", reflect.TypeFor[pgdriver.Connector]())
	conf := c.config()
	conf.Dialer = func(context.Context, string, string) (net.Conn, error) { return w, nil }
	conn, err := pgdriver.NewConnector(pgdriver.WithConfig(conf)).Connect(context.WithoutCancel(ctx))
	if w.refusal != nil {
		return nil, w.refusal
	}
	if err != nil {
		return nil, c.settings.explainPlain(explainRefusal(err))
	}
	if err := w.finishLogin(); err != nil {
		return nil, err
	}
	pg = conn.(*pgdriver.Conn)
	if c.role == binds.Reader && w.belt != isOn {
		err = w.fasten(pg)
	}
	if err == nil {
		err = w.meetPlainly(pg)
	}
	w.exact = w.pooling == noPooler && !c.sessions.plain.Load()
	return pg, err
}

// config is all of pgdriver's configuration, so that none comes from the environment. TLS, the
// start-up parameters and the context are the wire's.
func (c *connector) config() *pgdriver.Config {
	s := c.settings
	return &pgdriver.Config{
		Network:          s.network,
		Addr:             s.address,
		User:             s.user,
		Password:         s.password(),
		Database:         s.database,
		ReadTimeout:      s.readTimeout,
		WriteTimeout:     s.writeTimeout,
		BufferSize:       8192, // a notification fits, see pgdriver.NewListener
		ResetSessionFunc: func(ctx context.Context, pg *pgdriver.Conn) error { return c.check(ctx, pg) },
	}
}

// requestCancel asks the server in the background to stop what a session does: again and again while no answer
// comes, for it ignores a request that arrives while it reads the statement (PostgresMain, DoingCommandRead).
func (c *connector) requestCancel(peer net.Addr, pid, key uint32, answered func() bool) {
	if pid == 0 && key == 0 {
		return
	}
	c.cancels.add(&givenUp{
		ask:      func(ctx context.Context) error { return c.settings.cancel(ctx, peer, pid, key) },
		answered: answered,
	})
}

// Cancels counts the statements that were given up, see [binds.Engine.Cancels].
func (c *connector) Cancels() binds.CancelStats { return c.cancels.counts() }

// Close waits for the cancel requests under way, five seconds at most; none is repeated from then on.
func (c *connector) Close() error {
	c.cancels.close()
	return nil
}

// Driver returns a driver that opens URIs as this package does, in the role of a writer.
func (c *connector) Driver() driver.Driver { return sqlDriver{} }

// Format writes a fixed text for every verb.
func (c *connector) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, withheld) }

// MarshalText returns the same text.
func (c *connector) MarshalText() ([]byte, error) { return []byte(withheld), nil }

// sqlDriver is the driver of database/sql's own kind.
type sqlDriver struct{}

func (sqlDriver) Open(uri string) (driver.Conn, error) {
	s, err := parse(uri)
	if err != nil {
		return nil, err
	}
	c := &connector{settings: s, sessions: &sessions{}}
	return c.Connect(context.Background())
}

// A nativeConnector makes pgdriver's own connections.
type nativeConnector struct{ connector }

func (c *nativeConnector) Connect(ctx context.Context) (driver.Conn, error) {
	pg, w, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	if c.role == binds.Reader && w.pooling.shares() && w.belt != isOn {
		_ = pg.Close() // the error counts
		return nil, &PoolerError{Pooler: w.poolerName(w.pooling), Need: "a reader's native connection"}
	}
	w.quiet = false // pgdriver is the one to say that nothing was sent
	return pg, nil
}

// Driver returns pgdriver's driver, from which pgdriver.NewListener makes its connections.
func (c *nativeConnector) Driver() driver.Driver {
	conf := c.config()
	conf.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		w, err := c.dial(ctx, false)
		if err != nil {
			return nil, err
		}
		w.finish()
		w.quiet = false
		return w, nil
	}
	return pgdriver.NewConnector(pgdriver.WithConfig(conf)).Driver()
}
