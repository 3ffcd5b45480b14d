package peers

import (
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// A Server is one of a cluster's.
type Server struct {
	Name string
	// URI is where bindery finds it.
	URI string
	// Connect makes a new connector to the same place, for the others.
	Connect func() driver.Connector
}

// A Cluster is what the libraries work on.
type Cluster struct {
	Dialect  dialect.Name // dialect.PG or dialect.MySQL
	Primary  Server
	Replicas []Server
	// Drivers opens the URIs for bindery; nil means those that importing a driver registers.
	Drivers *binds.Drivers
}

// Options say what is not a library's default.
type Options struct {
	// MaxOpen bounds each server's pool; zero means 16.
	MaxOpen int

	// Policy is how a library chooses among replicas, by its name in bindery's configuration:
	// "round_robin", "random", "least_loaded", "weighted", and xorm's "least_conn". "" means the
	// library's default, and one that it does not have is an error.
	Policy string

	// The rest is for bindery alone.

	ReadYourWrites string // "process", "session", "off"; "" means the default
	// Bind changes the bind's configuration; nil changes nothing.
	Bind func(*manager.BindConfig)
}

// pool returns the bounds of every library's pools: those that bindery's have by default, but for the
// number of connections.
func (o Options) pool() binds.Pool {
	p := binds.Pool{MaxOpen: 16}
	if o.MaxOpen > 0 {
		p.MaxOpen = o.MaxOpen
	}
	return p.WithDefaults()
}

// open returns a pool on a server.
func (o Options) open(s Server) *sql.DB {
	db, p := sql.OpenDB(s.Connect()), o.pool()
	db.SetMaxOpenConns(p.MaxOpen)
	db.SetMaxIdleConns(p.MaxIdle)
	db.SetConnMaxLifetime(p.MaxLifetime)
	db.SetConnMaxIdleTime(p.MaxIdleTime)
	return db
}

// openAll returns a pool on each server.
func (o Options) openAll(servers []Server) []*sql.DB {
	dbs := make([]*sql.DB, len(servers))
	for i, s := range servers {
		dbs[i] = o.open(s)
	}
	return dbs
}

func unknownDialect(d dialect.Name) error {
	return fmt.Errorf("peers: no library is set up for %s: use PostgreSQL or MySQL", d)
}
