package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bindery-go/bindery/binds"
)

// ownLocks are the names that the library itself locks: migrations, and the making of tables.
var ownLocks = []string{"migrations", "init_database_tables"}

func (a *app) locksCommand() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use:   "locks",
		Short: "List named locks: who holds them, who waits",
		Long: `locks asks each bind's writer which named locks (DBManager.Lock) are held there, by whichever process, and who waits for them. It takes no lock.

PostgreSQL, MySQL and MariaDB know a hash of each name: --name gives names to look for; those of the library itself, ` + strings.Join(ownLocks, " and ") + `, are
always looked for. Without performance_schema, which MariaDB has off by default, only those and the ones that somebody waits for can be found; what a list may
lack is said. It gives up after 15s (--timeout).`,
		Example: "  bindery locks\n  bindery locks --bind accounts --name 'monthly report' --name import --json",
		Args:    cobra.NoArgs,
		RunE:    a.doing(15*time.Second, func(ctx context.Context, _ []string) error { return a.locks(ctx, names) }),
	}
	cmd.Flags().StringArrayVarP(&names, "name", "n", nil, "a lock's `name` to look for; may be given again")
	a.takesBinds(cmd, "else all")
	return cmd
}

// A bindLocks is what one bind's server tells.
type bindLocks struct {
	Bind   string     `json:"bind"`
	Locks  []lockJSON `json:"locks"`
	Limits []string   `json:"limits,omitempty"`
	Error  string     `json:"error,omitempty"`
}

type lockJSON struct {
	Name    string   `json:"name,omitempty"`
	ID      string   `json:"id"`
	Holder  string   `json:"holder,omitempty"`
	Waiters []string `json:"waiters"`
}

func (a *app) locks(ctx context.Context, names []string) (err error) {
	for _, name := range names {
		if err := binds.CheckLockName(name); err != nil {
			return &failure{exitUsage, err}
		}
	}
	m, meant, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	rows := [][]string{{"BIND", "LOCK", "HELD BY", "WAITED FOR BY"}}
	var limits []string
	var errs []error
	for _, b := range meant {
		list, err := b.WriterEngine().ListLocks(ctx, append(names[:len(names):len(names)], ownLocks...)...)
		out := bindLocks{Bind: b.String(), Locks: []lockJSON{}, Limits: list.Limits}
		if err != nil {
			out.Error = err.Error()
			errs = append(errs, fmt.Errorf("locks of bind %q: %w", b.String(), err))
		}
		for _, l := range list.Locks {
			j := lockJSON{l.Name, l.ID, l.Holder, append([]string{}, l.Waiters...)}
			out.Locks = append(out.Locks, j)
			name := l.Name
			if name == "" {
				name = "? (" + l.ID + ")"
			}
			rows = append(rows, []string{b.String(), name, l.Holder, strings.Join(l.Waiters, "; ")})
		}
		for _, limit := range list.Limits {
			limits = append(limits, b.String()+": "+limit)
		}
		if a.json {
			if err := a.writeJSON(out); err != nil {
				return err
			}
		}
	}
	if !a.json {
		if err := a.showLocks(rows, limits, len(errs) > 0); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func (a *app) showLocks(rows [][]string, limits []string, failed bool) error {
	var err error
	switch {
	case len(rows) > 1:
		err = writeTable(a.out, rows)
	case !failed:
		_, err = fmt.Fprintln(a.out, "no named lock is seen")
	}
	if err != nil || len(limits) == 0 {
		return err
	}
	_, err = io.WriteString(a.out, "\n"+strings.Join(limits, "\n")+"\n")
	return err
}
