// Package faults measures what a library's users see when a database server is killed, restarted or
// hangs while they read and write.
package faults

import (
	"context"
	"errors"
	"fmt"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// Run has each fault befall a cluster of PostgreSQL and one of MariaDB that all libraries use at the
// same time.
func Run(ctx context.Context, r *report.Run) (*report.Section, error) {
	p := planFor(r)
	var outcomes []*outcome
	var versions []string
	for _, sys := range systems {
		found, version, err := measure(ctx, r, sys, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sys.name, err)
		}
		outcomes = append(outcomes, found...)
		versions = append(versions, sys.name+" "+version)
	}
	return section(p, versions, outcomes), nil
}

// measure returns the outcome of each fault on one kind of servers, and their version.
func measure(ctx context.Context, r *report.Run, sys *system, p *plan) (outcomes []*outcome, version string, err error) {
	s, err := sys.open(ctx)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, f := range faults {
		outcomes = append(outcomes, &outcome{servers: s.name, fault: f, order: s.contenders, tallies: map[*contender]*tally{}})
	}
	for number := range p.rounds * len(faults) {
		o := outcomes[number%len(faults)]
		r.Printf("faults: %s: %s", s.name, o.fault.name)
		tallies, err := (&run{fault: o.fault, servers: s, plan: p, round: number / len(faults), number: number}).do(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", o.fault.name, err)
		}
		o.add(tallies)
	}
	return outcomes, s.version, nil
}
