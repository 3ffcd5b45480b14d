package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bindery-go/bindery/manager"
)

// A lagBench measures, write by write, how long readers take to show what the writer has acknowledged.
type lagBench struct {
	*app
	duration time.Duration
	rate     float64
	yes      bool
}

func (a *app) benchLagCommand() *cobra.Command {
	l := &lagBench{app: a}
	cmd := &cobra.Command{
		Use:   "bench-lag",
		Short: "Measure how far readers trail, by writing",
		Long: `bench-lag writes to a table of its own on each bind's writer, at a rate, and looks on each reader until it shows the row: from the moment the write was
acknowledged. Beside that it tells the horizon lag, which the library goes by, asked four times a second: how long ago the moment was for which it knew the reader
to be complete.

The table is called bindery_bench_lag_ and a random number, and is dropped at the end, also after Ctrl-C. It needs the right to create a table, and
writes to the server: it asks first, or wants --yes. Readers are looked at every millisecond; a row that a reader does not show within 5s of the last
write is counted as not shown, and the exit code is 1 then.`,
		Example: "  bindery bench-lag --bind accounts --yes\n  bindery bench-lag --bind accounts --duration 1m --rate 50 --json --yes",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = a.doing(0, l.run)
	cmd.Flags().DurationVarP(&l.duration, "duration", "d", 10*time.Second, "how long to write, a `time`")
	cmd.Flags().Float64Var(&l.rate, "rate", 20, "writes a second, a `number` up to 1000")
	cmd.Flags().BoolVarP(&l.yes, "yes", "y", false, "do not ask")
	a.takesBinds(cmd, "else all that have readers")
	return cmd
}

func (l *lagBench) run(ctx context.Context, _ []string) (err error) {
	switch {
	case l.duration < 100*time.Millisecond || l.duration > time.Hour:
		return usagef("--duration must be 100ms to 1h")
	case !(l.rate > 0 && l.rate <= 1000):
		return usagef("--rate must be more than 0, and 1000 at most")
	}
	m, meant, err := l.open(ctx, false)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	var binds []*manager.Bind
	for _, b := range meant {
		if len(b.ReaderEngines()) > 0 {
			binds = append(binds, b)
		} else if len(l.app.binds) > 0 {
			return fmt.Errorf("bind %q has no readers: there is no lag to measure", b.String())
		}
	}
	if len(binds) == 0 {
		return errors.New("no bind has readers: there is no lag to measure")
	}
	names := make([]string, 0, len(binds))
	for _, b := range binds {
		names = append(names, b.String())
	}
	question := fmt.Sprintf("Create a table on the writers of %s, and write to it for %v?", listed(names), l.duration)
	if err := l.ask(ctx, l.yes, question); err != nil {
		return err
	}
	var errs []error
	for _, b := range binds {
		results, err := l.bench(ctx, b)
		if results != nil {
			errs = append(errs, l.show(b, results))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("bench-lag of bind %q: %w", b.String(), err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// A lagResult is what was seen of one reader.
type lagResult struct {
	Bind     string  `json:"bind"`
	Engine   string  `json:"engine"`
	Writes   int     `json:"writes"`
	Shown    int     `json:"shown"`
	Lag      spread  `json:"seconds"`         // from the acknowledgement of a write until the reader shows it
	Horizon  *spread `json:"horizon_seconds"` // null: its horizon was never known
	Error    string  `json:"error,omitempty"` // why it could not be read, at the last
	Doubt    string  `json:"doubt,omitempty"` // why its horizon is not known
	observed []time.Duration
}

func (l *lagBench) show(b *manager.Bind, results []*lagResult) error {
	rows := [][]string{{"READER", "WRITES", "SHOWN", "P50", "P99", "MAX", "HORIZON P50", "P99", "MAX", ""}}
	for _, r := range results {
		if l.json {
			if err := l.writeJSON(r); err != nil {
				return err
			}
			continue
		}
		why := r.Error
		if why == "" {
			why = r.Doubt
		}
		row := append([]string{r.Engine, fmt.Sprint(r.Writes), fmt.Sprint(r.Shown)}, r.Lag.cells(r.Shown > 0)...)
		horizon := spread{}
		if r.Horizon != nil {
			horizon = *r.Horizon
		}
		rows = append(rows, append(append(row, horizon.cells(r.Horizon != nil)...), why))
	}
	if l.json {
		return nil
	}
	return writeTable(l.out, rows)
}
