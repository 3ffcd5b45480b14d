// Package kinds shows where each library with replicas sends each kind of statement.
package kinds

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/report"
)

// ours is the library that is held to the bar.
const ours = "bindery"

// libraries are those with replicas, ours last.
var libraries = []string{"Bun + bunexp", "gorm + dbresolver", "xorm EngineGroup", "bxcodec/dbresolver", ours}

// A database is one of those whose statements are asked about.
type database struct {
	name       string
	dialect    dialect.Name
	statements []statement
}

func databases() []database {
	return []database{
		{"PostgreSQL", dialect.PG, postgres()},
		{"MariaDB", dialect.MySQL, mariadb()},
	}
}

// outcome is what one library made of the statements of one database, in their order.
type outcome struct {
	library string
	results []result
}

// Run gives every statement to every library, over a driver that notes which server gets it. It takes
// the same short time whether the run is quick or not.
func Run(ctx context.Context, r *report.Run) (*report.Section, error) {
	section := newSection()
	for _, d := range databases() {
		var outcomes []outcome
		for _, name := range libraries {
			r.Printf("%d kinds of statements to %s, %s", len(d.statements), d.name, name)
			results, err := ask(ctx, name, d)
			if err != nil {
				return nil, fmt.Errorf("kinds: %s with %s: %w", d.name, name, err)
			}
			outcomes = append(outcomes, outcome{name, results})
		}
		section.add(d, outcomes)
	}
	return section.done(), nil
}

// ask gives the statements of a database to a library.
func ask(ctx context.Context, library string, d database) (_ []result, err error) {
	rec := new(recorder)
	l, err := open(ctx, library, rec, d.dialect, peers.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.db.Close()) }()
	results := make([]result, len(d.statements))
	for i := range d.statements {
		s := &d.statements[i]
		if results[i], err = try(ctx, l, rec, s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return results, nil
}

// replicas is how many there are: enough for a library to choose.
const replicas = 2

// open opens a library on a recorder.
func open(ctx context.Context, library string, rec *recorder, d dialect.Name, o peers.Options) (*subject, error) {
	c := peers.Cluster{Dialect: d, Primary: server(rec, primaryName), Drivers: drivers(rec, d)}
	for i := range replicas {
		c.Replicas = append(c.Replicas, server(rec, fmt.Sprintf("replica-%d", i+1)))
	}
	db, err := peers.Named(library).Open(ctx, c, o)
	if err != nil {
		return nil, err
	}
	handle, err := peers.Handle(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &subject{library, db, handle}, nil
}

func server(rec *recorder, name string) peers.Server {
	return peers.Server{
		Name: name, URI: scheme + "://" + name,
		Connect: func() driver.Connector { return &connector{rec, name} },
	}
}
