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
	for number := range p.rounds * len(faults) {
		f := faults[number%len(faults)]
		r.Printf("faults: %s: %s", s.name, f.name)
		tallies, err := (&run{fault: f, servers: s, plan: p, number: number}).do(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", f.name, err)
		}
		if number < len(faults) {
			outcomes = append(outcomes, &outcome{servers: s.name, fault: f, order: s.contenders, tallies: tallies})
			continue
		}
		for c, t := range tallies {
			outcomes[number%len(faults)].tallies[c].add(t)
		}
	}
	return outcomes, s.version, nil
}
