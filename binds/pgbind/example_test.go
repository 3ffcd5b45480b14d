package pgbind_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/pgbind"
)

// A mistake in a URI is named, with its cure; the password is not.
func Example() {
	_, err := binds.Open(context.Background(), "shop/writer", "postgres://app:s3cret@db1/shop?sslmod=verify-full&port=x")
	fmt.Println(err)
	// Output:
	// binds: open "shop/writer": parameter "port" must be a whole number from 1 to 65535
	// unknown parameter "sslmod" (did you mean "sslmode"?)
}

// A parameter of libpq that cannot be honoured says so instead of doing nothing.
func Example_notSupported() {
	_, err := binds.Open(context.Background(), "shop/writer", "postgres://app@db1/shop?target_session_attrs=read-write")
	fmt.Println(err)
	// Output:
	// binds: open "shop/writer": parameter "target_session_attrs" is not supported: which server is writer and which are readers is the bind's to say
}

// The error of a statement whose context ended tells whether the server undid it.
func ExampleCanceledError() {
	run := func(db *sql.DB) error {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_, err := db.ExecContext(ctx, "UPDATE stock SET n = n - 1 WHERE id = 7")
		var canceled *pgbind.CanceledError
		if errors.As(err, &canceled) && canceled.Answer != nil {
			return fmt.Errorf("nothing was booked: %w", err)
		}
		return err
	}
	_ = run
}

// Another program takes the lock "reports" by pg_advisory_lock of this number.
func ExampleLockKey() {
	fmt.Println(pgbind.LockKey("reports"))
	// Output: -6577070814924081647
}

// Readers and writers of one URI differ in their belt alone.
func ExampleDriver() {
	e, err := binds.Open(context.Background(), "shop/reader-1", "postgres://report@db2/shop", binds.As(binds.Reader))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = e.Close() }()
	fmt.Println(e, e.Role(), e.Driver().Name())
	// Output: shop/reader-1 reader PostgreSQL
}
