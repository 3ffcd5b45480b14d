package faults

import (
	"time"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// A plan says how much is done, and for how long.
type plan struct {
	rounds int // how often each fault befalls the servers
	rate   rate

	before time.Duration // the load alone, at first
	// How long a killed reader, a stopped primary and a frozen reader are away.
	killed, stopped, frozen time.Duration
	after                   time.Duration // the load alone, at last
	patience                time.Duration // how long it is waited for the libraries that do not use a reader again
}

// deadline is what a service might give each request.
const deadline = 5 * time.Second

func planFor(r *report.Run) *plan {
	if r.Quick {
		return &plan{
			rounds: 1, rate: rate{readers: 4, writers: 1, every: 20 * time.Millisecond, deadline: deadline},
			before: 300 * time.Millisecond, killed: 500 * time.Millisecond, stopped: 300 * time.Millisecond, frozen: 500 * time.Millisecond,
			after: time.Second, patience: time.Second,
		}
	}
	return &plan{
		rounds: 2, rate: rate{readers: 8, writers: 2, every: 20 * time.Millisecond, deadline: deadline},
		before: 2 * time.Second, killed: 3 * time.Second, stopped: 2 * time.Second,
		frozen: deadline + 1500*time.Millisecond, // longer than a request may take
		after:  3 * time.Second, patience: 8 * time.Second,
	}
}
