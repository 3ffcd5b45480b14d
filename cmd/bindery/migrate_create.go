package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/manager"
)

func (g *migration) createCommand() *cobra.Command {
	var noTx bool
	var number string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Begin a migration: its up file and its down file",
		Long: `create makes the two files of a new migration of one bind, numbered by the time in UTC so that it comes after those there are. On PostgreSQL and SQLite
they run in a transaction; --no-tx makes such that do not, which CREATE INDEX CONCURRENTLY needs. MySQL and MariaDB commit at each DDL statement anyhow. No server is asked.`,
		Example: "  bindery migrate create add_email --bind accounts\n  bindery migrate create index_email --bind accounts --no-tx",
		Args:    cobra.ExactArgs(1),
		RunE: g.doing(0, func(ctx context.Context, args []string) error {
			return g.create(ctx, args[0], number, noTx)
		}),
	}
	cmd.Flags().BoolVar(&noTx, "no-tx", false, "without a transaction")
	cmd.Flags().StringVar(&number, "number", "", "the `number`, in place of the time")
	g.takesBinds(cmd, "one that is needed where there are several")
	return cmd
}

var (
	migrationName   = regexp.MustCompile(`^[0-9a-z_-]+$`)
	migrationNumber = regexp.MustCompile(`^[0-9]{1,14}$`)
	migrationFile   = regexp.MustCompile(`^([0-9]{1,14})_[0-9a-z_-]+(\.tx)?\.(up|down)\.sql$`)
)

func (g *migration) create(ctx context.Context, name, number string, noTx bool) (err error) {
	if !migrationName.MatchString(name) {
		return usagef("the name %q must be of small letters, digits, _ and -, as in add_email", name)
	}
	if number != "" && !migrationNumber.MatchString(number) {
		return usagef("--number must have 1 to 14 digits")
	}
	m, meant, err := g.open(ctx, true)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	if len(meant) != 1 {
		return usagef("create is for one bind: name it with --bind")
	}
	b := meant[0]
	dir := filepath.Join(g.dir, b.Key().String())
	if number, err = nextNumber(dir, number, time.Now()); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tx := ".tx"
	if noTx || b.Dialect().Name() == dialect.MySQL {
		tx = ""
	}
	return g.write(b, filepath.Join(dir, number+"_"+name+tx), tx != "")
}

// nextNumber returns a number that comes after those in a folder, by the time unless one is wanted. Numbers are compared as texts, as the migrator does.
func nextNumber(dir, wanted string, now time.Time) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	last := ""
	for _, e := range entries {
		if m := migrationFile.FindStringSubmatch(e.Name()); m != nil {
			last = max(last, m[1])
			if m[1] == wanted {
				return "", usagef("%s has the number %s already", filepath.Join(dir, e.Name()), wanted)
			}
		}
	}
	number := wanted
	if number == "" {
		number = now.UTC().Format("20060102150405")
		if n, err := strconv.ParseInt(last, 10, 64); err == nil && number <= last && len(last) == len(number) {
			number = strconv.FormatInt(n+1, 10) // several in a second, or a clock that was set back
		}
	}
	if number <= last {
		return "", usagef("the number %s would not come after %s, the last one in %s: give another by --number", number, last, dir)
	}
	return number, nil
}

// write makes the two files. None is ever overwritten.
func (g *migration) write(b *manager.Bind, stem string, tx bool) error {
	how := "It runs in a transaction."
	if !tx {
		how = "It runs without a transaction."
	}
	if b.Dialect().Name() == dialect.MySQL {
		how = "Each DDL statement commits: one in a file is best, else a line --bun:split between them."
	}
	texts := map[string]string{
		".up.sql":   "-- Applies it. " + how + "\n\n",
		".down.sql": "-- Undoes it.\n\n",
	}
	var made []string
	for _, suffix := range []string{".up.sql", ".down.sql"} {
		f, err := os.OpenFile(stem+suffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(texts[suffix])
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		made = append(made, stem+suffix)
	}
	if g.json {
		return g.writeJSON(struct {
			Bind  string   `json:"bind"`
			Files []string `json:"files"`
		}{b.String(), made})
	}
	_, err := fmt.Fprintln(g.out, strings.Join(made, "\n"))
	return err
}
