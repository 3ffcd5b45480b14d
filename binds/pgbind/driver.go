package pgbind

import (
	"context"

	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

func init() { binds.Register(Driver{}, "postgres", "postgresql") }

// Driver opens PostgreSQL databases. It has no state: its zero value is ready, and safe for
// concurrent use.
type Driver struct{}

var (
	_ binds.Driver          = Driver{}
	_ binds.FaultClassifier = Driver{}
	_ binds.Source          = (*source)(nil)
	_ binds.NativeSource    = (*source)(nil)
)

// Name returns "PostgreSQL".
func (Driver) Name() string { return "PostgreSQL" }

// Dialect returns a new PostgreSQL dialect.
func (Driver) Dialect() schema.Dialect { return pgdialect.New() }

// Open reads uri, and the certificate files that it names. See the package's documentation for the
// parameters. Every mistake in them is reported, joined.
func (Driver) Open(_ context.Context, uri string) (binds.Source, error) {
	s, err := parse(uri)
	if err != nil {
		return nil, err
	}
	return &source{settings: s, sessions: &sessions{}}, nil
}
