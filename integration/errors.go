package integration

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrClosed is returned by the methods of a closed cluster and its servers.
	ErrClosed = errors.New("the cluster is closed")

	// ErrNotRunning is returned by what needs a running server when it is not.
	ErrNotRunning = errors.New("the server is not running")

	// ErrRunning is returned by [Server.Start] when the server runs already.
	ErrRunning = errors.New("the server is running")

	// ErrNotReplica is returned by what only a replica can do.
	ErrNotReplica = errors.New("the server is not a replica")

	// ErrNotPossible is returned by what the kind of server has nothing like: a member of Galera cannot be promoted.
	ErrNotPossible = errors.New("this kind of server has nothing like it")

	errUnsupported = errors.New("integration: servers can be started on Linux and macOS only")
	errPortTaken   = errors.New("the port was taken by another program")
)

// MissingServerError reports that a database server is not installed.
type MissingServerError struct {
	Server   string   // "PostgreSQL", "MySQL", "MariaDB" or "Galera"
	Programs []string // the programs that must be found together
	Searched []string // where they were looked for
	Setting  string   // the environment variable that names their directory
	Install  string   // what to type to install it
}

func (e *MissingServerError) Error() string {
	return fmt.Sprintf("integration: no %s server found (%s are needed): install it with %q, or set %s to its directory; searched %s",
		e.Server, strings.Join(e.Programs, " and "), e.Install, e.Setting, strings.Join(e.Searched, ", "))
}

// ServerError reports what a server could not do, with the end of its log where that explains it.
type ServerError struct {
	Server string // as [Server.Name] has it
	Op     string // what was tried: "start", "promote"
	Log    string // the last lines of the server's log; "" if the log has nothing to say
	Err    error
}

func (e *ServerError) Error() string {
	text := fmt.Sprintf("integration: %s %q: %v", e.Op, e.Server, e.Err)
	if e.Log != "" {
		text += "\n" + e.Log
	}
	return text
}

// Unwrap returns the cause.
func (e *ServerError) Unwrap() error { return e.Err }
