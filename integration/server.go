package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// A Server is one database server of a [Cluster]. It is safe for concurrent use.
type Server struct {
	name    string
	id      atomic.Int64 // from 1, unique in the cluster: MariaDB's server_id
	cluster *Cluster
	dir     string // its own directory, data and log in it
	port    port
	more    []port // those of a group's own traffic

	// verbs is held by the method that controls the server; it has room for one.
	verbs chan struct{}

	mu      sync.Mutex // guards what follows
	process *process   // the last one; nil if there was none
	primary *Server    // whom it follows; nil for a primary and for a group's member
	held    *heldConn  // the connection that keeps a pause, or nil
	closed  bool
}

const (
	appDatabase = "app"
	appUser     = "app"
	adminUser   = "admin"
	replicaUser = "replicator"

	seedDir    = "seed"
	socketDir  = "sockets"
	scratchDir = "tmp"
	dataDir    = "data"
	logFile    = "log"
)

func (c *Cluster) newServer(name string, primary *Server) (*Server, error) {
	if err := c.workspace.mkdir(name); err != nil {
		return nil, err
	}
	port, err := reservePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	s := &Server{
		name: name, cluster: c, dir: c.workspace.path(name), port: port,
		verbs: make(chan struct{}, 1), primary: primary,
	}
	s.id.Store(c.lastID.Add(1))
	if peers, ok := c.peers(); ok {
		for range peers.ports() {
			p, err := reservePort()
			if err != nil {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			s.more = append(s.more, p)
		}
	}
	return s, nil
}

// Name returns "primary" or "replica-1", "replica-2": what the server started as. A group has "member-1" and so on.
func (s *Server) Name() string { return s.name }

// String returns the server's name.
func (s *Server) String() string { return s.name }

// Version returns the server's product and version.
func (s *Server) Version() Version { return s.cluster.version }

// Port returns the TCP port, which the server keeps when it is stopped and started.
func (s *Server) Port() int { return s.port.number }

// Addr returns the server's address, as in "127.0.0.1:40123".
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port())) }

// URI returns where the ordinary user logs in over TCP without TLS, password included:
// postgres://app:…@127.0.0.1:port/app?sslmode=disable, mariadb://app:…@127.0.0.1:port/app or the same with mysql://.
func (s *Server) URI() string {
	return s.cluster.system.uri(s, appUser, s.cluster.options.password)
}

// AdminURI is [Server.URI] for the administrator: PostgreSQL's superuser, or ALL PRIVILEGES of MariaDB and
// MySQL, which on MariaDB include writing to a read-only replica.
func (s *Server) AdminURI() string {
	return s.cluster.system.uri(s, adminUser, s.cluster.admin)
}

// SocketURI is [Server.URI] over the Unix socket:
// postgres://app:…@/app?host=directory&port=port&sslmode=disable, mariadb://app:…@/app?socket=path or the same with mysql://.
func (s *Server) SocketURI() string { return s.cluster.system.socketURI(s) }

// SocketPath returns the path of the Unix socket.
func (s *Server) SocketPath() string { return s.cluster.system.socketPath(s) }

// SocketDir returns the directory of the Unix socket, which PostgreSQL's clients take for a host.
func (s *Server) SocketDir() string { return s.cluster.workspace.path(socketDir) }

// Log returns the last lines of the server's log, for a test that failed.
func (s *Server) Log() string { return s.cluster.workspace.tail(s.logPath(), 0) }

func (s *Server) logPath() string  { return filepath.Join(s.dir, logFile) }
func (s *Server) dataPath() string { return filepath.Join(s.dir, dataDir) }

// current returns the running process, or ErrNotRunning.
func (s *Server) current() (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.process == nil || !s.process.running():
		return nil, ErrNotRunning
	}
	return s.process, nil
}

func (s *Server) running() bool {
	_, err := s.current()
	return err == nil
}

