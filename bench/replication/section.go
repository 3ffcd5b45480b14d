package replication

import (
	"fmt"
	"slices"
	"time"

	"github.com/bindery-go/bindery/bench/internal/load"
	"github.com/bindery-go/bindery/bench/internal/report"
)

// enough is the share of the throughput without a guarantee that a guarantee must reach.
const enough = 0.9

func section(p plan, all []*setting) *report.Section {
	s := &report.Section{Title: "Reads under replication", About: about(p)}
	for _, set := range all {
		set.table(s, p)
	}
	for _, set := range all {
		set.bars(s, p)
		if set.lags {
			set.headlines(s, p)
		}
	}
	s.Note("A read that finds no reader fresh enough is served by the primary, whose capacity \"no guarantee\" leaves idle but for the writes: a guarantee may so be faster than none.")
	s.Note("A session here is over after %d operations. A user who goes on stays on the primary for the rest of the %s after each write where the time is fixed, and returns to the replicas when they have caught up where that is measured.", sessionLength, report.Duration(stickFor))
	s.Note("The last column counts all statements but those of the load, also what the idle pools of the other modes ask meanwhile: bunexp pings, and bindery looks at its servers now and then.")
	return s
}

func (set *setting) name(p plan) string {
	if set.lags {
		return fmt.Sprintf("%s, replicas that lag by %s", set.database, p.lag)
	}
	return set.database + ", replication as it comes"
}

func (set *setting) table(s *report.Section, p plan) {
	title := fmt.Sprintf("%s (measured: a write shows on a replica after %s, p99 %s)",
		set.name(p), report.Duration(load.Percentile(set.seen, 0.5)), report.Duration(load.Percentile(set.seen, 0.99)))
	t := s.Table(title, "mode", "operations", "× no guarantee", "read p50", "read p99", "write p99",
		"reads on replicas", "stale reads", "went backwards", "own statements")
	for i, m := range modes(0) {
		turns := set.turns[i]
		var all findings
		var onReplicas, other int64
		var took time.Duration
		for _, t := range turns {
			all.add(t.findings)
			onReplicas, other, took = onReplicas+t.onReplicas, other+t.other, took+t.took
		}
		t.Add(m.name,
			fmt.Sprintf("%.0f/s", median(turns, func(t turn) float64 { return t.rate })),
			report.Ratio(set.ratio(i), 1),
			medianTime(turns, func(t turn) time.Duration { return t.readP50 }),
			medianTime(turns, func(t turn) time.Duration { return t.readP99 }),
			medianTime(turns, func(t turn) time.Duration { return t.writeP99 }),
			report.Percent(onReplicas, int64(all.reads)),
			of(all.stale, all.reads), of(all.backwards, all.reads),
			report.Rate(int(other), took))
	}
}

func (set *setting) bars(s *report.Section, p plan) {
	i := modeIndex(sessions)
	stale, backwards, reads := 0, 0, 0
	for _, t := range set.turns[i] {
		stale, backwards, reads = stale+t.stale, backwards+t.backwards, reads+t.reads
	}
	s.Bar(set.name(p)+": stale reads in bindery's sessions", "none",
		fmt.Sprintf("%d of %d, %d went backwards", stale, reads, backwards), stale == 0 && backwards == 0)
	ratio := set.ratio(i)
	s.Bar(set.name(p)+": throughput of bindery's sessions", fmt.Sprintf("at least %.1f× of no guarantee", enough),
		report.Ratio(ratio, 1), ratio >= enough)
}

// headlines tell the front page of stale reads and throughput, with a guarantee and without.
func (set *setting) headlines(s *report.Section, p plan) {
	stale, rate := map[string]string{}, map[string]string{}
	for library, mode := range map[string]string{"bindery": sessions, "Bun + bunexp": noGuarantee} {
		i := modeIndex(mode)
		wrong, reads := 0, 0
		for _, t := range set.turns[i] {
			wrong, reads = wrong+t.stale, reads+t.reads
		}
		stale[library], rate[library] = of(wrong, reads), report.Ratio(set.ratio(i), 1)
	}
	s.Headline(fmt.Sprintf("stale reads, %s replicas %s behind", set.database, p.lag), stale)
	s.Headline("throughput then, to that without a guarantee", rate)
}

// ratio returns a mode's throughput by that without a guarantee: the median over rounds of the ratios
// within a round.
func (set *setting) ratio(mode int) float64 {
	base := set.turns[modeIndex(noGuarantee)]
	ratios := make([]float64, len(base))
	for round := range base {
		ratios[round] = set.turns[mode][round].rate / base[round].rate
	}
	return load.Median(ratios)
}

func modeIndex(name string) int {
	return slices.IndexFunc(modes(0), func(m mode) bool { return m.name == name })
}

// of says a number and what share of the whole it is, if it is not zero.
func of(n, whole int) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.2f %%)", n, 100*float64(n)/float64(whole))
}

func median(turns []turn, figure func(turn) float64) float64 {
	all := make([]float64, len(turns))
	for i, t := range turns {
		all[i] = figure(t)
	}
	return load.Median(all)
}

func medianTime(turns []turn, figure func(turn) time.Duration) string {
	return report.Duration(time.Duration(median(turns, func(t turn) float64 { return float64(figure(t)) })))
}
