package routertest_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

// An account service that reads its balance from a replica, as is tempting.
type accounts struct{ primary, replica *sql.DB }

func (a accounts) deposit(ctx context.Context, amount int) error {
	_, err := a.primary.ExecContext(ctx, "UPDATE accounts SET balance = balance + ?", amount)
	return err
}

func (a accounts) balance(ctx context.Context) (balance int, err error) {
	err = a.replica.QueryRowContext(ctx, "SELECT balance FROM accounts").Scan(&balance)
	return balance, err
}

// A test for stale reads: the replica stands still between the write and the read.
func Example() {
	t := new(example) // in a test: its *testing.T
	defer t.end()

	ctx := context.Background()
	c := routertest.New(t, 1)
	a := accounts{
		primary: t.open(c, c.WriterURI(), binds.Writer),
		replica: t.open(c, c.ReaderURIs()[0], binds.Reader),
	}
	_, err := a.primary.ExecContext(ctx, "CREATE TABLE accounts (balance INTEGER); INSERT INTO accounts VALUES (100)")
	t.must(err)

	c.Replicas()[0].PauseReplay()
	t.must(a.deposit(ctx, 50))
	got, err := a.balance(ctx)
	t.must(err)
	fmt.Println("right after the deposit:", got)

	c.Replicas()[0].ResumeReplay()
	got, err = a.balance(ctx)
	t.must(err)
	fmt.Println("after the replica caught up:", got)
	// Output:
	// right after the deposit: 100
	// after the replica caught up: 150
}

// Which server ran what, before and after a failover.
func ExampleCluster_Promote() {
	t := new(example) // in a test: its *testing.T
	defer t.end()

	ctx := context.Background()
	c := routertest.New(t, 2)
	db := t.open(c, c.WriterURI(), binds.Writer)
	_, err := db.ExecContext(ctx, "CREATE TABLE events (name TEXT)")
	t.must(err)

	c.Primary().Down()
	c.Promote(c.Replicas()[0])
	_, err = db.ExecContext(ctx, "INSERT INTO events VALUES ('after failover')")
	t.must(err)
	for _, s := range c.Servers() {
		fmt.Println(s, s.IsPrimary(), s.Statements())
	}
	// Output:
	// primary true [CREATE TABLE events (name TEXT)]
	// replica-1 true [INSERT INTO events VALUES ('after failover')]
	// replica-2 false []
}

// example is what an example has instead of a test.
type example struct{ cleanups []func() }

func (t *example) Helper()                           {}
func (t *example) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *example) Errorf(format string, args ...any) { log.Printf(format, args...) }
func (t *example) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

func (t *example) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

func (t *example) must(err error) {
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func (t *example) open(c *routertest.Cluster, uri string, role binds.Role) *sql.DB {
	e, err := c.Drivers().Open(context.Background(), "accounts/"+role.String(), uri, binds.As(role))
	t.must(err)
	t.Cleanup(func() { t.must(e.Close()) })
	return e.DB()
}
