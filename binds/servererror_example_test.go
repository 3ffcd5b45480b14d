package binds_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
)

// The same code says on every kind of database which constraint a row does not meet.
func ExampleViolation() {
	dir, err := os.MkdirTemp("", "violation")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	e, err := binds.Open(ctx, "shop/writer", "sqlite://"+filepath.ToSlash(dir)+"/shop.db")
	if err != nil {
		panic(err)
	}
	defer func() { _ = e.Close() }()
	_, err = e.DB().ExecContext(ctx, "CREATE TABLE users (email TEXT UNIQUE NOT NULL); INSERT INTO users VALUES ('ann@example.org')")
	if err != nil {
		panic(err)
	}
	_, err = e.DB().ExecContext(ctx, "INSERT INTO users VALUES (?)", "ann@example.org")
	if v := binds.Violation(err); v != nil && v.Cause == binds.UniqueViolation {
		fmt.Println("taken:", v.Table, v.Columns)
	}
	fmt.Println(binds.Is(err, binds.Deadlock), binds.ReadError(err))
	// Output:
	// taken: users [email]
	// false unique violation on table users, columns email (2067)
}
