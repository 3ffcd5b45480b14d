package faults

import "time"

// A tally is what one fault did to one library, in one run or several.
type tally struct {
	reads, writes ops
	fates         fates
	back          []time.Duration // see comeback; one for each run in which it is known
	runs          int
	failures      map[failure]*examples
}

// ops are the figures of all reads or all writes.
type ops struct {
	done, failed int
	slowest, gap time.Duration
	calm         time.Duration // gap before the fault
}

// A failure is a kind of error of the reads or the writes.
type failure struct{ op, kind string }

// examples counts the errors of one kind and keeps the first.
type examples struct {
	count int
	first string
}

// count makes the tally of one run. Rows has how often each number is in the journal.
func count(t *traffic, rows map[int64]int) *tally {
	writes := t.writeEvents()
	sum := &tally{
		reads: opsOf(t.reads, t), writes: opsOf(writes, t),
		fates: judge(t.writes, rows), runs: 1, failures: map[failure]*examples{},
	}
	sum.note("read", t.reads)
	sum.note("write", writes)
	return sum
}

func opsOf(events []event, t *traffic) ops {
	return ops{
		done: len(events), failed: failed(events), slowest: slowest(events),
		gap: gap(events, t.whole), calm: gap(events, t.struck),
	}
}

func (t *tally) note(op string, events []event) {
	for _, e := range events {
		if e.err == nil {
			continue
		}
		f := failure{op, kindOf(e.err)}
		if t.failures[f] == nil {
			t.failures[f] = &examples{first: example(e.err)}
		}
		t.failures[f].count++
	}
}

// add takes in another run: counts add up, and the worst time stays.
func (t *tally) add(u *tally) {
	t.reads.add(u.reads)
	t.writes.add(u.writes)
	t.fates.add(u.fates)
	t.back = append(t.back, u.back...)
	t.runs += u.runs
	for f, e := range u.failures {
		if t.failures[f] == nil {
			t.failures[f] = &examples{first: e.first}
		}
		t.failures[f].count += e.count
	}
}

func (o *ops) add(p ops) {
	o.done += p.done
	o.failed += p.failed
	o.slowest = max(o.slowest, p.slowest)
	o.gap = max(o.gap, p.gap)
	o.calm = max(o.calm, p.calm)
}
