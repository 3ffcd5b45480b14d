package kinds

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/binds/pgbind"
)

// scheme is that of a recorder's servers for bindery: recorder://primary.
const scheme = "recorder"

// recorderDriver is how bindery opens a recorder. It knows positions, all of which are equal: its
// replicas are never behind.
type recorderDriver struct {
	*recorder
	dialect dialect.Name
}

// drivers returns a registry that opens a recorder's servers.
func drivers(r *recorder, d dialect.Name) *binds.Drivers {
	ds := new(binds.Drivers)
	ds.Register(recorderDriver{r, d}, scheme)
	return ds
}

func (recorderDriver) Name() string { return "recorder" }

func (d recorderDriver) Open(_ context.Context, uri string) (binds.Source, error) {
	return recorderSource{d.recorder, strings.TrimPrefix(uri, scheme+"://")}, nil
}

// Dialect returns that of the database which is recorded, as its own driver has it.
func (d recorderDriver) Dialect() schema.Dialect {
	if d.dialect == dialect.PG {
		return pgbind.Driver{}.Dialect()
	}
	return mysqlbind.Driver{}.Dialect()
}

func (recorderDriver) Probe(ctx context.Context, ask binds.Ask) (binds.Probe, error) {
	row, err := ask(ctx, probe)
	if err != nil {
		return binds.Probe{}, err
	}
	return binds.Probe{Server: row[0], History: "1", Primary: row[0] == primaryName, Position: everywhere{}}, nil
}

func (recorderDriver) ParsePosition(text string) (binds.Position, error) {
	if text != (everywhere{}).String() {
		return nil, fmt.Errorf("kinds: no position: %q", text)
	}
	return everywhere{}, nil
}

// Classify knows the one error that a recorder answers.
func (recorderDriver) Classify(err error) binds.Fault {
	if errors.Is(err, errReadOnly) {
		return binds.ReadOnly
	}
	return binds.ClassifyCommon(err)
}

type recorderSource struct {
	*recorder
	server string
}

func (s recorderSource) Connector(binds.Role) driver.Connector {
	return &connector{s.recorder, s.server}
}

// everywhere is the position of every server.
type everywhere struct{}

func (everywhere) Covers(binds.Position) bool  { return true }
func (everywhere) Exceeds(binds.Position) bool { return false }
func (everywhere) String() string              { return "1" }
