package mysqlbind

import (
	"context"

	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

func init() { binds.Register(Driver{}, "mysql", "mariadb") }

// Driver opens MySQL and MariaDB databases. Importing the package registers it for the schemes mysql
// and mariadb, which mean the same: what the server is it says itself. The zero value is ready to
// use, and safe for concurrent use.
type Driver struct{}

var (
	_ binds.Driver          = Driver{}
	_ binds.FaultClassifier = Driver{}
)

// Name returns "MySQL".
func (Driver) Name() string { return "MySQL" }

// Open reads the URI, whose form and parameters the package documentation lists, and the files of
// certificates it names. It makes no connection.
func (Driver) Open(_ context.Context, uri string) (binds.Source, error) {
	s, err := open(uri)
	if err != nil {
		return nil, err // not a nil *source in an interface
	}
	return s, nil
}

// Dialect returns a new [Dialect].
func (Driver) Dialect() schema.Dialect { return NewDialect() }
