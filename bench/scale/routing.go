package scale

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/paired"
	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/report"
	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// A scene is a program with so many models and binds, once by itself and once with bindery.
type scene struct {
	models, binds int
	calls         []call
	close         []func() error
}

// A call is a point SELECT of one model, by either way.
type call struct {
	read          reading
	bare, bindery builder
}

// openScene opens a scene over servers that do no work.
func openScene(ctx context.Context, models, binds int) (*scene, error) {
	s := &scene{models: models, binds: binds}
	cluster := noop.New(2).Peers()
	m, err := openManager(ctx, cluster, binds)
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, m.Close)
	dbs := make([]builder, binds)
	for i := range dbs {
		db := bun.NewDB(sql.OpenDB(cluster.Primary.Connect()), m.Binds()[i].WriterEngine().Driver().Dialect())
		s.close = append(s.close, db.Close)
		dbs[i] = func(model any) *bun.SelectQuery { return db.NewSelect().Model(model) }
	}
	for i, r := range thousand()[:models] {
		read := r.plain
		if binds > 1 {
			read = r.bound
		}
		s.calls = append(s.calls, call{read, dbs[i%binds], m.NewSelect})
	}
	return s, s.warm(ctx)
}

// passes are enough for nearly every bind to have connected to both of its readers.
const passes = 10

// warm has every model looked at and every connection made. The scene is closed if it fails.
func (s *scene) warm(ctx context.Context) error {
	for range passes {
		for _, c := range s.calls {
			if err := errors.Join(c.read(ctx, c.bare), c.read(ctx, c.bindery)); err != nil {
				return errors.Join(err, s.end())
			}
		}
	}
	return nil
}

// openManager opens binds on a cluster. Their monitors look once and no more: what they cost is measured
// elsewhere.
func openManager(ctx context.Context, c peers.Cluster, n int) (*manager.DBManager, error) {
	cfg := &manager.Config{Binds: make([]manager.BindConfig, n)}
	for i := range cfg.Binds {
		b := manager.BindConfig{
			Key: keyOf(i), Writer: binds.NewURI(c.Primary.URI),
			Freshness: router.Freshness{MonitorInterval: time.Hour, MaxLag: -1},
		}
		for _, r := range c.Replicas {
			b.Readers = append(b.Readers, manager.ReaderConfig{URI: binds.NewURI(r.URI)})
		}
		cfg.Binds[i] = b
	}
	return manager.New(ctx, cfg, manager.WithDrivers(c.Drivers), manager.WithLogger(slog.New(slog.DiscardHandler)))
}

func (s *scene) end() error {
	var errs []error
	for _, c := range s.close {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// The forms that are compared.
const (
	byBun     = "Bun"
	byBindery = "bindery"
)

// forms are both ways to call, of all models in an order of chance.
func (s *scene) forms(ctx context.Context) []paired.Form {
	order := rand.New(rand.NewPCG(1, 1)).Perm(len(s.calls))
	form := func(name string, by func(*call) builder) paired.Form {
		return paired.Form{Name: name, Run: func(n int) error {
			at := rand.IntN(len(order)) // goroutines begin at different places
			for i := range n {
				c := &s.calls[order[(at+i)%len(order)]]
				if err := c.read(ctx, by(c)); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	return []paired.Form{
		form(byBun, func(c *call) builder { return c.bare }),
		form(byBindery, func(c *call) builder { return c.bindery }),
	}
}

// allocations returns how many allocations bindery adds to a call: the middle of several turns' difference,
// since what Bun takes from its pools differs from turn to turn.
func (s *scene) allocations(ctx context.Context, turns, n int) (float64, error) {
	added := make([]float64, turns)
	for i := range added {
		for j, form := range s.forms(ctx) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := form.Run(n); err != nil {
				return 0, err
			}
			runtime.ReadMemStats(&after)
			each := float64(after.Mallocs-before.Mallocs) / float64(n)
			added[i] += []float64{-each, each}[j]
		}
	}
	slices.Sort(added)
	return added[turns/2], nil
}

// crowd is how many goroutines route at once, besides one alone.
const crowd = 8

// describeRouting measures a point SELECT among one and among many models.
func describeRouting(ctx context.Context, s *report.Section, e effort) error {
	s.About = append(s.About, "Routing: a point SELECT of a model chosen by chance, over a driver that does no work, by Bun on its own DB and by bindery on binds of "+
		"a primary and two replicas, in turns; what bindery adds is the median of the differences within a round, with its quartiles. Many models also cost Bun time: "+
		"their tables do not fit into the processor's caches. With one goroutine it is the thread's own time on the processor, with several the time on the clock divided by all calls.")
	t := s.Table("A routed point SELECT", "what", "Bun", "bindery adds", "quartiles",
		fmt.Sprintf("Bun, %d goroutines", crowd), "bindery adds", "quartiles", "allocations added")
	var most float64 // allocations
	for _, c := range []struct{ models, binds int }{{1, 1}, {e.models, 1}, {e.models, e.models}} {
		row, allocs, err := routed(ctx, c.models, c.binds, e)
		if err != nil {
			return err
		}
		t.Add(row...)
		most = max(most, allocs)
	}
	got := fmt.Sprintf("%.1f", most)
	s.Bar(fmt.Sprintf("Scale: allocations added to a point SELECT, up to %d models and binds", e.models), "0.0", got, got == "0.0")
	return nil
}

// routed measures one scene: a row of the table, and the allocations in it.
func routed(ctx context.Context, models, binds int, e effort) (row []any, allocs float64, err error) {
	scene, err := openScene(ctx, models, binds)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, scene.end()) }()
	row = []any{fmt.Sprintf("models: %d, binds: %d", models, binds)}
	for _, n := range []int{1, crowd} {
		conf := e.paired
		conf.Goroutines = n
		res, err := paired.Measure(ctx, conf, scene.forms(ctx))
		if err != nil {
			return nil, 0, err
		}
		added := res.Added(byBindery, byBun).Nanoseconds
		row = append(row, report.Nanoseconds(res.Cost(byBun).Nanoseconds), report.Nanoseconds(added.Middle),
			report.Nanoseconds(added.Low)+" to "+report.Nanoseconds(added.High))
	}
	allocs, err = scene.allocations(ctx, e.turns, e.calls)
	return append(row, fmt.Sprintf("%.2f", allocs)), allocs, err
}
