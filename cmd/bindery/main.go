// Command bindery looks after the databases of a configuration: it says whether they are ready, where a statement would run, what is in force, and
// runs their migrations. docs/command.md shows each command.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/bindery-go/bindery/binds/mysqlbind"  // mysql://, mariadb://
	_ "github.com/bindery-go/bindery/binds/pgbind"     // postgres://
	_ "github.com/bindery-go/bindery/binds/sqlitebind" // sqlite:
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second one ends the process at once
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(a.run(ctx, os.Args[1:]))
}
