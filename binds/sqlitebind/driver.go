package sqlitebind

import (
	"context"

	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"modernc.org/sqlite"

	"github.com/bindery-go/bindery/binds"
)

func init() { binds.Register(New(), "sqlite") }

// A Driver opens SQLite databases. Its zero value is ready to use and has no functions or pragmas
// of its own. It is safe for concurrent use, and must not be copied.
type Driver struct {
	native  sqlite.Driver // carries this driver's functions and collations, and nobody else's
	pragmas []pragma
}

var (
	_ binds.Driver          = (*Driver)(nil)
	_ binds.FaultClassifier = (*Driver)(nil)
)

// New returns a driver with what opts add. Register it in a [binds.Drivers] of your own: the default
// one has a plain driver under the scheme sqlite.
//
// It panics if an option is wrong: that is a mistake in the program.
func New(opts ...Option) *Driver {
	d := new(Driver)
	for _, opt := range opts {
		opt(d)
	}
	return d
}

// Name returns "SQLite".
func (*Driver) Name() string { return "SQLite" }

// Dialect returns a new Bun dialect for SQLite.
func (*Driver) Dialect() schema.Dialect { return sqlitedialect.New() }

// Open reads uri, whose forms and parameters the package's documentation lists. It makes no
// connection and touches no file. A relative path is relative to the working directory of this
// moment: changing it later does not move the database.
func (d *Driver) Open(_ context.Context, uri string) (binds.Source, error) {
	s, err := parse(uri)
	if err != nil {
		return nil, err
	}
	return newSource(d, s), nil
}
