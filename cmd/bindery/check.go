package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Ask every server how it is",
		Long: `check asks every server of every bind how it is, all at once: whether it answers, what it is, whether its position proves what it shows,
how far a reader trails, what to grant or set. A server that is dead or hangs costs 3 seconds.

It exits with 0 if all is well, 1 if a bind cannot do its work now (its writer accepts no writes, or nothing serves its reads), and 3 if all can and
something is wrong: a reader that is down, a server in the wrong role. It gives up after 15s (--timeout).`,
		Example: "  bindery check\n  bindery check --bind accounts --json",
		Args:    cobra.NoArgs,
		RunE:    a.doing(15*time.Second, a.check),
	}
	a.takesBinds(cmd, "else all")
	return cmd
}

func (a *app) check(ctx context.Context, _ []string) (err error) {
	m, _, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	r := m.Check(ctx)
	if a.json {
		err = a.writeIndented(r)
	} else {
		_, err = fmt.Fprint(a.out, r)
	}
	switch {
	case err != nil:
		return err
	case r.Ready() != nil:
		return &failure{code: exitFailed}
	case r.Err() != nil:
		return &failure{code: exitImpaired}
	}
	return nil
}
