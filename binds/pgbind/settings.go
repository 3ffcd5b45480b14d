package pgbind

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"time"

	"github.com/bindery-go/bindery/internal/connectby"
)

// settings are what a URI says, ready for use and never changed.
type settings struct {
	network, address string // of net.Dial
	host             string // of the server, or its socket
	port             int    // 0: a socket has none
	user, database   string
	password         func() string // hidden from fmt, which prints fields but calls no functions

	startup []parameter // further parameters of the start-up message
	tls     *tls.Config // nil: plain

	verifies    bool                // TLS proves that the server is the right one
	requireAuth authMethods         // how it may ask for the password
	local       func(net.Addr) bool // whether what is sent there stays on this machine
	warnings    []string            // see [binds.Warner]
	files       []string            // see [binds.FileReader]

	connectTimeout time.Duration // for all of connecting; 0: none
	timeoutGiven   bool          // connectTimeout is the URI's
	dialTimeout    time.Duration // for the TCP connection alone; 0: none
	readTimeout    time.Duration // 0: none
	writeTimeout   time.Duration // 0: none
	keepAlive      net.KeepAliveConfig
	userTimeout    time.Duration // TCP_USER_TIMEOUT; 0: the system's
}

// timeout bounds connecting under ctx; 0: nothing does but ctx.
func (s *settings) timeout(ctx context.Context) time.Duration {
	return connectby.Timeout(ctx, s.connectTimeout, s.timeoutGiven)
}

// A parameter is a server setting as the start-up message carries it. What is set there is what
// RESET and DISCARD ALL go back to, manual section 55.2.1.
type parameter struct{ name, value string }

// beltParameter is the setting that makes a session's transactions read-only unless they say
// otherwise.
const beltParameter = "default_transaction_read_only"

// always are settings that pgdriver depends on: it quotes text for conforming strings in UTF-8, and
// reads times in ISO style.
var always = []parameter{
	{"client_encoding", "UTF8"},
	{"standard_conforming_strings", "on"},
	{"datestyle", "ISO"},
}

// hasNUL reports text that would end a field of the start-up message early and begin another.
func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }
