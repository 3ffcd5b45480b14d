package faults

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// An outcome is what one fault did to all libraries on one kind of servers.
type outcome struct {
	servers string
	fault   *fault
	tallies map[*contender]*tally
	order   []*contender
}

// add takes in another run.
func (o *outcome) add(tallies map[*contender]*tally) {
	for c, t := range tallies {
		if o.tallies[c] == nil {
			o.tallies[c] = t
			continue
		}
		o.tallies[c].add(t)
	}
}

// table shows the outcome, a row for each library.
func (o *outcome) table(s *report.Section, p *plan) {
	columns := []string{"library", "reads", "failed reads", "slowest read", "without a read", "writes", "failed writes", "slowest write", "without a write"}
	if o.fault.anew {
		columns = append(columns, o.fault.again())
	}
	t := s.Table(o.servers+": "+o.fault.name, columns...)
	for _, c := range o.order {
		sum := o.tallies[c]
		cells := []any{c.name}
		for _, ops := range []ops{sum.reads, sum.writes} {
			cells = append(cells, ops.done, ops.failed, report.Duration(ops.slowest), report.Duration(ops.gap))
		}
		if o.fault.anew {
			cells = append(cells, sum.returned(o.fault.patience(p)))
		}
		t.Add(cells...)
	}
}

// again names what shows that a server is used again.
func (f *fault) again() string {
	if f.primary {
		return "writes again"
	}
	return "reads there again"
}

// patience is for how long at least that is looked for.
func (f *fault) patience(p *plan) time.Duration {
	if f.primary {
		return p.after
	}
	return p.patience
}

// returned says how soon the server was used again, in the slowest of the runs.
func (t *tally) returned(patience time.Duration) string {
	if len(t.back) < t.runs {
		return "not within " + report.Duration(patience)
	}
	return "after " + report.Duration(slices.Max(t.back))
}

// fateTable shows what became of the writes in all faults.
func fateTable(s *report.Section, outcomes []*outcome) {
	t := s.Table("What became of the writes, in all faults together", "library", "acknowledged", "and lost", "done twice", "failed",
		"failed, and done", "said: not done", "and done", "said: may be done", "said neither")
	for _, c := range names(outcomes) {
		f := fatesOf(outcomes, c)
		t.Add(c, f.acknowledged, f.lost, f.twice, f.failed, f.failedFound, f.notDone, f.notDoneFound, f.uncertain, f.nothing)
	}
}

// failureTable shows what failed, by kind, with the number of times for each library.
func failureTable(s *report.Section, outcomes []*outcome) {
	libraries := names(outcomes)
	t := s.Table("What failed, and how often", slices.Concat([]string{"what"}, libraries, []string{"the first of them"})...)
	for _, o := range outcomes {
		all := map[failure]bool{}
		for _, sum := range o.tallies {
			for f := range sum.failures {
				all[f] = true
			}
		}
		for _, f := range slices.SortedFunc(maps.Keys(all), compareFailures) {
			cells := []any{fmt.Sprintf("%s: %s: %s: %s", o.servers, o.fault.name, f.op, f.kind)}
			first := ""
			for _, c := range o.order {
				if e := o.tallies[c].failures[f]; e != nil {
					cells, first = append(cells, e.count), cmp.Or(first, e.first)
				} else {
					cells = append(cells, 0)
				}
			}
			t.Add(append(cells, first)...)
		}
	}
}

// names returns the contenders' names, in their order.
func names(outcomes []*outcome) []string {
	var list []string
	for _, o := range outcomes {
		for _, c := range o.order {
			if !slices.Contains(list, c.name) {
				list = append(list, c.name)
			}
		}
	}
	return list
}

// fatesOf adds up the fates of a contender's writes.
func fatesOf(outcomes []*outcome, name string) fates {
	var sum fates
	for _, o := range outcomes {
		for c, t := range o.tallies {
			if c.name == name {
				sum.add(t.fates)
			}
		}
	}
	return sum
}

func compareFailures(a, b failure) int {
	return cmp.Or(cmp.Compare(a.op, b.op), cmp.Compare(a.kind, b.kind))
}
