package pgbind

import (
	"database/sql/driver"
	"fmt"
	"io"

	"github.com/bindery-go/bindery/binds"
)

// withheld is what printed values with settings inside show.
const withheld = "pgbind[URI withheld]"

// A source is one database as its URI names it.
type source struct {
	settings *settings
	sessions *sessions // of all its connections
}

// Connector returns where connections for role come from. Close waits for the cancel requests that
// are under way, five seconds at most.
func (s *source) Connector(role binds.Role) driver.Connector {
	return &connector{settings: s.settings, role: role, sessions: s.sessions}
}

// NativeConnector returns where connections of type *pgdriver.Conn come from. They have the belt, TLS
// and the checks of the others; but a context that is cancelled does not end what they wait for,
// a deadline does, and the server is told of neither: so pgdriver works.
func (s *source) NativeConnector(role binds.Role) driver.Connector {
	return &nativeConnector{connector{settings: s.settings, role: role, sessions: s.sessions}}
}

var _ interface {
	binds.Warner
	binds.FileReader
	binds.Addresser
} = (*source)(nil)

// Address returns the host and the port, or the path of the socket.
func (s *source) Address() (host string, port int) { return s.settings.host, s.settings.port }

// Files returns the files of the URI's certificates and keys.
func (s *source) Files() []string { return s.settings.files }

// Warnings tells of a server elsewhere that nothing proves because the URI names no sslmode, and of a key that others can read.
func (s *source) Warnings() []string { return s.settings.warnings }

// Format writes a fixed text for every verb.
func (s *source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, withheld) }

// MarshalText returns the same text.
func (s *source) MarshalText() ([]byte, error) { return []byte(withheld), nil }
