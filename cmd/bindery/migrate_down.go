package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/manager"
)

func (g *migration) downCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Undo the migrations of the last run",
		Long: `down undoes, of each bind, the migrations that the last "up" applied together, the last one first, by their down files. One without a down file only
counts as not applied any more. It says what it will undo and asks; --yes does not ask, and is needed where nobody can be asked. Where somebody has migrated
between the question and the answer it refuses.`,
		Example: "  bindery migrate down --bind accounts --dry-run\n  bindery migrate down --bind accounts\n  bindery migrate down --bind accounts --yes",
		Args:    cobra.NoArgs,
		RunE:    g.doing(0, g.down),
	}
	cmd.Flags().BoolVarP(&g.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&g.dry, "dry-run", false, "say what would be undone, and undo nothing")
	g.takesBinds(cmd, "else all that have migrations")
	return cmd
}

func (g *migration) down(ctx context.Context, _ []string) (err error) {
	m, tasks, err := g.tasks(ctx)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	plans := make(map[*manager.Bind]*migrate.MigrationGroup)
	some := false
	for _, t := range tasks {
		plan, err := t.Down(ctx, manager.DryRun())
		if err != nil {
			return err
		}
		plans[t.bind] = plan
		some = some || len(plan.Migrations) > 0
	}
	if some && !g.dry {
		if err := g.confirm(ctx, tasks, plans); err != nil {
			return err
		}
	}
	return g.run(tasks, func(t task) error {
		plan := plans[t.bind]
		if len(plan.Migrations) == 0 || g.dry {
			return g.tellGroup(t, "down", plan, "nothing is applied")
		}
		_, err := t.Down(ctx, manager.IfStill(plan), manager.MigrationProgress(g.tellStep))
		return err
	})
}

// confirm tells what will be undone, and asks.
func (g *migration) confirm(ctx context.Context, tasks []task, plans map[*manager.Bind]*migrate.MigrationGroup) error {
	n := 0
	for _, t := range tasks {
		for _, name := range namesOf(plans[t.bind], "down") {
			g.progress("%s: will undo %s", t.bind, name)
			n++
		}
	}
	return g.ask(ctx, g.yes, fmt.Sprintf("Undo %d migrations?", n))
}

// ask wants a yes on the terminal, unless that was given by --yes.
func (a *app) ask(ctx context.Context, yes bool, question string) error {
	switch {
	case yes:
		return nil
	case !isTerminal(a.in):
		return usagef("nobody can be asked, since standard input is no terminal: give --yes")
	}
	a.say("%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // it ends with the process, if nobody answers
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case text := <-answer:
		if text == "y" || text == "yes" {
			return nil
		}
		return fmt.Errorf("nothing was done")
	case <-ctx.Done():
		return ctx.Err()
	}
}
