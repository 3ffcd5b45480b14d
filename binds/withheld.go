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
