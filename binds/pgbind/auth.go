package pgbind

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/internal/dburi"
)

// Messages and requests of authentication, manual section 55.7.
const (
	msgAuthentication = 'R'
	msgPassword       = 'p'
	mechanism         = "SCRAM-SHA-256\x00"
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

// leastIterations is how often SCRAM hashes the password at least for a peer that nothing proves: RFC 7677, section 4, and
// PostgreSQL's default. Who asks for fewer may want to try passwords against the answer.
const leastIterations = 4096

// mostIterations is how often SCRAM hashes the password at most, for any server: half a second's work or so, which no context ends.
// PostgreSQL's scram_iterations goes to 2147483647, which is minutes for each connection.
const mostIterations = 1_000_000

// longestLogin is how long a message of the log-in may be: a notice, say. Libpq ends at 30000 bytes for most kinds.
const longestLogin = 1 << 20

// The methods of require_auth, libpq's names.
const (
	authNone     = "none" // the server asks for nothing: trust, or a certificate
	authPassword = "password"
	authMD5      = "md5"
	authSCRAM    = "scram-sha-256"
)

// authNames are all that libpq knows. Those that this driver cannot do may stand in a list, but not alone.
var authNames = []string{authNone, authPassword, authMD5, authSCRAM, "gss", "sspi", "oauth"}

var authDone = authNames[:4]

// authMethods is the value of require_auth: the methods that are allowed. Its zero value allows all.
type authMethods struct {
	names   []string
	negated bool // names are those that are not allowed
}

func (m authMethods) allows(method string) bool {
	return len(m.names) == 0 || slices.Contains(m.names, method) != m.negated
}

// accepts reports whether the method is named as one that is allowed.
func (m authMethods) accepts(method string) bool {
	return !m.negated && slices.Contains(m.names, method)
}

// String is the value as a URI has it.
func (m authMethods) String() string {
	if m.negated {
		return "!" + strings.Join(m.names, ",!")
	}
	return strings.Join(m.names, ",")
}

// readRequireAuth reads a list as libpq 16 has it: names with commas between them, all of them with "!" before them or none.
func readRequireAuth(p *dburi.Params) (m authMethods) {
	if !p.Has("require_auth") {
		return m
	}
	for i, name := range strings.Split(p.String("require_auth", ""), ",") {
		name, negated := strings.CutPrefix(name, "!")
		switch {
		case !slices.Contains(authNames, name):
			p.Fail("parameter %q must name methods with commas between them, without blanks: %s; or those that are not allowed, each with ! before it",
				"require_auth", strings.Join(authNames, ", "))
			return m
		case i > 0 && negated != m.negated:
			p.Fail("parameter %q must not mix methods that are allowed with methods that are not", "require_auth")
			return m
		case slices.Contains(m.names, name):
			p.Fail("parameter %q names a method twice", "require_auth")
			return m
		}
		m.names, m.negated = append(m.names, name), negated
	}
	if !slices.ContainsFunc(authDone, m.allows) {
		p.Fail("parameter %q leaves no method that this driver can do: %s", "require_auth", strings.Join(authDone, ", "))
	}
	return m
}

// An auth judges what a log-in is about to send. It goes by what that is, not by what the server has asked for: so nothing
// that a server sends in a false order or length gets another answer out of pgdriver than is judged here.
type auth struct {
	required authMethods
	proved   bool // TLS has verified the server, or it is on this machine

	method     string // by which the client has answered; "": it was asked nothing
	begun      bool   // SCRAM's first message has been sent
	iterations int    // the fewest that the server has asked for; 0: none that could be read
	asked      bool   // it has asked
	over       bool   // the log-in
	refusal    error  // why something was not sent, nil if all was
}

var md5Answer = regexp.MustCompile("^md5[0-9a-f]{32}\x00$")

// admit judges a message before it is sent, and returns why it must not be.
func (a *auth) admit(m []byte) error {
	switch {
	case a.over || len(m) < headerLen: // a refusal holds for what follows, too
	case m[0] == msgTerminate:
		return nil // not even refused
	case m[0] == msgPassword:
		a.refusal = a.answer(m[headerLen:])
	default:
		return a.finishLogin()
	}
	return a.refusal
}

// finishLogin judges a log-in that has succeeded, before anything else is sent.
func (a *auth) finishLogin() error {
	if method := orElse(a.method, authNone); !a.over && !a.required.allows(method) {
		a.refusal = a.refuse(method)
	}
	a.over = true
	return a.refusal
}

func (a *auth) answer(body []byte) error {
	a.method = a.methodOf(body)
	if !a.required.allows(a.method) {
		return a.refuse(a.method)
	}
	if a.proved {
		return nil
	}
	switch {
	case a.method == authPassword:
		return withhold("the password in clear text", "give sslmode=verify-full, and sslrootcert with the server's authority; "+
			"or have the server ask by scram-sha-256 (pg_hba.conf), and say require_auth=scram-sha-256")
	case a.method == authMD5 && !a.required.accepts(authMD5):
		return withhold("the password as an MD5 hash, which can be sent again or be guessed from", "give sslmode=verify-full, and sslrootcert with the "+
			"server's authority; or have the server ask by scram-sha-256 (password_encryption, pg_hba.conf); or, if you trust the network, say require_auth=md5")
	case a.method == authSCRAM && !a.begun && a.iterations < leastIterations:
		return withhold(fmt.Sprintf("the password hashed %d times only, from which it can be guessed", a.iterations),
			fmt.Sprintf("give sslmode=verify-full, and sslrootcert with the server's authority; or set scram_iterations to %d or more there, and the password anew", leastIterations))
	}
	return nil
}

// methodOf finds out what an answer is. SCRAM's messages, RFC 5802, do not end with a zero byte as passwords do, but for the name of the
// mechanism, in which no password has one.
func (a *auth) methodOf(body []byte) string {
	switch {
	case !a.begun && bytes.HasPrefix(body, []byte(mechanism)):
		a.begun = true
		return authSCRAM
	case a.begun && bytes.HasPrefix(body, []byte("c=")) && body[len(body)-1] != 0:
		a.begun = false
		return authSCRAM
	case md5Answer.Match(body):
		return authMD5
	}
	return authPassword
}

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

func (a *auth) refuse(method string) error {
	return &AuthMethodError{Method: method, Required: a.required.String()}
}

func withhold(asked, cure string) error {
	return &binds.PasswordWithheldError{Driver: "pgbind", Asked: asked, Cure: cure}
}

// AuthMethodError reports a server that asks for another way to log in than the URI's require_auth allows. Nothing
// of the password was sent.
type AuthMethodError struct {
	Method   string // as require_auth names it; "none" if the server asked for nothing
	Required string // the URI's require_auth
}

func (e *AuthMethodError) Error() string {
	if e.Method == authNone {
		return fmt.Sprintf("pgbind: the server lets this login in without asking for anything, and require_auth=%s wants more: "+
			"is it the right server? else mend its pg_hba.conf, or add none to require_auth", e.Required)
	}
	return fmt.Sprintf("pgbind: no password was sent: the server asks for it by %s, and require_auth=%s does not allow that: "+
		"is it the right server? else mend its pg_hba.conf and the stored password, or require_auth", e.Method, e.Required)
}
