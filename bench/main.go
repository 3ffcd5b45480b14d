// Command bench measures bindery side by side with what users would pick instead, and writes what
// it found as one page of Markdown.
//
//	go run . -out RESULTS.md         # everything
//	go run . -only routing,kinds     # parts of it, printed
//	go run . -quick                  # everything in short: does it work?
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/bindery-go/bindery/bench/faults"
	"github.com/bindery-go/bindery/bench/internal/report"
	"github.com/bindery-go/bindery/bench/kinds"
	"github.com/bindery-go/bindery/bench/replication"
	"github.com/bindery-go/bindery/bench/routing"
	"github.com/bindery-go/bindery/bench/scale"
	"github.com/bindery-go/bindery/bench/slow"
	"github.com/bindery-go/bindery/bench/sqlite"
)

// parts are the parts of the page, in its order.
var parts = []struct {
	name string
	run  report.Func
}{
	{"routing", routing.Run},
	{"kinds", kinds.Run},
	{"replication", replication.Run},
	{"slow", slow.Run},
	{"faults", faults.Run},
	{"sqlite", sqlite.Run},
	{"scale", scale.Run},
	{"tenants", scale.RunTenants},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "run these parts, separated by commas, of "+strings.Join(names(), ", "))
	quick := flags.Bool("quick", false, "make everything short: it shows that the benchmarks work, its figures mean little")
	out := flags.String("out", "", "write the page to this file too")
	front := flags.String("front", "", "put the short table into this file, between the lines that mark it")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	wanted, err := choose(*only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	page, err := measure(ctx, wanted, &report.Run{Quick: *quick, Log: log.New(os.Stderr, "", log.Ltime)})
	if err != nil {
		return err
	}
	page.Command = strings.Join(append([]string{"go run ."}, args...), " ")
	if *front != "" {
		if err := page.WriteFront(*front); err != nil {
			return err
		}
	}
	return write(page, *out)
}

// measure runs the wanted parts one after the other: they would disturb each other.
func measure(ctx context.Context, wanted []string, r *report.Run) (*report.Page, error) {
	page := &report.Page{Date: time.Now(), Commit: report.Commit(), Quick: r.Quick}
	for _, part := range parts {
		if !slices.Contains(wanted, part.name) {
			continue
		}
		start := time.Now()
		r.Printf("%s …", part.name)
		section, err := part.run(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		r.Printf("%s done in %s", part.name, time.Since(start).Round(time.Second))
		page.Sections = append(page.Sections, section)
	}
	page.Took = time.Since(page.Date)
	return page, nil
}

// write prints the page, and writes it to the named file if there is a name.
func write(page *report.Page, file string) error {
	if _, err := page.WriteTo(os.Stdout); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = page.WriteTo(f)
	return errors.Join(err, f.Close())
}

// choose returns the names of the parts to run.
func choose(only string) ([]string, error) {
	if only == "" {
		return names(), nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("no part %q (have %s)", name, strings.Join(names(), ", "))
		}
	}
	return wanted, nil
}

func names() []string {
	all := make([]string, len(parts))
	for i, part := range parts {
		all[i] = part.name
	}
	return all
}
