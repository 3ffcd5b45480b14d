package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// An app is one run of the command.
type app struct {
	in       io.Reader
	out, err io.Writer

	config  string
	binds   []string
	json    bool
	timeout time.Duration
	verbose bool
	path    string // of the command that runs: "bindery migrate up"
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	a.path = root.Name()
	ran, err := root.ExecuteContextC(ctx)
	if ran != nil {
		a.path = ran.CommandPath()
	}
	return a.finish(ctx, err)
}

const rootHelp = `bindery looks after the databases of a configuration, the TOML file that the library bindery reads.

The file is the one of --config, else of $BINDERY_CONFIG, else config.toml in the working directory. No command shows a password or a key.
Results go to standard output, errors and progress to standard error.

Exit codes:
  0    it is done, or all is well
  1    it failed; for check: a database cannot do its work now
  2    wrong use, or a mistake in the configuration
  3    check: all can do their work, and something is wrong
  130  ended by Ctrl-C or SIGTERM`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "bindery",
		Short:         "Look after the databases of a configuration",
		Long:          rootHelp,
		Example:       "  bindery check\n  bindery status -c /etc/app/config.toml\n  bindery route --bind shop 'SELECT * FROM seats FOR UPDATE'",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Usage()
			return errors.New("a command is missing")
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.config, "config", "c", "", "the TOML `file`; else $BINDERY_CONFIG, else config.toml")
	flags.BoolVar(&a.json, "json", false, "write JSON")
	flags.DurationVar(&a.timeout, "timeout", 0, "give up after this `time`; 0: as long as the command's help says")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "write the library's log to standard error")
	_ = root.RegisterFlagCompletionFunc("config", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	})
	root.AddCommand(a.checkCommand(), a.statusCommand(), a.routeCommand(), a.configCommand(), a.migrateCommand(), a.locksCommand(),
		a.benchLagCommand(), a.manCommand())
	return root
}

// takesBinds gives a command the flag --bind.
func (a *app) takesBinds(cmd *cobra.Command, what string) {
	cmd.Flags().StringSliceVarP(&a.binds, "bind", "b", nil, "the `binds`, with commas between, "+what)
	_ = cmd.RegisterFlagCompletionFunc("bind", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return a.bindKeys(), cobra.ShellCompDirectiveNoFileComp
	})
}

// doing makes a command's body: its errors are no wrong use, and its context ends after its time. Zero means that it has none.
func (a *app) doing(within time.Duration, do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if a.timeout < 0 {
			return errors.New("--timeout must not be negative")
		}
		if a.timeout > 0 {
			within = a.timeout
		}
		ctx := cmd.Context()
		if within > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, within, fmt.Errorf("it took longer than %v: see --timeout", within))
			defer cancel()
		}
		err := do(ctx, args)
		var f *failure
		switch {
		case err == nil || errors.As(err, &f):
			return err
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
			err = fmt.Errorf("%w\n%w", err, context.Cause(ctx))
		}
		return &failure{exitFailed, err}
	}
}

// logger is what the library writes to.
func (a *app) logger() *slog.Logger {
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.err, nil))
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// configPath is the file of the configuration.
func (a *app) configPath() string {
	if a.config != "" {
		return a.config
	}
	if path := os.Getenv("BINDERY_CONFIG"); path != "" {
		return path
	}
	return "config.toml"
}
