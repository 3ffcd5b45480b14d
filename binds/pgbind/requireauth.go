package pgbind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/binds/internal/dburi"
)

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
