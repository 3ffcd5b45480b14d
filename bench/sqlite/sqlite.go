// Package sqlite measures a SQLite file under bindery against the same file as users open it with Bun.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/bindery-go/bindery/bench/internal/load"
	"github.com/bindery-go/bindery/bench/internal/report"
)

// goroutines are how many work at once.
var goroutines = []int{1, 8, 32}

// crowd is where the bars are.
const crowd = 32

// effort is how long a run measures.
type effort struct {
	rounds int
	each   time.Duration // one workload of one setup in one round
}

func effortOf(r *report.Run) effort {
	if r.Quick {
		return effort{rounds: 1, each: 60 * time.Millisecond}
	}
	return effort{rounds: 3, each: 750 * time.Millisecond}
}

// A contender is a setup with its open file and what it did.
type contender struct {
	setup
	store    *store
	settings [2]string // journal_mode, synchronous
	cells    map[place]cell
	counted  int64 // what the counter says at the end
}

// place is where in the tables a cell stands.
type place struct {
	workload   string
	goroutines int
}

// Run measures a SQLite file under a mix of reads and updates, and under transactions that read and
// then write.
func Run(ctx context.Context, r *report.Run) (_ *report.Section, err error) {
	dir, err := os.MkdirTemp("", "bench-sqlite")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sync, err := syncTime(dir)
	if err != nil {
		return nil, err
	}
	all, err := openAll(ctx, dir)
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.store.close())
		}
	}()
	if err != nil {
		return nil, err
	}
	e := effortOf(r)
	for _, n := range goroutines {
		r.Printf("sqlite: %d goroutines", n)
		if err := compare(ctx, all, n, e); err != nil {
			return nil, err
		}
	}
	for _, c := range all {
		if c.counted, err = c.store.count(ctx); err != nil {
			return nil, err
		}
	}
	return describe(all, e, sync), nil
}

