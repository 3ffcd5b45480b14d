package mysqlbind

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/connectby"
	"github.com/bindery-go/bindery/internal/ctxend"
	"github.com/bindery-go/bindery/internal/panicked"
)

// source is one server as its URI names it.
type source struct {
	guard          *guard
	warnings       []string         // see [binds.Warner]
	files          []string         // see [binds.FileReader]
	host           string           // of the server, or its socket
	port           int              // 0: a socket has none
	native         driver.Connector // of the MySQL driver
	setUp          string           // the first statement of every session
	connectTimeout time.Duration
	timeoutGiven   bool // connectTimeout is the URI's
	readTimeout    time.Duration
	maxPacket      int                     // max_allowed_packet of the URI
	packet         atomic.Int64            // the server's, as the last session told it; 0 before the first
	version        atomic.Pointer[version] // as the last session told it; nil before the first
	router         atomic.Pointer[string]  // the MySQL Router that the last session went through; nil if it met none
}

var _ interface {
	binds.Source
	binds.NativeSource
	binds.Warner
	binds.FileReader
	binds.Addresser
	binds.ProductTeller
} = (*source)(nil)

// newSource keeps the password in a closure until a connection wants it, out of sight of whatever
// walks fields.
func newSource(s *settings) (*source, error) {
	password := s.password
	made := &source{
		guard:          s.guard,
		warnings:       s.warnings,
		files:          s.files,
		setUp:          s.setUp,
		connectTimeout: s.connectTimeout,
		timeoutGiven:   s.timeoutGiven,
		readTimeout:    s.config.ReadTimeout,
		maxPacket:      cmp.Or(s.config.MaxAllowedPacket, maxMaxPacket),
	}
	made.host, made.port = addressOf(s.config)
	err := s.config.Apply(
		mysql.EnableCompression(s.compress),
		mysql.BeforeConnect(func(ctx context.Context, cfg *mysql.Config) error {
			w, ok := ctx.Value(wireKey{}).(*wire)
			if !ok {
				return errUnwatched
			}
			cfg.Passwd, w.cfg = password, cfg
			made.tell(w, cfg)
			return nil
		}))
	if err != nil {
		return nil, err
	}
	if s.guard.key != nil { // the driver takes keys by their names alone, when the connector is made
		s.config.ServerPubKey = "bindery-" + rand.Text()
		mysql.RegisterServerPubKey(s.config.ServerPubKey, s.guard.key)
		defer mysql.DeregisterServerPubKey(s.config.ServerPubKey)
	}
	if made.native, err = mysql.NewConnector(s.config); err != nil {
		return nil, err
	}
	return made, nil
}

// Warnings tells of a server elsewhere that nothing proves because the URI names no ssl-mode, and of a key that others can read.
func (s *source) Warnings() []string { return s.warnings }

// Files returns the files of the URI's certificates and keys.
func (s *source) Files() []string { return s.files }

// Address returns the host and the port, or the path of the socket.
func (s *source) Address() (host string, port int) { return s.host, s.port }

func addressOf(cfg *mysql.Config) (host string, port int) {
	if cfg.Net == "unix" {
		return cfg.Addr, 0
	}
	host, digits, _ := net.SplitHostPort(cfg.Addr) // as setAddress has made it
	port, _ = strconv.Atoi(digits)
	return host, port
}

// Product returns "MariaDB" or "MySQL", by what the latest session was told.
func (s *source) Product() string {
	switch v := s.version.Load(); {
	case v == nil:
		return ""
	case v.mariaDB:
		return "MariaDB"
	}
	return "MySQL"
}

// Connector returns where connections for role come from. Close it to end what it started: the
// killing of abandoned statements.
func (s *source) Connector(role binds.Role) driver.Connector {
	return &connector{source: s, role: role, killer: newKiller(s, role)}
}

// NativeConnector returns connections of the MySQL driver's own type. Those for a reader are
// read-only sessions, but what takes that off is not refused, and a cancelled context leaves the
// statement to the server.
func (s *source) NativeConnector(role binds.Role) driver.Connector {
	return &connector{source: s, role: role}
}

// Format writes a fixed text for every verb.
func (s *source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "mysqlbind source") }

// connect makes a session.
func (s *source) connect(ctx context.Context, role binds.Role) (nativeConn, session, net.Conn, error) {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if t := s.timeout(ctx); t > 0 {
		bounded, cancel = context.WithTimeout(ctx, t)
	}
	defer cancel()
	w := wire{guard: s.guard}
	dc, err := s.login(context.WithValue(bounded, wireKey{}, &w))
	if err != nil && w.opening != nil {
		_ = w.opening.Close() // a second time, unless the driver panicked
	}
	if w.opening != nil && w.opening.refused != nil {
		return nil, session{}, nil, s.explain(ctx, bounded, w.opening.refused)
	}
	if err != nil {
		return nil, session{}, nil, s.explain(ctx, bounded, err)
	}
	c, ok := dc.(nativeConn)
	if !ok {
		_ = dc.Close() // the mistake below says more
		return nil, session{}, nil, fmt.Errorf("mysqlbind: connections of type %T lack what database/sql needs", dc)
	}
	about, err := s.meet(bounded, c, w.opening.version(), role)
	if err != nil {
		_ = c.Close() // it never served
		return nil, session{}, nil, s.explain(ctx, bounded, err)
	}
	s.learn(&about)
	if about.packet, err = s.hear(about.maxPacket, w.limit); err != nil {
		_ = c.Close() // it never served
		return nil, session{}, nil, err
	}
	return c, about, w.opening, nil
}

