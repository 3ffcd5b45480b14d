// Package teston says on which databases the tests run. BINDERY_TEST_ON lists them, with commas between;
// without it they are sqlite, postgres and mariadb. The matrix (make matrix) sets it, once for each server.
package teston

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bindery-go/bindery/integration"
)

// The databases that the tests know.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
	MariaDB  = "mariadb"
	MySQL    = "mysql"
	Galera   = "galera" // MariaDB, three members
	Group    = "group"  // MySQL Group Replication, three members
)

var (
	all = []string{SQLite, Postgres, MariaDB, MySQL, Galera, Group}

	// selected reads the variable when a test first asks. Go does not notice what is read earlier, when a program starts,
	// and would give the cached result of another database's tests.
	selected = sync.OnceValue(func() []string { return read(os.Getenv("BINDERY_TEST_ON")) })
)

func read(list string) []string {
	if list == "" {
		return []string{SQLite, Postgres, MariaDB}
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(all, name) {
			panic(fmt.Sprintf("BINDERY_TEST_ON=%s: unknown database %q (have %s)", list, name, strings.Join(all, ", ")))
		}
	}
	return names
}

// Has reports whether the tests run on the database.
func Has(name string) bool { return slices.Contains(selected(), name) }

// Only skips a test that needs none of what the tests run on. A database that it wants but that is not installed
// is a failure, not a reason to skip.
func Only(t testing.TB, names ...string) {
	t.Helper()
	if !slices.ContainsFunc(names, Has) {
		t.Skipf("for %s; the tests run on %s", strings.Join(names, ", "), strings.Join(selected(), ", "))
	}
}

// MySQLFamily returns which of mariadb, mysql, galera and group a test of the family's driver runs on: the first
// that is selected, else mariadb.
func MySQLFamily() string {
	for _, name := range selected() {
		if name != SQLite && name != Postgres {
			return name
		}
	}
	return MariaDB
}

// New starts the database, a primary with replicas or, of a group, as many members as it has.
func New(ctx context.Context, name string, replicas int, opts ...integration.Option) (*integration.Cluster, error) {
	switch name {
	case Postgres:
		return integration.NewPostgres(ctx, replicas, opts...)
	case MySQL:
		return integration.NewMySQL(ctx, replicas, opts...)
	case Galera:
		return integration.NewGalera(ctx, opts...)
	case Group:
		return integration.NewGroup(ctx, opts...)
	case MariaDB:
		return integration.NewMariaDB(ctx, replicas, opts...)
	}
	return nil, fmt.Errorf("teston: %q is no server", name)
}

// Start is [New] for a test, which closes the cluster at its end.
func Start(t testing.TB, name string, replicas int, opts ...integration.Option) *integration.Cluster {
	t.Helper()
	c, err := New(t.Context(), name, replicas, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// StartMySQLFamily is [Start] for the database of the family that the tests run on.
func StartMySQLFamily(t testing.TB, replicas int, opts ...integration.Option) *integration.Cluster {
	t.Helper()
	return Start(t, MySQLFamily(), replicas, opts...)
}
