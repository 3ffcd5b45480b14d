package binds

import "fmt"

// PasswordWithheldError reports a log-in that was given up before anything of the password was sent, because the server asked
// for it in a form in which whoever answers there would learn it, and nothing proved who that is. A password in clear, or
// one that is encrypted with a key which the server itself offers, goes to a server that TLS has verified, to a Unix socket or to a
// loopback address. Nothing was run: it counts as [NotSent].
type PasswordWithheldError struct {
	Driver string // the package: "pgbind"
	Asked  string // what the server asked for: "the password in clear text"
	Cure   string // what to write in the URI, or to set on the server
}

func (e *PasswordWithheldError) Error() string {
	return fmt.Sprintf("%s: no password was sent: the server asks for %s, and nothing proves that it is the right server: %s",
		e.Driver, e.Asked, e.Cure)
}

// A Warner is a [Source] that knows what is unsafe in how its URI has it opened, though it works: a server that is not
// verified, a key that others can read.
type Warner interface {
	// Warnings returns texts that say what is unsafe and what cures it, without names of hosts and files and without any part
	// of a password; none if nothing is.
	Warnings() []string
}

// Warnings returns what is unsafe in how the engine's URI has it opened, see [Warner].
func (e *Engine) Warnings() []string {
	if w, ok := e.source().(Warner); ok {
		return w.Warnings()
	}
	return nil
}
