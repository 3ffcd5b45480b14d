package faults

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errBroken = errors.New("broken")

// at is an event of 10 ms that ends at a moment, in milliseconds.
func at(ms int, err error) event {
	end := time.Duration(ms) * time.Millisecond
	return event{began: end - 10*time.Millisecond, ended: end, err: err}
}

func TestGap(t *testing.T) {
	const until = 100 * time.Millisecond
	for name, c := range map[string]struct {
		events []event
		want   int
	}{
		"nothing succeeded":               {[]event{at(50, errBroken)}, 100},
		"the longest is at first":         {[]event{at(60, nil), at(90, nil)}, 60},
		"the longest is at last":          {[]event{at(20, nil), at(40, nil)}, 60},
		"the longest is between":          {[]event{at(80, nil), at(20, nil)}, 60},
		"a failure does not end it":       {[]event{at(20, nil), at(50, errBroken), at(80, nil)}, 60},
		"what comes after does not count": {[]event{at(90, nil), at(300, nil)}, 90},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, time.Duration(c.want)*time.Millisecond, gap(c.events, until))
		})
	}
}

func TestSlowestCountsFailures(t *testing.T) {
	events := []event{at(50, nil), {began: 0, ended: time.Second, err: errBroken}}
	require.Equal(t, time.Second, slowest(events))
	require.Equal(t, 1, failed(events))
}

func TestFirstSince(t *testing.T) {
	events := []event{at(10, nil), at(30, errBroken), at(50, nil), at(40, nil)}
	took, ok := firstSince(events, 20*time.Millisecond)
	require.True(t, ok)
	require.Equal(t, 20*time.Millisecond, took)
	_, ok = firstSince(events, 60*time.Millisecond)
	require.False(t, ok, "nothing succeeded since")
}
