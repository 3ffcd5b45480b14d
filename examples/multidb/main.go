// Multidb is the tour of bindery: two databases, their models, and where each statement runs.
//
//	go run ./examples/multidb                      # embedded SQLite, nothing to install
//	go run ./examples/multidb -config config.toml  # your own servers
//
// The configuration must have the binds accounts and audit. The tour makes two tables whose names
// begin with bindery_tour_, and drops them at its end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	_ "github.com/bindery-go/bindery/binds/mysqlbind"
	_ "github.com/bindery-go/bindery/binds/pgbind"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "multidb:", err)
		os.Exit(1)
	}
}

// run is the program. It returns the first error of the tour, joined with those of its end.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("multidb", flag.ContinueOnError)
	flags.SetOutput(out)
	file := flags.String("config", "", "a TOML `file` with the binds accounts and audit (default: SQLite files in a temporary folder)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *file == "" {
		dir, err := os.MkdirTemp("", "bindery-tour-*")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if *file, err = embedded(dir); err != nil {
			return err
		}
	}
	t := &table{out: out}
	m, err := manager.Open(ctx, *file, manager.WithQueryHook(t))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	t.header()
	return t.walk(ctx, m)
}

// embedded writes a configuration of two SQLite files.
func embedded(dir string) (string, error) {
	file := filepath.Join(dir, "config.toml")
	config := fmt.Sprintf("[binds]\naccounts = 'sqlite://%[1]s/accounts.db'\naudit    = 'sqlite://%[1]s/audit.db'\n", filepath.ToSlash(dir))
	return file, os.WriteFile(file, []byte(config), 0o600)
}
