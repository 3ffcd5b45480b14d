package main

import (
	"encoding/json"
	"slices"
	"time"
)

// A spread is how times are distributed.
type spread struct{ p50, p99, most time.Duration }

// spreadOf takes the nearest rank: a time that was measured, none between two.
func spreadOf(times []time.Duration) spread {
	if len(times) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(percent int) time.Duration { return sorted[max((len(sorted)*percent+99)/100-1, 0)] }
	return spread{at(50), at(99), sorted[len(sorted)-1]}
}

// MarshalJSON writes seconds.
func (s spread) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
		Max float64 `json:"max"`
	}{s.p50.Seconds(), s.p99.Seconds(), s.most.Seconds()})
}

func (s spread) cells(known bool) []string {
	if !known {
		return []string{"-", "-", "-"}
	}
	return []string{round(s.p50).String(), round(s.p99).String(), round(s.most).String()}
}
