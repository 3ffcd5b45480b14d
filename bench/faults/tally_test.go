package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestCount(t *testing.T) {
	one := count(&traffic{
		reads:  []event{at(20, nil), at(40, nil), at(90, errBroken)},
		writes: []write{{at(30, nil), 1}, {at(60, errBroken), 2}},
		struck: 50 * time.Millisecond, whole: 100 * time.Millisecond,
	}, map[int64]int{1: 1, 2: 1})
	require.Equal(t, ops{done: 3, failed: 1, slowest: 10 * time.Millisecond, gap: 60 * time.Millisecond, calm: 20 * time.Millisecond}, one.reads)
	require.Equal(t, ops{done: 2, failed: 1, slowest: 10 * time.Millisecond, gap: 70 * time.Millisecond, calm: 30 * time.Millisecond}, one.writes)
	require.Equal(t, fates{acknowledged: 1, failed: 1, failedFound: 1, nothing: 1}, one.fates)

	other := count(&traffic{reads: []event{at(10, nil), at(20, errBroken)}, whole: 50 * time.Millisecond}, nil)
	one.add(other)
	require.Equal(t, ops{done: 5, failed: 2, slowest: 10 * time.Millisecond, gap: 60 * time.Millisecond, calm: 20 * time.Millisecond}, one.reads)
	require.Equal(t, map[failure]*examples{
		{"read", otherKind}: {2, "broken"}, {"write", otherKind}: {1, "broken"},
	}, one.failures)
}

func TestReturnedIsTheSlowestOfAllRuns(t *testing.T) {
	sum := &tally{runs: 2, back: []time.Duration{time.Second, 3 * time.Second}}
	require.Equal(t, "after 3.00 s", sum.returned(8*time.Second))
	sum.runs++
	require.Equal(t, "not within 8.00 s", sum.returned(8*time.Second))
}

func TestComeback(t *testing.T) {
	c := &contender{database: "bench1"}
	seen := &traffic{writes: []write{{at(50, nil), 1}, {at(130, errBroken), 2}, {at(160, nil), 3}}}

	primary := &comeback{primary: true, mended: 100 * time.Millisecond}
	took, known := primary.of(c, seen)
	require.True(t, known)
	require.Equal(t, 60*time.Millisecond, took)

	reader := &comeback{mended: 100 * time.Millisecond, reads: map[string]time.Duration{"bench2": time.Second}}
	_, known = reader.of(c, seen)
	require.False(t, known, "somebody else's read")
	reader.reads["bench1"] = 2 * time.Second
	took, known = reader.of(c, seen)
	require.True(t, known)
	require.Equal(t, 2*time.Second, took)
}

// TestCalmMachine keeps the note's figures those of the time before the faults.
func TestCalmMachine(t *testing.T) {
	s := new(report.Section)
	c := &contender{name: inProcess, library: "bindery"}
	o := &outcome{servers: "PostgreSQL", fault: faults[0], order: []*contender{c}, tallies: map[*contender]*tally{
		c: {reads: ops{gap: time.Hour, calm: 7 * time.Millisecond}, writes: ops{gap: time.Hour, calm: 9 * time.Millisecond}},
	}}
	notes(s, planFor(&report.Run{}), []*outcome{o})
	require.Contains(t, s.Notes[0], "7.00 ms without a read and 9.00 ms without a write")
}
