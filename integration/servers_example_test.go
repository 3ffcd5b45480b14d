package integration_test

import (
	"context"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/integration"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := integration.NewPostgres(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }() // the end of the example

	replica := c.Replicas[0]
	count := func() string {
		n, err := replica.QueryString(ctx, "SELECT count(*) FROM orders")
		if err != nil {
			return err.Error()
		}
		return n
	}
	steps := []func() error{
		func() error { return c.Primary.Exec(ctx, "CREATE TABLE orders (id int)") },
		func() error { return c.WaitReplayed(ctx) },
		func() error { return replica.PauseReplay(ctx) },
		func() error { return c.Primary.Exec(ctx, "INSERT INTO orders VALUES (1)") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("while paused:", count())
	if err := replica.ResumeReplay(ctx); err != nil {
		fmt.Println(err)
	}
	if err := c.WaitReplayed(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("when replayed:", count())
	// Output:
	// while paused: 0
	// when replayed: 1
}

// Errors say which server could not do what.
func ExampleServerError() {
	ctx := context.Background()
	c, err := integration.NewPostgres(ctx, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }() // the end of the example
	fmt.Println(c.Primary.Promote(ctx))
	fmt.Println(c.Primary.Start(ctx))
	// Output:
	// integration: promote "primary": the server is not a replica
	// integration: start "primary": the server is running
}
