package manager

import (
	"errors"
	"fmt"
	"strings"
)

// ErrClosed reports the use of a [DBManager] after its Close.
var ErrClosed = errors.New("manager: the manager is closed")

// ErrNoBinds reports a configuration that names no database.
var ErrNoBinds = errors.New(`manager: the configuration names no database: add a [binds] table or a lone uri`)

// ConfigError reports one mistake in a configuration. All mistakes of a file are reported at once,
// joined.
type ConfigError struct {
	File string // "" for a Config made in code
	Line int    // 0 where there is none
	Key  string // the dotted key: "binds.accounts.max_open"; "" for the file as a whole
	Err  error
}

func (e *ConfigError) Error() string {
	var b strings.Builder
	switch {
	case e.File != "" && e.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	case e.File != "":
		fmt.Fprintf(&b, "%s: ", e.File)
	default:
		b.WriteString("manager: config: ")
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "%s: ", e.Key)
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e *ConfigError) Unwrap() error { return e.Err }
