// Command matrix runs the tests on many versions of the servers, and writes what became of them into
// docs/servers.md, and in short into the README.
//
//	go run ./internal/matrix                     all servers; writes the pages
//	go run ./internal/matrix mysql-9.7 galera    these alone; their rows are written anew, the others stay
//	go run ./internal/matrix -quick -for 8m      for each change: the two that always run, then others in turn
//
// scripts/servers.sh fetches what is missing. A server that cannot be had is reported as not run, and is no failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const (
	resultsFile = "docs/servers.json" // what the page is made from
	pageFile    = "docs/servers.md"
	frontFile   = "README.md"
)

func main() {
	quick := flag.Bool("quick", false, "run few suites on few servers, and write no page")
	at := flag.Int("j", 2, "test so many servers at once")
	limit := flag.Duration("for", 0, "start no further suite after this time; 0: no limit")
	suites := flag.String("suites", "", "run these suites alone, with commas between; the page keeps what others found")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *quick, *limit, *at, *suites, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick bool, limit time.Duration, at int, only string, names []string) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	m := &matrix{root: root, began: time.Now(), limit: limit}
	if m.bin, err = os.MkdirTemp("", "matrix-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(m.bin) }() // test programs
	chosen, err := choose(names, quick, m.began)
	if err != nil {
		return err
	}
	m.suites, err = chooseSuites(only, quick, m.began)
	if err != nil {
		return err
	}
	results, err := readResults(filepath.Join(root, resultsFile))
	if err != nil {
		return err
	}
	var failed []string
	for row := range m.all(ctx, chosen, at) {
		results = results.with(row)
		if row.whole {
			fmt.Print(row.summary())
			failed = append(failed, row.failures()...)
		}
		if !quick && ctx.Err() == nil { // what a run of an hour has found is kept, should it end early
			if err := write(root, results); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d suites failed: %s", len(failed), strings.Join(failed, ", "))
	}
	return nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if filepath.Base(file) != "go.mod" {
		return "", errors.New("it must be run in the module")
	}
	return filepath.Dir(file), nil
}
