package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bindery-go/bindery/manager"
)

// A migration is one command of migrate at work.
type migration struct {
	*app
	dir              string
	dry, yes         bool
	applied, pending []string
	to               string
}

func (a *app) migrateCommand() *cobra.Command {
	g := &migration{app: a}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Run, undo, look at and begin migrations",
		Long: `migrate works on the SQL migrations of each bind, which lie in migrations/<bind key>:

  migrations/accounts/20240101_users.tx.up.sql     in a transaction
  migrations/accounts/20240101_users.tx.down.sql   undoes it
  migrations/accounts/20240215_index.up.sql        without a transaction

Binds come in the order of the configuration, and the first failure ends it. Any number may run at once: each bind's migrations run under a named lock.`,
		Example: "  bindery migrate status\n  bindery migrate up --bind accounts\n  bindery migrate create add_email --bind accounts",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Usage()
			return errors.New("a command is missing: status, up, down, create or baseline")
		},
	}
	cmd.PersistentFlags().StringVar(&g.dir, "dir", "migrations", "the `folder` that holds one for each bind")
	_ = cmd.MarkPersistentFlagDirname("dir")
	cmd.AddCommand(g.statusCommand(), g.upCommand(), g.downCommand(), g.createCommand(), g.baselineCommand())
	return cmd
}

// renamed is the folder of migrations under the name that the manager knows it by.
type renamed struct{ fsys fs.FS }

const migrationsName = "migrations"

func (r renamed) Open(name string) (fs.File, error) {
	below, found := strings.CutPrefix(name, migrationsName)
	if !found || below != "" && below[0] != '/' {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return r.fsys.Open(path.Join(".", below))
}

// A task is a bind with its migrations.
type task struct {
	bind *manager.Bind
	*manager.Migrator
}

// tasks opens the binds that have migrations: those of --bind, which must, else all that have some.
func (g *migration) tasks(ctx context.Context) (m *manager.DBManager, tasks []task, err error) {
	if _, err := os.Stat(g.dir); err != nil {
		return nil, nil, usagef("%v: name the folder of migrations with --dir", err)
	}
	m, meant, err := g.open(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	for _, b := range meant {
		dir := filepath.Join(g.dir, b.Key().String())
		if _, err := os.Stat(dir); len(g.binds) == 0 && errors.Is(err, fs.ErrNotExist) {
			g.progress("%s: no migrations (%s does not exist)", b, dir)
			continue
		}
		migrations, err := manager.MigrationsFrom(renamed{os.DirFS(g.dir)}, b)
		if err != nil {
			return m, nil, &failure{exitUsage, err}
		}
		tasks = append(tasks, task{b, b.Migrator(migrations)})
	}
	if len(tasks) == 0 {
		return m, nil, usagef("no bind has migrations in %s: bindery migrate create NAME --bind KEY begins one", g.dir)
	}
	return m, tasks, nil
}

// progress tells what happens, on standard error.
func (g *migration) progress(format string, args ...any) {
	g.say(format+"\n", args...)
}

// A stepJSON is one migration that was applied, undone or noted.
type stepJSON struct {
	Bind      string  `json:"bind"`
	Direction string  `json:"direction"`
	Migration string  `json:"migration"`
	DryRun    bool    `json:"dry_run,omitempty"`
	Seconds   float64 `json:"seconds"`
	Error     string  `json:"error,omitempty"`
}

// tell shows each step: that it begins on standard error, what became of it on standard output.
func (g *migration) tellStep(s manager.MigrationStep) {
	place := fmt.Sprintf("%s: %d/%d %s %s", s.Bind, s.Nth, s.Of, s.Direction, s.Name)
	switch {
	case !s.Ended:
		if s.Direction != "baseline" {
			g.progress("%s …", place)
		}
	case g.json:
		j := stepJSON{Bind: s.Bind.String(), Direction: s.Direction, Migration: s.Name, Seconds: s.Took.Seconds()}
		if s.Err != nil {
			j.Error = s.Err.Error()
		}
		_ = g.writeJSON(j) // a pipe that broke does not end a migration
	case s.Err != nil:
		_, _ = fmt.Fprintf(g.out, "%s failed after %v\n", place, round(s.Took))
	default:
		_, _ = fmt.Fprintf(g.out, "%s done in %v\n", place, round(s.Took))
	}
}

// run works on the tasks one after another, and says at a failure which were done.
func (g *migration) run(tasks []task, do func(task) error) error {
	var done []string
	for i, t := range tasks {
		err := do(t)
		if err == nil {
			done = append(done, t.bind.String())
			continue
		}
		if len(tasks) > 1 {
			var left []string
			for _, t := range tasks[i+1:] {
				left = append(left, t.bind.String())
			}
			err = fmt.Errorf("%w\nbinds done before: %s; not begun: %s", err, listed(done), listed(left))
		}
		return err
	}
	return nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
