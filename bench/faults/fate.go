package faults

// fates says what became of the writes, by what the library said of them and what the table holds.
type fates struct {
	acknowledged, failed        int
	notDone, uncertain, nothing int // the failed ones, by what the library said of them
	failedFound                 int // of the failed, those that are in the table
	lost                        int // acknowledged, and not in the table
	twice                       int // in the table more than once, acknowledged or not
	notDoneFound                int // said not to be carried out, and in the table
}

// judge compares what was said of the writes with the rows that each number has in the table.
func judge(writes []write, rows map[int64]int) fates {
	var f fates
	for _, w := range writes {
		n := rows[w.number]
		if n > 1 {
			f.twice++
		}
		if w.err == nil {
			f.acknowledged++
			if n == 0 {
				f.lost++
			}
			continue
		}
		f.failed++
		if n > 0 {
			f.failedFound++
		}
		switch saidBy(w.err) {
		case saidNotDone:
			f.notDone++
			if n > 0 {
				f.notDoneFound++
			}
		case saidUncertain:
			f.uncertain++
		case saidNothing:
			f.nothing++
		}
	}
	return f
}

func (f *fates) add(g fates) {
	f.acknowledged += g.acknowledged
	f.failed += g.failed
	f.notDone += g.notDone
	f.uncertain += g.uncertain
	f.nothing += g.nothing
	f.failedFound += g.failedFound
	f.lost += g.lost
	f.twice += g.twice
	f.notDoneFound += g.notDoneFound
}