// following returns whom the server replicates, or nil.
func (s *Server) following() *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.primary
}

func (s *Server) setFollowing(primary *Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.primary = primary
}

// failed gives err the server's name and what was tried. It keeps nil, and an error that has both.
func (s *Server) failed(op string, err error) error {
	var named *ServerError
	if err == nil || errors.As(err, &named) {
		return err
	}
	return &ServerError{Server: s.name, Op: op, Err: err}
}

// copySeed gives the server its data directory.
func (s *Server) copySeed(ctx context.Context) error {
	c := s.cluster
	var err error
	if c.seed != nil {
		err = c.seed().writeTo(ctx, c.workspace, s.dataPath())
	} else {
		err = c.runCommand(ctx, "cp", "-Rp", c.workspace.path(seedDir), s.dataPath())
	}
	if err == nil {
		err = c.system.configure(s)
	}
	return s.failed("copy the data of", err)
}

// boot starts the server for the first time, on another port if somebody has taken its own.
func (s *Server) boot(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := s.launch(ctx)
		if attempt == portAttempts || !errors.Is(err, errPortTaken) {
			return err
		}
		// Not held this time: a kernel may not let two sockets share a port as reservePort hopes.
		s.port.release()
		if s.port, err = choosePort(); err != nil {
			return s.failed("start", err)
		}
	}
}

// launch starts the process and waits until it accepts connections.
func (s *Server) launch(ctx context.Context) error {
	log, err := s.cluster.workspace.openInside(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return s.failed("start", err)
	}
	defer func() { _ = log.Close() }() // the server has its own descriptor
	info, err := log.Stat()
	if err != nil {
		return s.failed("start", err)
	}
	if p, ok := s.cluster.system.(preparer); ok {
		if err := p.prepare(ctx, s); err != nil {
			return s.failed("start", err)
		}
	}
	program, args := s.cluster.system.command(s)
	_, immediate := s.cluster.system.stops()
	cmd := s.cluster.command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	prepareFork(cmd, s.cluster.workspace.as, immediate)
	p, err := s.cluster.launcher.start(cmd)
	if err != nil {
		return s.failed("start", err)
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	return s.awaitReady(ctx, p, info.Size())
}

func (s *Server) awaitReady(ctx context.Context, p *process, logStart int64) error {
	var last error
	err := poll(ctx, func() (bool, error) {
		if !p.running() {
			return false, s.diedAtStart(p, logStart)
		}
		last = s.ping(ctx)
		return last == nil, nil
	})
	var died *ServerError
	if err == nil || errors.As(err, &died) {
		return err
	}
	return &ServerError{Server: s.name, Op: "start", Log: s.cluster.workspace.tail(s.logPath(), logStart), Err: fmt.Errorf("%w: %w", err, last)}
}

func (s *Server) diedAtStart(p *process, logStart int64) error {
	log := s.cluster.workspace.tail(s.logPath(), logStart)
	err := fmt.Errorf("the server ended by itself (%v)", p.err)
	if s.cluster.system.portTaken(log) {
		err = errPortTaken
	}
	return &ServerError{Server: s.name, Op: "start", Log: log, Err: err}
}

// join starts a replica for the first time and makes it follow the primary.
func (s *Server) join(ctx context.Context) error {
	primary := s.following()
	err := s.boot(ctx)
	if err != nil {
		return err
	}
	if peers, ok := s.cluster.peers(); ok {
		err = peers.rejoin(ctx, s)
	} else {
		err = s.cluster.system.follow(ctx, s, primary)
	}
	return s.failed("start", err)
}

// awaitReplay waits until s has replayed what primary has written by now.
func (s *Server) awaitReplay(ctx context.Context, primary *Server) error {
	position, err := s.cluster.system.position(ctx, primary)
	if err != nil {
		return primary.failed("ask for the position of", err)
	}
	return poll(ctx, func() (bool, error) {
		return s.cluster.system.replayed(ctx, s, position)
	})
}
