package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/manager"
)

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond / 10) }

func (g *migration) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what is applied and what is pending",
		Long: `status asks each bind's writer which migrations are applied. It changes nothing, and does not wait for a migration that is running.
It gives up after 15s (--timeout).`,
		Example: "  bindery migrate status\n  bindery migrate status --bind accounts --json",
		Args:    cobra.NoArgs,
		RunE: g.doing(15*time.Second, func(ctx context.Context, _ []string) (err error) {
			m, tasks, err := g.tasks(ctx)
			if err != nil {
				return err
			}
			defer closing(m, &err)
			return g.run(tasks, func(t task) error {
				s, err := t.Status(ctx)
				switch {
				case err != nil:
					return err
				case g.json:
					return g.writeJSON(s)
				}
				_, err = fmt.Fprintf(g.out, "%s: %d of %d pending\n%s\n", t.bind, len(s.Pending()), len(s.Migrations), s)
				return err
			})
		}),
	}
	g.takesBinds(cmd, "else all that have migrations")
	return cmd
}

func (g *migration) upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Apply the migrations that are pending",
		Long: `up applies what is pending, in the order of the numbers. The first migration that fails ends it; those before it stay applied, and the error says which.
Two runs at once do no harm: the second waits. It takes the time that it takes, unless --timeout bounds it.

Where two binds of one database had migrations of the same numbers before notes knew of binds, what is applied can be in doubt, and nothing runs:
--assume-applied and --assume-pending, with names or "all", say what is so.`,
		Example: "  bindery migrate up --dry-run\n  bindery migrate up\n  bindery migrate up --bind accounts --dir db/migrations",
		Args:    cobra.NoArgs,
		RunE: g.doing(0, func(ctx context.Context, _ []string) (err error) {
			m, tasks, err := g.tasks(ctx)
			if err != nil {
				return err
			}
			defer closing(m, &err)
			return g.run(tasks, func(t task) error {
				group, err := t.Up(ctx, g.options()...)
				if err == nil {
					err = g.tellGroup(t, "up", group, "nothing is pending")
				}
				return err
			})
		}),
	}
	cmd.Flags().BoolVar(&g.dry, "dry-run", false, "say what would run, and run nothing")
	cmd.Flags().StringSliceVar(&g.applied, "assume-applied", nil, "the `migrations` in doubt that are applied, or all")
	cmd.Flags().StringSliceVar(&g.pending, "assume-pending", nil, "the `migrations` in doubt that are not, or all")
	g.takesBinds(cmd, "else all that have migrations")
	return cmd
}

func (g *migration) options() []manager.MigrateOption {
	opts := []manager.MigrateOption{manager.MigrationProgress(g.tellStep)}
	if g.dry {
		opts = append(opts, manager.DryRun())
	}
	for _, assumed := range []struct {
		names  []string
		option func(...string) manager.MigrateOption
	}{{g.applied, manager.AssumeApplied}, {g.pending, manager.AssumePending}} {
		switch {
		case slices.Equal(assumed.names, []string{"all"}):
			opts = append(opts, assumed.option())
		case len(assumed.names) > 0:
			opts = append(opts, assumed.option(assumed.names...))
		}
	}
	return opts
}

// tellGroup says what a dry run would do, and where there was nothing to do. What a run did has been told step by step.
func (g *migration) tellGroup(t task, direction string, group *migrate.MigrationGroup, nothing string) error {
	if len(group.Migrations) == 0 {
		if g.json {
			return nil
		}
		_, err := fmt.Fprintf(g.out, "%s: %s\n", t.bind, nothing)
		return err
	}
	if !g.dry {
		return nil
	}
	for _, name := range namesOf(group, direction) {
		var err error
		if g.json {
			err = g.writeJSON(stepJSON{Bind: t.bind.String(), Direction: direction, Migration: name, DryRun: true})
		} else {
			_, err = fmt.Fprintf(g.out, "%s: would %s %s\n", t.bind, direction, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// namesOf are the migrations of a group in the order in which they run.
func namesOf(group *migrate.MigrationGroup, direction string) []string {
	var names []string
	for i := range group.Migrations {
		names = append(names, strings.TrimSuffix(group.Migrations[i].String(), "_"))
	}
	if direction == "down" {
		slices.Reverse(names)
	}
	return names
}

func (g *migration) baselineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline --to MIGRATION",
		Short: "Note migrations as applied without running them",
		Long: `baseline notes the migrations of one bind up to and with the one of --to ("latest": all) as applied, and runs none: for a database that has its tables
from elsewhere. What follows is pending as before. "migrate down" would undo them as it undoes others, so look twice.`,
		Example: "  bindery migrate baseline --bind accounts --to 20240101 --dry-run\n  bindery migrate baseline --bind accounts --to latest",
		Args:    cobra.NoArgs,
		RunE: g.doing(0, func(ctx context.Context, _ []string) (err error) {
			m, tasks, err := g.tasks(ctx)
			if err != nil {
				return err
			}
			defer closing(m, &err)
			if len(tasks) != 1 {
				return usagef("baseline is for one bind: name it with --bind")
			}
			last := g.to
			if last == "latest" {
				last = ""
			}
			group, err := tasks[0].Baseline(ctx, last, g.options()...)
			if err != nil {
				return err
			}
			return g.tellGroup(tasks[0], "baseline", group, "nothing is pending: nothing was noted")
		}),
	}
	cmd.Flags().StringVar(&g.to, "to", "", "the number or name of the last `migration` to note, or latest")
	_ = cmd.MarkFlagRequired("to")
	cmd.Flags().BoolVar(&g.dry, "dry-run", false, "say what would be noted, and note nothing")
	g.takesBinds(cmd, "one that is needed where several have migrations")
	return cmd
}