// openAll opens a file for each setup. What is open is returned also with an error.
func openAll(ctx context.Context, dir string) (all []*contender, err error) {
	for _, s := range setups {
		own, err := os.MkdirTemp(dir, "file")
		if err != nil {
			return all, err
		}
		st, err := create(ctx, s, own)
		if err != nil {
			return all, fmt.Errorf("sqlite: open %q: %w", s.name, err)
		}
		c := &contender{setup: s, store: st, cells: map[place]cell{}}
		all = append(all, c)
		for i, name := range []string{"journal_mode", "synchronous"} {
			if c.settings[i], err = st.pragma(ctx, name); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// compare runs both workloads on n goroutines: all setups after each other in every round, in another
// order each time.
func compare(ctx context.Context, all []*contender, n int, e effort) error {
	for _, work := range []workload{mix, counting} {
		at := place{work.name, n}
		for round := range e.rounds {
			for i := range all {
				c := all[(i+round)%len(all)]
				res, err := load.Run(ctx, n, e.each, uint64(round), func(ctx context.Context, w *load.Worker) error {
					return work.step(c.store, ctx, w)
				})
				if err != nil {
					return fmt.Errorf("sqlite: %s of %q: %w", work.name, c.name, err)
				}
				c.cells[at] = append(c.cells[at], res)
			}
		}
	}
	return nil
}

func describe(all []*contender, e effort, sync time.Duration) *report.Section {
	s := &report.Section{
		Title: "SQLite",
		About: []string{
			"One file, its users in one process: bindery with one `sqlite:` URI and nothing else set but the size of its pool, against Bun " +
				"on one `*sql.DB` as first programs have it (`sql.Open(\"sqlite\", \"file:app.db\")`), on one tuned pool, and on two pools " +
				"between which the program chooses by hand at each statement. All use the driver `modernc.org/sqlite`, Bun, the same rows and the same file system; " +
				"each has a file of its own. bindery and the tuned pools are equally durable.",
			fmt.Sprintf("The setups take turns, %s for each in every round, in another order each time. Rounds: %d; figures are their medians, the worst is that of all. "+
				"Every goroutine works without a pause. What fails with SQLITE_BUSY is counted and not repeated; its time counts as well, "+
				"and is short where nothing waits. ops/s are those that succeeded.", e.each, e.rounds),
		},
	}
	describeSettings(s, all)
	describeMix(s, all)
	describeTransactions(s, all)
	judge(s, all)
	s.Note("To write 4 kB to this file system and sync them took %s (median): what a commit costs at least without a write-ahead log, or with synchronous = FULL.", report.Duration(sync))
	return s
}

func describeSettings(s *report.Section, all []*contender) {
	t := s.Table("What is compared", "setup", "journal_mode", "synchronous", "waits for locks", "BEGIN", "connections")
	for _, c := range all {
		t.Add(c.name, c.settings[0], levels[c.settings[1]], c.waits, c.begin, c.conns)
	}
}

// levels are the words for PRAGMA synchronous.
var levels = map[string]string{"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}

func describeMix(s *report.Section, all []*contender) {
	t := s.Table(fmt.Sprintf("%d %% reads by key, %d %% updates by key", 100-updates, updates),
		"setup", "goroutines", "ops/s", "to bindery's", "read p50", "read p99", "read worst", "update p50", "update p99", "update worst", "SQLITE_BUSY")
	for _, n := range goroutines {
		at := place{mix.name, n}
		for _, c := range all {
			got := c.cells[at]
			row := []any{c.name, n, whole(got.rate()), ratio(got.against(all[0].cells[at], rate))}
			for _, op := range mix.ops {
				row = append(row, report.Duration(got.percentile(op, 0.5)), report.Duration(got.percentile(op, 0.99)), report.Duration(got.worst(op)))
			}
			t.Add(append(row, failures(got))...)
		}
	}
}

func describeTransactions(s *report.Section, all []*contender) {
	t := s.Table("Transactions that read a counter and then write it",
		"setup", "goroutines", "commits/s", "to bindery's", "p50", "p99", "worst", "SQLITE_BUSY")
	for _, n := range goroutines {
		at := place{counting.name, n}
		for _, c := range all {
			got := c.cells[at]
			t.Add(c.name, n, whole(got.rate()), ratio(got.against(all[0].cells[at], rate)),
				report.Duration(got.percentile(transaction, 0.5)), report.Duration(got.percentile(transaction, 0.99)),
				report.Duration(got.worst(transaction)), failures(got))
		}
	}
	t = s.Table("What the counters say at the end", "setup", "transactions committed", "counter", "lost updates")
	for _, c := range all {
		t.Add(c.name, c.committed(), c.counted, c.lost())
	}
}

// committed returns how many transactions ended without an error.
func (c *contender) committed() (n int64) {
	for at, got := range c.cells {
		if at.workload == counting.name {
			n += int64(got.tried() - got.busy())
		}
	}
	return n
}

// lost returns how many updates were lost: committed, and not to be seen in the counter.
func (c *contender) lost() int64 { return c.committed() - c.counted }

// failures returns how many operations failed, and their share.
func failures(c cell) string {
	if c.busy() == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", c.busy(), report.Percent(c.busy(), c.tried()))
}

// judge states the bars.
func judge(s *report.Section, all []*contender) {
	mine := all[0]
	busy := 0
	for _, got := range mine.cells {
		busy += got.busy()
	}
	s.Bar("SQLite: SQLITE_BUSY errors", "0", strconv.Itoa(busy), busy == 0)
	s.Bar("SQLite: lost updates", "0", strconv.FormatInt(mine.lost(), 10), mine.lost() == 0)
	for _, bar := range []struct {
		work  workload
		op    string
		rival string
	}{
		{mix, read, onePool},
		{mix, update, onePool},
		{counting, transaction, oneUrgent},
	} {
		at := place{bar.work.name, crowd}
		got := mine.cells[at].against(named(all, bar.rival).cells[at], func(r *load.Result) float64 {
			return float64(r.Percentile(bar.op, 0.99))
		})
		s.Bar(fmt.Sprintf("SQLite: p99 of %ss, %d goroutines, to %s", bar.op, crowd, bar.rival), "at most 1×", ratio(got), got <= 1)
	}
}

func named(all []*contender, name string) *contender {
	for _, c := range all {
		if c.name == name {
			return c
		}
	}
	return nil
}

func whole(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }

func ratio(f float64) string { return report.Ratio(f, 1) }
