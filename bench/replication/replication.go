// Package replication measures reads under replication: how much replicas add, and what a guarantee to
// read one's own writes costs.
package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/report"
	"github.com/bindery-go/bindery/integration"
)

const replicas = 2

func fullPlan() plan {
	return plan{
		workers: 32, rowsEach: 8, capacity: 600, warm: 400 * time.Millisecond, measure: 1400 * time.Millisecond, rounds: 4,
		lag: 75 * time.Millisecond, lagSample: 100 * time.Millisecond,
	}
}

func quickPlan() plan {
	return plan{
		workers: 16, rowsEach: 8, capacity: 600, warm: 100 * time.Millisecond, measure: 250 * time.Millisecond, rounds: 1,
		lag: 75 * time.Millisecond, lagSample: 50 * time.Millisecond,
	}
}

// A setting is a database with replicas that lag a little or much.
type setting struct {
	database string
	dialect  dialect.Name
	lags     bool
	seen     []time.Duration // the lag that was measured, sorted
	turns    [][]turn        // by mode, by round
}

// Run measures reads under replication.
func Run(ctx context.Context, r *report.Run) (*report.Section, error) {
	p := fullPlan()
	if r.Quick {
		p = quickPlan()
	}
	var all []*setting
	for _, database := range []struct {
		name    string
		dialect dialect.Name
	}{{"PostgreSQL", dialect.PG}, {"MariaDB", dialect.MySQL}} {
		prompt := &setting{database: database.name, dialect: database.dialect}
		lagging := &setting{database: database.name, dialect: database.dialect, lags: true}
		if err := onCluster(ctx, r, p, prompt, lagging); err != nil {
			return nil, fmt.Errorf("%s: %w", database.name, err)
		}
		all = append(all, prompt, lagging)
	}
	return section(p, all), nil
}

// onCluster plays settings of one database, one after the other, on one cluster.
func onCluster(ctx context.Context, r *report.Run, p plan, settings ...*setting) (err error) {
	d := settings[0].dialect
	cluster, err := peers.StartReal(ctx, d, replicas, manyConnections(d))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	s := &stage{Real: cluster, ledger: newLedger(p.workers, p.rowsEach), plan: p}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	all, err := openModes(ctx, cluster.Cluster, p.workers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeModes(all)) }()
	for _, setting := range settings {
		r.Printf("  %s", setting.name(p))
		if err := s.play(ctx, setting, all); err != nil {
			return err
		}
	}
	if err := cluster.Servers.WaitReplayed(ctx); err != nil {
		return err
	}
	return s.verify(ctx, all[0].db)
}

// manyConnections makes room for the pools of all modes.
func manyConnections(d dialect.Name) integration.Option {
	if d == dialect.MySQL {
		return integration.WithSetting("max-connections", "400")
	}
	return integration.WithSetting("max_connections", "400")
}

func (s *stage) prepare(ctx context.Context) error {
	if err := s.CreateItems(ctx, s.rows()); err != nil {
		return err
	}
	err := s.Servers.Primary.Exec(ctx, fmt.Sprintf("INSERT INTO items (id, owner, version, name) VALUES (%d, 0, 0, '')", lagRow))
	if err != nil {
		return err
	}
	for _, p := range s.Proxies {
		p.Watch("items")
		p.Limit(s.capacity)
	}
	return s.Servers.WaitReplayed(ctx)
}

// play lets the modes take turns in a setting, in another order each round.
func (s *stage) play(ctx context.Context, set *setting, all []opened) (err error) {
	if set.lags {
		undo, failed := lagging(ctx, s.Real, s.lag)
		if undo != nil {
			defer func() { err = errors.Join(err, undo()) }()
		}
		if failed != nil {
			return failed
		}
	}
	meter, err := measureLag(ctx, s.Real, s.lagSample)
	if err != nil {
		return err
	}
	set.turns = make([][]turn, len(all))
	for round := range s.rounds {
		for i := range all {
			mode := (i + round) % len(all)
			t, failed := s.take(ctx, all[mode])
			if err = failed; err != nil {
				break
			}
			set.turns[mode] = append(set.turns[mode], t)
		}
	}
	var metered error
	set.seen, metered = meter.stop()
	return errors.Join(err, metered)
}
