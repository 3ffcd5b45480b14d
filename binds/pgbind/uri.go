package pgbind

import (
	"errors"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds/internal/dburi"
	"github.com/bindery-go/bindery/binds/internal/peer"
)

const (
	defaultHost           = "localhost"
	defaultPort           = 5432
	defaultConnectTimeout = 10 * time.Second
	defaultUserTimeout    = 30 * time.Second
)

var defaultKeepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// parse reads a URI. Nothing comes from the environment: a bind is where its URI says, whatever
// PGHOST, PGUSER or PGPASSWORD are set to.
func parse(text string) (*settings, error) {
	u, err := dburi.Parse(text)
	if err != nil {
		return nil, err
	}
	s := &settings{local: peer.Local}
	s.readServer(u)
	s.readLogin(u)
	s.requireAuth = readRequireAuth(u.Params)
	s.readTimeouts(u.Params)
	s.readStartup(u.Params)
	refuse(u.Params)
	if err := u.Params.Done(); err != nil {
		return nil, err
	}
	if hasNUL(s.user) || hasNUL(s.database) || hasNUL(s.password()) {
		return nil, errors.New("malformed URI: it holds a NUL character")
	}
	for _, p := range s.startup {
		if hasNUL(p.value) {
			return nil, errors.New("malformed URI: parameter \"" + p.name + "\" holds a NUL character")
		}
	}
	return s, nil
}

// readServer finds out where the server is and how to speak to it.
func (s *settings) readServer(u *dburi.URI) {
	host := once(u.Params, "host", "host", u.Host)
	address := u.Params.String("hostaddr", "")
	port := u.Port
	if n := u.Params.Int("port", defaultPort, 1, 65535); port == 0 {
		port = n
	} else if u.Params.Has("port") {
		u.Params.Fail("the port is given twice, before the path and as parameter %q", "port")
	}
	if host == "" {
		host = defaultHost
	}
	if strings.Contains(host, ",") {
		u.Params.Fail("parameter %q names several servers: give the others as readers", "host")
	}
	s.keepAlive, s.userTimeout = defaultKeepAlive, defaultUserTimeout
	s.readKeepAlive(u.Params)
	if isSocket(host) {
		s.network, s.address = "unix", path.Join(host, ".s.PGSQL."+strconv.Itoa(port))
		s.host = s.address
		if address != "" {
			u.Params.Fail("parameter %q has no meaning with a Unix socket", "hostaddr")
		}
	} else {
		s.network, s.address = "tcp", net.JoinHostPort(orElse(address, host), strconv.Itoa(port))
		s.host, s.port = host, port
		if address != "" && net.ParseIP(address) == nil {
			u.Params.Fail("parameter %q must be an IP address", "hostaddr")
		}
	}
	s.readTLS(u.Params, host, isSocket(host) || peer.IsLocalHost(host) && (address == "" || peer.IsLocalHost(address)))
}

// isSocket reports whether a host is the directory of a Unix socket or, with "@", a name in Linux's
// abstract namespace, as in libpq.
func isSocket(host string) bool { return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") }

func (s *settings) readLogin(u *dburi.URI) {
	s.user = once(u.Params, "user", "user", u.User)
	if s.user == "" {
		u.Params.Fail("the URI names no user: write postgres://user@host/database")
	}
	given := ""
	if u.HasPassword {
		given = u.Password
	}
	password := once(u.Params, "password", "password", given)
	s.password = func() string { return password }
	s.database = orElse(once(u.Params, "dbname", "database", u.Path), s.user)
}

// once reads what may stand in the body of the URI or as a parameter, but not in both.
func once(p *dburi.Params, name, what, body string) string {
	v := p.String(name, "")
	if v != "" && body != "" {
		p.Fail("the %s is given twice, before the parameters and as parameter %q", what, name)
	}
	return orElse(body, v)
}

func orElse(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func (s *settings) readTimeouts(p *dburi.Params) {
	s.timeoutGiven = p.Has("connect_timeout")
	s.connectTimeout = p.Duration("connect_timeout", defaultConnectTimeout, time.Second)
	s.dialTimeout = p.Duration("dial_timeout", 0, time.Second)
	s.readTimeout = p.Duration("read_timeout", 0, time.Second)
	s.writeTimeout = p.Duration("write_timeout", 0, time.Second)
}

func (s *settings) readKeepAlive(p *dburi.Params) {
	k := &s.keepAlive
	k.Enable = p.Bool("keepalives", true)
	k.Idle = p.Duration("keepalives_idle", k.Idle, time.Second)
	k.Interval = p.Duration("keepalives_interval", k.Interval, time.Second)
	k.Count = p.Int("keepalives_count", k.Count, 1, 100)
	if p.Has("tcp_user_timeout") && !hasUserTimeout {
		p.Fail("parameter %q works on Linux only", "tcp_user_timeout")
	}
	s.userTimeout = p.Duration("tcp_user_timeout", s.userTimeout, time.Millisecond)
}
