// Package routing measures what a library's routing costs: what a statement takes of the library with
// replicas more than of its own form without, over servers that do no work.
package routing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/paired"
	"github.com/bindery-go/bindery/bench/internal/report"
)

const (
	// replicas is how many the routing forms choose among.
	replicas = 2
	// crowd is how many goroutines there are where there is not one.
	crowd = 8
)

// plan says how long to measure.
type plan struct {
	rounds int
	turn   time.Duration
	inTx   time.Duration // a turn in one transaction, whose begin and end must not count
}

func planOf(r *report.Run) plan {
	if r.Quick {
		return plan{rounds: 8, turn: 2 * time.Millisecond, inTx: 2 * time.Millisecond}
	}
	return plan{rounds: 240, turn: 3 * time.Millisecond, inTx: 10 * time.Millisecond}
}

// measured is one operation on one goroutine and on several.
type measured struct {
	operation
	alone, crowded *paired.Result
	strays         uint64 // reads of bindery that no replica served
}

// Run measures everything.
func Run(ctx context.Context, r *report.Run) (_ *report.Section, err error) {
	c, err := openAll(ctx, noop.New(replicas))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	p := planOf(r)
	var all []measured
	for _, op := range operations {
		m, err := p.measure(ctx, r, c, op)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op.name, err)
		}
		all = append(all, m)
	}
	return c.section(p, all), nil
}

func (p plan) measure(ctx context.Context, r *report.Run, c *contenders, op operation) (measured, error) {
	r.Printf("routing: %s", op.name)
	m := measured{operation: op}
	for _, way := range []struct {
		goroutines int
		res        **paired.Result
	}{{1, &m.alone}, {crowd, &m.crowded}} {
		if err := c.settle(ctx); err != nil {
			return m, err
		}
		conf := paired.Config{Rounds: p.rounds, Turn: p.turn, Goroutines: way.goroutines}
		if op.inTx {
			conf.Turn = p.inTx
		}
		families, err := c.families(op, way.goroutines)
		if err != nil {
			return m, err
		}
		before := c.bind.Stats().ToWriter
		if *way.res, err = paired.Measure(ctx, conf, families...); err != nil {
			return m, err
		}
		m.strays += c.bind.Stats().ToWriter - before
	}
	return m, nil
}
