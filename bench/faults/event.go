package faults

import (
	"slices"
	"time"
)

// An event is one operation: when it began and ended, since the load's start, and how.
type event struct {
	began, ended time.Duration
	err          error
}

// A write is the insertion of one row into the journal. No other write has its number.
type write struct {
	event
	number int64
}

// traffic is what one library was asked in one run, and what became of it.
type traffic struct {
	reads  []event
	writes []write
	struck time.Duration // when the fault came
	whole  time.Duration // how long it all took
}

// writeEvents returns the writes without their numbers.
func (t *traffic) writeEvents() []event {
	events := make([]event, len(t.writes))
	for i, w := range t.writes {
		events[i] = w.event
	}
	return events
}

// failed counts the events that are errors.
func failed(events []event) int {
	n := 0
	for _, e := range events {
		if e.err != nil {
			n++
		}
	}
	return n
}

// slowest returns the time that the longest event took, whether or not it failed.
func slowest(events []event) time.Duration {
	var longest time.Duration
	for _, e := range events {
		longest = max(longest, e.ended-e.began)
	}
	return longest
}

// gap returns the longest time without the end of an event that succeeded, from the load's start until
// a moment: both count as such ends.
func gap(events []event, until time.Duration) time.Duration {
	ends := []time.Duration{until}
	for _, e := range events {
		if e.err == nil && e.ended < until {
			ends = append(ends, e.ended)
		}
	}
	slices.Sort(ends)
	var longest, last time.Duration
	for _, end := range ends {
		longest = max(longest, end-last)
		last = end
	}
	return longest
}

// firstSince returns how long after a moment the first event succeeded, and false if none did.
func firstSince(events []event, moment time.Duration) (time.Duration, bool) {
	first, found := time.Duration(0), false
	for _, e := range events {
		if e.err == nil && e.ended >= moment && (!found || e.ended-moment < first) {
			first, found = e.ended-moment, true
		}
	}
	return first, found
}
