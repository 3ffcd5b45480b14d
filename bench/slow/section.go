package slow

import (
	"fmt"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// mostRatio is the bar: the p99 with a sick replica to that without.
const mostRatio = 1.5

func section(what setting, found map[contender]map[state]*figures) *report.Section {
	s := &report.Section{Title: "One slow reader", About: about(what)}
	slowTable(s, what, found)
	frozenTable(s, what, found)
	for _, bar := range []struct {
		state state
		what  string
	}{
		{slowed, fmt.Sprintf("least_loaded, %s added by one reader of %d: p99 to that without", report.Duration(what.delay), replicas)},
		{frozen, fmt.Sprintf("least_loaded, one reader of %d frozen: p99 to that without", replicas)},
	} {
		f := found[held][bar.state]
		s.Bar(bar.what, "at most "+ratio(mostRatio), ratio(f.ratio), f.ratio > 0 && f.ratio <= mostRatio)
	}
	return s
}

func about(what setting) []string {
	return []string{
		fmt.Sprintf("PostgreSQL, a primary with %d replicas, each behind a proxy. One replica adds %s to each of its answers for %s, is well again, and then "+
			"hangs for %s: connections stay, new ones are accepted, and nothing is heard. %s.",
			replicas, report.Duration(what.delay), report.Duration(what.lengths[slowed]), report.Duration(what.lengths[frozen]), rounds(what.rounds)),
		fmt.Sprintf("All libraries read at the same time, beside each other: point reads by key, built by the library, without sessions, over the same driver (pgdriver) "+
			"and pools of 16. Each gets %.0f reads a second at random moments that wait for no answer, as independent users make them: a loop of workers would "+
			"ask the less the longer a reader hangs, and hide it. The time counts from the moment that the read is released; a read "+
			"has %s, and one that fails counts with the time it took. Which server answered is part of the answer.",
			what.perSecond, report.Duration(what.patience)),
		"p50, p99 and the ratio are medians of the rounds; the ratio is to the same library's p99 of the same round while all readers were well. Reads that were on " +
			"their way when the reader fell sick count as read with it. \"worst\" is that of all rounds.",
		"xorm's random policy is called under a lock here: it is not safe for concurrent use. The random one of bxcodec/dbresolver is left out: called " +
			"by several goroutines at a time, it leaves some waiting without end.",
	}
}

func rounds(n int) string {
	if n == 1 {
		return "One round"
	}
	return fmt.Sprintf("%d rounds, each with another replica", n)
}

func slowTable(s *report.Section, what setting, found map[contender]map[state]*figures) {
	t := s.Table(fmt.Sprintf("One of %d readers adds %s", replicas, report.Duration(what.delay)),
		"library, policy", "p50 well", "p99 well", "p50 slow", "p99 slow", "ratio of p99", "worst", "failed", "share well", "share slow", "share again")
	for _, c := range contenders {
		ok, f, after := found[c][well], found[c][slowed], found[c][again]
		t.Add(c, report.Duration(ok.p50), report.Duration(ok.p99), report.Duration(f.p50), report.Duration(f.p99), ratio(f.ratio), report.Duration(f.worst),
			report.Percent(f.failed, f.reads), report.Percent(ok.patient, ok.shared), report.Percent(f.patient, f.shared), report.Percent(after.patient, after.shared))
	}
	s.Note("The shares are of the reads that the slow reader answered: before it was slow, while it was, and from %s after that.", report.Duration(settle))
}

func frozenTable(s *report.Section, what setting, found map[contender]map[state]*figures) {
	t := s.Table(fmt.Sprintf("One of %d readers hangs", replicas),
		"library, policy", "p50 well", "p99 well", "p50 frozen", "p99 frozen", "ratio of p99", "worst", "failed")
	for _, c := range contenders {
		ok, f := found[c][well], found[c][frozen]
		t.Add(c, report.Duration(ok.p50), report.Duration(ok.p99), report.Duration(f.p50), report.Duration(f.p99), ratio(f.ratio), report.Duration(f.worst),
			report.Percent(f.failed, f.reads))
	}
}

func ratio(f float64) string { return report.Ratio(f, 1) }
