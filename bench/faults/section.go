package faults

import (
	"fmt"
	"strings"
	"time"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// section makes the part of the page.
func section(p *plan, versions []string, outcomes []*outcome) *report.Section {
	s := &report.Section{Title: "Faults under load", About: about(p, versions)}
	for _, o := range outcomes {
		o.table(s, p)
	}
	fateTable(s, outcomes)
	failureTable(s, outcomes)
	bars(s, outcomes)
	headlines(s, outcomes)
	notes(s, p, outcomes)
	return s
}

func about(p *plan, versions []string) []string {
	return []string{
		fmt.Sprintf("A primary and two replicas of %s, real servers on this machine, which all libraries below use at the same time: each fault is the same for all. "+
			"Each library has a database of its own there, pools of the same size on the same database/sql drivers (pgdriver, go-sql-driver/mysql), and the same load: "+
			"%d readers that each read one row by its key every %s, and %d that write, each inserting one row as often. "+
			"An operation may take %s, as in a service whose requests have a deadline. Nobody tries again what failed.",
			strings.Join(versions, " and of "), p.rate.readers, report.Duration(p.rate.every), p.rate.writers, report.Duration(p.rate.deadline)),
		fmt.Sprintf("After %s, a replica is killed (SIGKILL), and started again %s later; or the primary is stopped in good order, and started again %s after that began; "+
			"or a replica hangs (SIGSTOP) for %s. The load goes on for %s at least. Each fault comes %s on each kind of server; counts are sums, times are the worst.",
			report.Duration(p.before), report.Duration(p.killed), report.Duration(p.stopped), report.Duration(p.frozen), report.Duration(p.after), times(p.rounds)),
		"*without a read* and *without a write* are the longest times in which none of the library's succeeded; *slowest* is the longest single operation, failed ones included. " +
			"*reads there again* counts from the moment when the replica accepted connections to the library's first read there, as the server itself tells; *writes again*, from that of the primary, to the next write that succeeded.",
		"**" + inProcess + "** is as it opens by default: a read shows everything that this process has written, and where that cannot be known, it waits. **" + inSession + "** has the same configuration and a session for each operation, " +
			"as `router.Middleware` makes one for each request: a read shows what its own request has written. The others promise nothing about that.",
	}
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// bars are what bindery is held to, in both forms.
func bars(s *report.Section, outcomes []*outcome) {
	for _, f := range faults {
		var reads ops
		for _, o := range outcomes {
			if o.fault == f {
				reads.add(o.bindery())
			}
		}
		s.Bar(f.name+": bindery's reads that failed", "none", fmt.Sprintf("%d of %d", reads.failed, reads.done), reads.failed == 0)
	}
	sum := fatesOf(outcomes, inProcess)
	sum.add(fatesOf(outcomes, inSession))
	s.Bar("faults: bindery's acknowledged writes that are lost", "none", fmt.Sprintf("%d of %d", sum.lost, sum.acknowledged), sum.lost == 0)
	s.Bar("faults: bindery's writes that were done twice", "none", fmt.Sprintf("%d of %d", sum.twice, sum.acknowledged+sum.failed), sum.twice == 0)
}

// headlines tell the front page what failed; bindery's as it opens by default.
func headlines(s *report.Section, outcomes []*outcome) {
	for _, f := range faults {
		reads, by := map[string]*ops{}, map[string]string{}
		for _, o := range outcomes {
			for c, t := range o.tallies {
				if o.fault != f || c.name == inSession {
					continue
				}
				if reads[c.library] == nil {
					reads[c.library] = new(ops)
				}
				reads[c.library].add(t.reads)
			}
		}
		for library, sum := range reads {
			by[library] = report.Percent(sum.failed, sum.done)
		}
		s.Headline(f.name+": failed reads", by)
	}
}

// bindery returns the figures of bindery's reads in both forms.
func (o *outcome) bindery() ops {
	var reads ops
	for c, t := range o.tallies {
		if c.library == "bindery" {
			reads.add(t.reads)
		}
	}
	return reads
}

func notes(s *report.Section, p *plan, outcomes []*outcome) {
	var reads, writes time.Duration
	for _, o := range outcomes {
		for _, t := range o.tallies {
			reads, writes = max(reads, t.reads.calm), max(writes, t.writes.calm)
		}
	}
	s.Note("In the %s before each fault no library was longer than %s without a read and %s without a write. Starting a server takes a part of the machine's cores: differences of that size, or of some such pauses, mean nothing.",
		report.Duration(p.before), report.Duration(reads), report.Duration(writes))
	s.Note("bunexp asks its replicas every 5 s, and sends them reads until then; gorm's dbresolver, xorm's EngineGroup and bxcodec's dbresolver never ask, and send a dead replica its share for as long as it is dead. bxcodec's reads again from the primary where connecting fails.")
	s.Note("While the primary is away, a read of %s waits for it too if this process has written since a replica was last seen to have everything, and would fail if it were away for longer than a request may take. With sessions only a request that has written itself waits.", inProcess)
	s.Note("bindery's writes wait for a primary that cannot be reached, within the caller's deadline, instead of failing: what the others count as failed writes is in its slowest one. The pauses between its attempts grow, so that it may write again somewhat later than who fails all the time.")
	s.Note("A replica that hangs is found out when it does not answer bindery's probe within `probe_timeout` (1 s by default): the reads that it has then go elsewhere. Who waits for it until the deadline asks less meanwhile: few failures among few reads.")
	s.Note("A write that failed may be in the table: *failed, and done*. Only bindery says which ones may be.")
}
