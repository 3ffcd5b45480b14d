package pgbind

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/bindery-go/bindery/binds"
)

// Messages and requests of authentication, manual section 55.7.
const (
	msgAuthentication = 'R'
	msgPassword       = 'p'
	mechanism         = "SCRAM-SHA-256\x00"
)

// leastIterations is how often SCRAM hashes the password at least for a peer that nothing proves: RFC 7677, section 4, and
// PostgreSQL's default. Who asks for fewer may want to try passwords against the answer.
const leastIterations = 4096

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

func (a *auth) refuse(method string) error {
	return &AuthMethodError{Method: method, Required: a.required.String()}
}

func withhold(asked, cure string) error {
	return &binds.PasswordWithheldError{Driver: "pgbind", Asked: asked, Cure: cure}
}
