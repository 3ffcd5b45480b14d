package integration_test

import (
	"context"
	"fmt"

	"github.com/bindery-go/bindery/integration"
)

func ExampleNewPgBouncer() {
	ctx := context.Background()
	c, err := integration.NewPostgres(ctx, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }() // the end of the example
	p, err := integration.NewPgBouncer(ctx, c.Primary, integration.PgBouncerOptions{
		Mode: integration.PoolTransactions, Settings: []string{"default_pool_size = 3"},
	})
	if err != nil {
		fmt.Println(err) // how to install it, if it is missing
		return
	}
	defer func() { _ = p.Close() }() // the end of the example
	fmt.Println(p.Version(), p.Addr())
}

func ExampleNewPgpool() {
	ctx := context.Background()
	c, err := integration.NewPostgres(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }() // the end of the example
	p, err := integration.NewPgpool(ctx, c, integration.PgpoolOptions{Settings: []string{"statement_level_load_balance = on"}})
	if err != nil {
		fmt.Println(err) // how to install it, if it is missing
		return
	}
	defer func() { _ = p.Close() }() // the end of the example
	fmt.Println(p.Version(), p.Addr())
}

// A router needs TLS to see the password, with which it connects anew.
func ExampleNewMySQLRouter() {
	ctx := context.Background()
	c, err := integration.NewMySQL(ctx, 1, integration.WithTLS())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }() // the end of the example
	r, err := integration.NewMySQLRouter(ctx, c, integration.MySQLRouterOptions{Settings: []string{"connection_sharing_delay = 0"}})
	if err != nil {
		fmt.Println(err) // how to install it, if it is missing
		return
	}
	defer func() { _ = r.Close() }() // the end of the example
	fmt.Println(r.Version(), r.Addr())
	if err := c.Replicas[0].Promote(ctx); err != nil {
		fmt.Println(err)
	}
	if err := r.SetPrimary(ctx, c.Replicas[0]); err != nil {
		fmt.Println(err)
	}
}
