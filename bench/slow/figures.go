package slow

import (
	"slices"
	"time"

	"github.com/bindery-go/bindery/bench/internal/load"
)

// figures are what the reads of one contender in one state took.
type figures struct {
	p50, p99 time.Duration // the median of the rounds
	ratio    float64       // p99 to that of the same round while all were well: the median of the rounds
	worst    time.Duration // of all rounds
	reads    int
	failed   int
	shared   int // the reads among which the patient's share is counted
	patient  int // how many of them the patient answered
}

// settle is how long a replica that is well again is given before its share counts.
const settle = time.Second

// evaluate returns the figures of each state from the reads of one contender.
func evaluate(stages []stage, reads []read) map[state]*figures {
	took := make(map[*stage][]time.Duration)
	all := make(map[state]*figures)
	for _, st := range stages {
		all[st.state] = new(figures)
	}
	for _, r := range reads {
		st := stageOf(stages, r)
		if st == nil {
			continue
		}
		took[st] = append(took[st], r.took)
		all[st.state].count(st, r)
	}
	for s, f := range all {
		f.summarise(stages, s, took)
	}
	return all
}

// count counts a read. Of the replica that is well again it counts what it gets after a while.
func (f *figures) count(st *stage, r read) {
	f.reads++
	f.worst = max(f.worst, r.took)
	if r.from == fromNobody {
		f.failed++
	}
	if st.state == again && r.began < st.from+settle {
		return
	}
	f.shared++
	if r.from == st.patient {
		f.patient++
	}
}

func (f *figures) summarise(stages []stage, s state, took map[*stage][]time.Duration) {
	var p50, p99 []time.Duration
	var ratios []float64
	base := time.Duration(0)
	for i := range stages {
		st := &stages[i]
		slices.Sort(took[st])
		if st.state == well {
			base = load.Percentile(took[st], 0.99)
		}
		if st.state != s || len(took[st]) == 0 {
			continue
		}
		p50 = append(p50, load.Percentile(took[st], 0.5))
		p99 = append(p99, load.Percentile(took[st], 0.99))
		if base > 0 {
			ratios = append(ratios, float64(load.Percentile(took[st], 0.99))/float64(base))
		}
	}
	f.p50, f.p99, f.ratio = load.LowerMedian(p50), load.LowerMedian(p99), load.LowerMedian(ratios)
}
