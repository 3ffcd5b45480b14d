package integration

import (
	"context"
	"database/sql/driver"
	"syscall"
	"time"
)

// A system is what differs between PostgreSQL, MariaDB, MySQL and groups of the latter two.
type system interface {
	// program returns the product's name and the server's program.
	program() (product, path string)
	// accounts names the operating system's users to run as, best first, if we are root.
	accounts() []string
	// seed makes the data directory, seedDir, that every server starts from a copy of, with all accounts and the tests' database.
	seed(ctx context.Context, c *Cluster) error
	// configure readies the copy in s for its first start, or, after a promotion, the next.
	configure(s *Server) error
	// command returns the program and arguments of s.
	command(s *Server) (string, []string)
	// stops returns the signals for an orderly and for an immediate end.
	stops() (orderly, immediate syscall.Signal)
	// portTaken reports whether the log of a server that ended says that it could not bind.
	portTaken(log string) bool
	// afterKill removes what a killed server could not.
	afterKill(s *Server)

	uri(s *Server, user string, password secret) string
	socketURI(s *Server) string
	socketPath(s *Server) string
	// connector logs the administrator in, over the socket. What it opens breaks when ctx ends.
	connector(ctx context.Context, s *Server, database string) driver.Connector
	// anyDatabase is one that every server has.
	anyDatabase() string

	// position returns what awaitReplay needs to know about a primary's present state.
	position(ctx context.Context, primary *Server) (string, error)
	// replayed reports whether s has replayed position and still follows.
	replayed(ctx context.Context, s *Server, position string) (bool, error)
	// follow makes a running replica replicate primary from where it stands.
	follow(ctx context.Context, s, primary *Server) error
	// rebuild gives a stopped server, whose data directory is gone, data to follow primary from.
	rebuild(ctx context.Context, s, primary *Server) error
	pause(ctx context.Context, s *Server) error
	resume(ctx context.Context, s *Server) error
	delay(ctx context.Context, s *Server, d time.Duration) error
	promote(ctx context.Context, s *Server) error
}
