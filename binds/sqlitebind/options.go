package sqlitebind

import (
	"fmt"
	"regexp"
	"strings"

	"modernc.org/sqlite"
)

// An Option adds to what every connection of a [Driver] knows.
type Option func(*Driver)

// WithFunction makes impl callable in SQL under name, on every connection of the driver, readers
// included: a function must not write. A function of SQLite's own with the same name and number of
// arguments is replaced. [New] panics if impl is nil, or has neither a scalar nor an aggregate.
//
// A function that indexes, generated columns or CHECK constraints use must be Deterministic, and such a use, as that in views, triggers
// and defaults, needs trusted_schema=on in the URI.
func WithFunction(name string, impl *sqlite.FunctionImpl) Option {
	return func(d *Driver) {
		if impl == nil || impl.Scalar == nil && impl.MakeAggregate == nil {
			panic(fmt.Sprintf("sqlitebind: function %q has no implementation", name))
		}
		if err := d.native.RegisterFunction(name, impl); err != nil {
			panic(fmt.Sprintf("sqlitebind: function %q: %v", name, err))
		}
	}
}

// WithCollation makes compare usable as COLLATE name. It must be a total order: it returns a number
// below, at or above zero as strings.Compare does. [New] panics if compare is nil.
func WithCollation(name string, compare func(a, b string) int) Option {
	return func(d *Driver) {
		if compare == nil {
			panic(fmt.Sprintf("sqlitebind: collation %q has no implementation", name))
		}
		if err := d.native.RegisterCollationUtf8(name, compare); err != nil {
			panic(fmt.Sprintf("sqlitebind: collation %q: %v", name, err))
		}
	}
}

// WithPragma sets a pragma on every connection, after those of the URI. A pragma that SQLite does not
// know is an error when the engine connects. [New] panics if name is no pragma's name, or one that
// roles depend on: query_only, journal_mode, busy_timeout, writable_schema.
func WithPragma(name, value string) Option {
	return func(d *Driver) {
		name = strings.ToLower(name)
		switch {
		case !pragmaName.MatchString(name):
			panic(fmt.Sprintf("sqlitebind: %q is no name of a pragma", name))
		case name == "query_only", name == "writable_schema":
			panic(fmt.Sprintf("sqlitebind: pragma %q is not for the caller to set", name))
		case name == "journal_mode", name == "busy_timeout":
			panic(fmt.Sprintf("sqlitebind: pragma %q is a parameter of the URI", name))
		}
		d.pragmas = append(d.pragmas, pragma{name, value})
	}
}

var (
	pragmaName  = regexp.MustCompile(`^[a-z_]+$`)
	pragmaPlain = regexp.MustCompile(`^[-+]?[A-Za-z0-9_.]+$`)
)

// A pragma is a setting of one connection.
type pragma struct{ name, value string }

func (p pragma) statement() string {
	v := p.value
	if !pragmaPlain.MatchString(v) {
		v = "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	return "PRAGMA " + p.name + " = " + v
}
