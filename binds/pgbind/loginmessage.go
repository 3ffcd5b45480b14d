package pgbind

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// What an Authentication message asks for.
const (
	requestNothing    = 0 // AuthenticationOk
	requestClear      = 3
	requestMD5        = 5
	requestSCRAM      = 10 // AuthenticationSASL
	requestSCRAMMore  = 11 // AuthenticationSASLContinue
	requestSCRAMFinal = 12 // AuthenticationSASLFinal
)

// mostIterations is how often SCRAM hashes the password at most, for any server: half a second's work or so, which no context ends.
// PostgreSQL's scram_iterations goes to 2147483647, which is minutes for each connection.
const mostIterations = 1_000_000

// longestLogin is how long a message of the log-in may be: a notice, say. Libpq ends at 30000 bytes for most kinds.
const longestLogin = 1 << 20

// measure judges the length of the message that has begun, before pgdriver reads by it.
func (t *tap) measure() error {
	switch {
	case t.left < 0:
	case t.loggedIn:
		return nil
	case t.left > longestLogin:
	case t.kind == msgAuthentication && (t.left < 4 || t.left > len(t.body)):
	case t.kind == msgBackendKey && t.left != 8, t.kind == msgReady && t.left != 1: // of protocol 3.0, manual section 55.7
	default:
		return nil
	}
	return &MessageError{Message: fmt.Sprintf("%q", t.kind), Reason: fmt.Sprintf("a length of %d, which it cannot have", t.left+4)}
}

// request judges a whole message of the server's that asks for something, and takes note of it.
func (a *auth) request(body []byte) error {
	asks, data := binary.BigEndian.Uint32(body), body[4:]
	want := 0
	switch asks {
	case requestSCRAM:
		return offered(data)
	case requestSCRAMMore:
		return a.first(data)
	case requestMD5:
		want = 4 // of salt
	case requestNothing, requestClear:
	case requestSCRAMFinal:
		want = max(len(data), 3) // "v=" and the proof
	default:
		return nil // pgdriver knows none of the rest, and says so
	}
	if len(data) != want {
		return malformed(fmt.Sprintf("request %d, of %d bytes", asks, len(data)))
	}
	return nil
}

// offered judges a list of mechanisms, each with a zero byte behind it, and one more at the end.
func offered(list []byte) error {
	names, ended := bytes.CutSuffix(list, []byte("\x00\x00"))
	if !ended {
		return malformed("a list of mechanisms without an end")
	}
	for name := range bytes.SplitSeq(names, []byte{0}) {
		if string(name)+"\x00" == mechanism {
			return nil
		}
	}
	return malformed("no mechanism that this driver can do: it can do SCRAM-SHA-256 (password_encryption, pg_hba.conf)")
}

// first judges the server's first message of SCRAM, RFC 5802, section 7: r=, s= and i= once each, in this order, and behind them
// extensions alone. Pgdriver takes the last of several, and no end of one that is empty.
func (a *auth) first(text []byte) error {
	for i, attribute := range strings.Split(string(text), ",") {
		switch {
		case len(attribute) < 3 || attribute[1] != '=',
			i < 3 && attribute[0] != "rsi"[i],
			i >= 3 && strings.IndexByte("rsim", attribute[0]) >= 0:
			return malformed("a first message of SCRAM that is none (RFC 5802, section 7)")
		case i == 2:
			n, err := strconv.ParseUint(attribute[2:], 10, 31)
			if err != nil {
				return malformed("a first message of SCRAM without a number of iterations (RFC 5802, section 7)")
			}
			if n > mostIterations {
				return &MessageError{Message: "the first message of SCRAM", Reason: fmt.Sprintf("%d iterations, and no more than %d are done here: "+
					"set scram_iterations to that or less at the server, and the password anew", n, mostIterations)}
			}
			if !a.asked || int(n) < a.iterations {
				a.iterations = int(n)
			}
			a.asked = true
		}
	}
	if !a.asked {
		return malformed("a first message of SCRAM without a number of iterations (RFC 5802, section 7)")
	}
	return nil
}

func malformed(what string) error {
	return &MessageError{Message: "its request to log in", Reason: what}
}

// MessageError reports a message of the server's that this driver does not read: of a length or form that cannot be, or one that
// asks for too much work. The connection is closed. It holds nothing of what the server said but lengths and numbers.
type MessageError struct {
	Message string // "'R'", the type that manual section 55.7 gives it, or what it is
	Reason  string
}

func (e *MessageError) Error() string {
	return fmt.Sprintf("pgbind: the server does not speak as PostgreSQL does: %s has %s", e.Message, e.Reason)
}