// login has the MySQL driver connect. A panic of it at what a server says is an error.
func (s *source) login(ctx context.Context) (conn driver.Conn, err error) {
	defer panicked.Catch(&err, "Connect", reflect.TypeOf(s.native))
	return s.native.Connect(ctx)
}

// meet asks a new connection for its session, and sets that up.
func (s *source) meet(ctx context.Context, c nativeConn, version string, role binds.Role) (about session, err error) {
	defer panicked.Catch(&err, "Query", reflect.TypeOf(c))
	way, err := routed(ctx, c, version, role)
	if err != nil {
		return session{}, err
	}
	about, err = begin(ctx, c, s.setUp, role)
	about.routing = way
	return about, err
}

// timeout bounds connecting under ctx; 0: nothing does but ctx.
func (s *source) timeout(ctx context.Context) time.Duration {
	return connectby.Timeout(ctx, s.connectTimeout, s.timeoutGiven)
}

// explain adds the cure to errors of connecting that have one.
func (s *source) explain(ctx, bounded context.Context, err error) error {
	var answer *mysql.MySQLError
	ended := ctxend.Err(ctx)
	switch {
	case ended != nil:
		return fmt.Errorf("mysqlbind: connect: %w: %w", ended, err)
	case bounded.Err() != nil:
		return fmt.Errorf("mysqlbind: no session within connect_timeout (%v): %w", s.timeout(ctx), err)
	case errors.Is(err, mysql.ErrNoTLS):
		return fmt.Errorf("mysqlbind: the server offers no TLS, which ssl-mode asks for: %w", err)
	case errors.As(err, &answer) && answer.Number == 3159: // ER_SECURE_TRANSPORT_REQUIRED
		return fmt.Errorf("mysqlbind: the server wants TLS: give ssl-mode=VERIFY_IDENTITY: %w", err)
	case errors.As(err, &answer) && answer.Number == 2026: // CR_SSL_CONNECTION_ERROR, as MySQL Router says it
		return fmt.Errorf("mysqlbind: the router wants TLS: give ssl-mode=VERIFY_IDENTITY: %w", err)
	case errors.Is(err, mysql.ErrCleartextPassword):
		return fmt.Errorf("mysqlbind: the account wants its password in clear text: give enable-cleartext-plugin=1: %w", err)
	}
	return err
}

// learn keeps what holds for every session.
func (s *source) learn(about *session) {
	if known := s.version.Load(); known == nil || known.text != about.version {
		v := parseVersion(about.version)
		s.version.Store(&v)
	}
	if about.router != s.Pooler() {
		s.router.Store(&about.router)
	}
}

// wire receives the network connection that dial makes for one Connect, and what the MySQL driver was told for it.
type wire struct {
	guard   *guard
	cfg     *mysql.Config // of the connection, as the MySQL driver goes by it
	opening *opening      // the connection; nil before there is one
	limit   int           // see packetLimit
}

type wireKey struct{}

// errUnwatched is a mistake of this package: a connection whose login nobody would watch.
var errUnwatched = errors.New("mysqlbind: connect: the connection is not this package's")

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w, ok := ctx.Value(wireKey{}).(*wire)
	if !ok {
		return nil, errUnwatched
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.opening = &opening{Conn: c, guard: w.guard, cfg: w.cfg}
	return w.opening, nil
}

// connector makes the connections of one pool.
type connector struct {
	source *source
	role   binds.Role
	killer *killer // nil: connections of the driver's own type
}

// Connect makes a connection. Its errors hold no part of the password.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	native, about, netConn, err := c.source.connect(ctx, c.role)
	if err != nil {
		return nil, err
	}
	if c.killer == nil {
		return native, nil
	}
	return newConn(native, c, about, netConn), nil
}

// Driver returns the MySQL driver, and with it what [Dialect] asks its database for.
func (c *connector) Driver() driver.Driver { return &pool{source: c.source} }

// Cancels counts the statements that were given up, see [binds.Engine.Cancels].
func (c *connector) Cancels() binds.CancelStats {
	if c.killer == nil {
		return binds.CancelStats{}
	}
	return c.killer.counts()
}

// Close ends the killing of abandoned statements.
func (c *connector) Close() error {
	if c.killer != nil {
		c.killer.close()
	}
	return nil
}

// Format writes a fixed text for every verb.
func (c *connector) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "mysqlbind connector") }

// pool is what sql.DB.Driver returns for our pools.
type pool struct {
	mysql.MySQLDriver
	source *source
}
