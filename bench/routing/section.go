package routing

import (
	"fmt"
	"math"

	"github.com/bindery-go/bindery/bench/internal/paired"
	"github.com/bindery-go/bindery/bench/internal/report"
)

// The bars of the library.
const (
	selectBar = 60.0 // ns
	insertBar = 10.0 // ns
)

// section writes down what was found.
func (c *contenders) section(p plan, all []measured) *report.Section {
	s := &report.Section{
		Title: "What routing costs",
		About: []string{
			"The servers here are a database/sql driver in memory that does no work and allocates next to nothing: a primary and " +
				fmt.Sprint(replicas) + " replicas, the same for all. What is left is the library's own time and database/sql's. " +
				"*Added* is what a library takes more than its own form without replicas: the middle of the differences within " +
				fmt.Sprint(p.rounds) + " rounds of short turns, in brackets the quartiles. " +
				"Memory and allocations are the least of all rounds: whatever goes on beside can only add to them. " +
				"With one goroutine the time is the thread's on the processor; with " + fmt.Sprint(crowd) + " it is the time on the clock divided by the operations of all.",
			"bindery has all its defaults: its monitor looks at the servers, replicas have proved that they show every write of the process, " +
				"there is a marker in the model, and `m.NewSelect` finds the bind. \"By the bind's own DB\" leaves out that last part. " +
				"gorm has SkipDefaultTransaction, as its page on performance recommends. All pools have the same bounds and lifetimes.",
		},
	}
	c.digest(s, all)
	for _, m := range all {
		c.table(s, m)
	}
	bars(s, all)
	c.headline(s, all)
	s.Note("No garbage is collected during a turn: what an allocation costs later is not in the times.")
	s.Note("The contexts never end. With one that may, as a request's, database/sql adds a goroutine to each SELECT of every library.")
	s.Note("Bun sends finished text, the others text and arguments. The driver takes both as they are.")
	s.Note("In a transaction BEGIN and COMMIT are shared by all reads of a turn, thousands of them.")
	var strays uint64
	for _, m := range all {
		strays += m.strays
	}
	s.Note("While it was measured, %d of bindery's plain reads went to the primary because no replica was known to be fresh enough.", strays)
	return s
}

// digest adds what everyone's routing adds to each operation, on one goroutine.
func (c *contenders) digest(s *report.Section, all []measured) {
	columns := []string{"added by"}
	for _, m := range all {
		columns = append(columns, m.name)
	}
	t := s.Table("Added on one goroutine", columns...)
	for _, one := range c.list {
		if one.bare == "" {
			continue
		}
		row := []any{one.name}
		for _, m := range all {
			if !m.alone.Has(one.name) {
				row = append(row, "-")
				continue
			}
			added := m.alone.Added(one.name, one.bare)
			row = append(row, fmt.Sprintf("%s, %s", report.Nanoseconds(added.Nanoseconds.Middle), report.Bytes(whole(added.Bytes))))
		}
		t.Add(row...)
	}
}

// table adds what was measured of one operation.
func (c *contenders) table(s *report.Section, m measured) {
	t := s.Table(m.name, m.name, "1 goroutine", "added", fmt.Sprintf("%d goroutines", crowd), "added", "memory", "added", "allocations", "added")
	for _, one := range c.list {
		if !m.alone.Has(one.name) {
			continue
		}
		cost := m.alone.Cost(one.name)
		row := []any{one.name, report.Nanoseconds(cost.Nanoseconds), "", report.Nanoseconds(m.crowded.Cost(one.name).Nanoseconds), "",
			report.Bytes(cost.Bytes), "", count(cost.Allocs), ""}
		for _, i := range []int{2, 4, 6, 8} {
			row[i] = "-"
		}
		if one.bare != "" {
			added := m.alone.Added(one.name, one.bare)
			row[2], row[4] = between(added.Nanoseconds), between(m.crowded.Added(one.name, one.bare).Nanoseconds)
			row[6], row[8] = report.Bytes(whole(added.Bytes)), count(added.Allocs)
		}
		t.Add(row...)
	}
}

// headline tells the front page what routing adds to a point SELECT.
func (c *contenders) headline(s *report.Section, all []measured) {
	by := map[string]string{}
	for _, one := range c.list {
		for _, m := range all {
			if m.name == pointSelect.name && one.bare != "" && m.alone.Has(one.name) {
				added := m.alone.Added(one.name, one.bare)
				by[one.name] = fmt.Sprintf("%s, %s", report.Nanoseconds(added.Nanoseconds.Middle), report.Bytes(whole(added.Bytes)))
			}
		}
	}
	s.Headline("added to a point SELECT by routing", by)
}

// between formats a difference with its quartiles.
func between(d paired.Spread) string {
	return fmt.Sprintf("%s (%s to %s)", report.Nanoseconds(d.Middle), report.Nanoseconds(d.Low), report.Nanoseconds(d.High))
}

// count formats a number of allocations.
func count(n float64) string { return fmt.Sprintf("%.0f", whole(n)) }

// whole rounds to a whole number, and -0 to 0: parts of one are what goes on beside, shared out.
func whole(n float64) float64 { return math.Round(n) + 0 }

// bars hold the library to its word.
func bars(s *report.Section, all []measured) {
	for _, m := range all {
		switch m.name {
		case pointSelect.name:
			added := m.alone.Added(bindery, bareOf(bindery))
			s.Bar("routing a point SELECT: allocations added", "0", count(added.Allocs), whole(added.Allocs) <= 0)
			s.Bar("routing a point SELECT: bytes added", "0", report.Bytes(whole(added.Bytes)), whole(added.Bytes) <= 0)
			timeBar(s, "routing a point SELECT: time added", selectBar, added.Nanoseconds.Middle)
		case insert.name:
			timeBar(s, "routing an INSERT: time added", insertBar, m.alone.Added(bindery, bareOf(bindery)).Nanoseconds.Middle)
		}
	}
}

func timeBar(s *report.Section, what string, most, got float64) {
	s.Bar(what, fmt.Sprintf("at most %.0f ns", most), report.Nanoseconds(got), got <= most)
}
