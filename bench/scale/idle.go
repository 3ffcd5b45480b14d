package scale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/proxy"
	"github.com/bindery-go/bindery/bench/internal/report"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/manager"
)

// An idler is a way to use a library, while the statements that it sends unasked are counted.
type idler struct {
	library string
	what    string
	lazy    bool
	reads   int  // before the count
	goesOn  bool // reads every now and then during it, too
}

const (
	neverRead = "opened lazily, never used"
	thenIdle  = "read from, then idle"
)

// idlers are counted on both kinds of servers, and others on PostgreSQL alone: there a ping is a
// statement, on MariaDB it is none.
var (
	idlers = []idler{
		{library: "bindery", what: neverRead, lazy: true},
		{library: "bindery", what: "opened, never used"},
		{library: "bindery", what: thenIdle, lazy: true, reads: 10},
		{library: "bindery", what: "read from 20 times a second", lazy: true, reads: 1, goesOn: true},
	}
	others = []idler{
		{library: "Bun + bunexp", what: thenIdle, reads: 10},
		{library: "gorm + dbresolver", what: thenIdle, reads: 10},
		{library: "xorm EngineGroup", what: thenIdle, reads: 10},
	}
)

// between two reads of an idler that goes on.
const between = 50 * time.Millisecond

// A counted is an idler at work, with proxies of its own.
type counted struct {
	idler
	dialect dialect.Name
	db      peers.DB
	proxies []*proxy.Proxy // the primary's first
	asked   atomic.Int64   // reads that were asked for

	atFirst          [2]int64 // primary, replicas
	primary, replica float64  // statements an hour that were sent unasked
}

// countIdle opens all idlers on the clusters, lets them settle, and counts.
func countIdle(ctx context.Context, clusters []*peers.Real, e effort) (all []*counted, err error) {
	var reading sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		reading.Wait()
		for _, c := range all {
			err = errors.Join(err, c.close())
		}
	}()
	for _, r := range clusters {
		wanted := idlers
		if r.Cluster.Dialect == dialect.PG {
			wanted = slices.Concat(idlers, others)
		}
		for _, i := range wanted {
			c, err := i.open(ctx, r)
			if c != nil {
				all = append(all, c)
			}
			if err != nil {
				return all, fmt.Errorf("scale: open %s on %s: %w", i.library, r.Cluster.Dialect, err)
			}
			if i.goesOn {
				reading.Go(func() { c.readOn(ctx) })
			}
		}
	}
	if err := wait(ctx, e.settle); err != nil {
		return all, err
	}
	for _, c := range all {
		c.begin()
	}
	if err := wait(ctx, e.window); err != nil {
		return all, err
	}
	for _, c := range all {
		c.end(e.window)
	}
	return all, nil
}

// open opens the idler through proxies of its own. What has to be closed is returned also with an error.
func (i idler) open(ctx context.Context, r *peers.Real) (*counted, error) {
	c := &counted{idler: i, dialect: r.Cluster.Dialect}
	cluster := peers.Cluster{Dialect: c.dialect}
	for n, s := range append([]*integration.Server{r.Servers.Primary}, r.Servers.Replicas...) {
		p, err := proxy.New(s.Addr(), c.dialect)
		if err != nil {
			return c, err
		}
		c.proxies = append(c.proxies, p)
		server, err := peers.RealServer(s, c.dialect, p.Addr())
		if err != nil {
			return c, err
		}
		if n == 0 {
			cluster.Primary = server
		} else {
			cluster.Replicas = append(cluster.Replicas, server)
		}
	}
	lazily := func(b *manager.BindConfig) { b.Lazy = i.lazy }
	db, err := peers.Named(i.library).Open(ctx, cluster, peers.Options{Bind: lazily})
	if err != nil {
		return c, err
	}
	c.db = db
	for range i.reads {
		if _, err := db.Get(ctx, 1); err != nil {
			return c, err
		}
	}
	return c, nil
}

// readOn reads every now and then, until ctx ends.
func (c *counted) readOn(ctx context.Context) {
	for tick := time.NewTicker(between); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if _, err := c.db.Get(ctx, 1); err == nil {
			c.asked.Add(1)
		}
	}
}

// sent returns how many statements the primary and the replicas have got.
func (c *counted) sent() (n [2]int64) {
	n[0] = c.proxies[0].Statements()
	for _, p := range c.proxies[1:] {
		n[1] += p.Statements()
	}
	n[1] -= c.asked.Load() // reads that were asked for go there
	return n
}

func (c *counted) begin() { c.atFirst = c.sent() }

func (c *counted) end(window time.Duration) {
	n := c.sent()
	hour := float64(time.Hour) / float64(window)
	c.primary, c.replica = float64(n[0]-c.atFirst[0])*hour, float64(n[1]-c.atFirst[1])*hour
}

func (c *counted) close() error {
	var errs []error
	if c.db != nil {
		errs = append(errs, c.db.Close())
	}
	for _, p := range c.proxies {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// wait lets d pass.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// describeIdling counts what idle binds send to real servers.
func describeIdling(ctx context.Context, s *report.Section, e effort) (err error) {
	clusters, err := startClusters(ctx)
	defer func() {
		for _, c := range clusters {
			err = errors.Join(err, c.Close())
		}
	}()
	if err != nil {
		return err
	}
	all, err := countIdle(ctx, clusters, e)
	if err != nil {
		return err
	}
	s.About = append(s.About, fmt.Sprintf("Idling: statements that a bind, or a library opened once, sends unasked to a primary and its two replicas, counted before real servers for %s, "+
		"%s after the last use, and stated for an hour. The libraries besides bindery are counted on PostgreSQL alone: what they send there as a statement to see whether "+
		"a server is up is none on MariaDB. A bind of bindery's that nobody has read from for a minute rests, and sends far less; these windows do not "+
		"reach that: the router's tests count it, in an hour of fake time.", e.window, e.settle))
	t := s.Table("Statements an hour that nobody asked for, of one bind", "what", "servers", "to the primary", "to both replicas", "in all", "of a thousand binds, a second")
	lazy := 0.0
	for _, c := range all {
		sum := c.primary + c.replica
		t.Add(c.library+", "+c.what, names[c.dialect], whole(c.primary), whole(c.replica), whole(sum), whole(sum*1000/time.Hour.Seconds()))
		if c.what == neverRead {
			lazy += sum
		}
	}
	s.Bar("Scale: statements sent by unused lazy binds", "0", whole(lazy), lazy == 0)
	return nil
}

var names = map[dialect.Name]string{dialect.PG: "PostgreSQL", dialect.MySQL: "MariaDB"}

// startClusters starts both kinds of servers at once. What is running is returned also with an error.
func startClusters(ctx context.Context) ([]*peers.Real, error) {
	kinds := []dialect.Name{dialect.PG, dialect.MySQL}
	started, errs := make([]*peers.Real, len(kinds)), make([]error, len(kinds))
	var wg sync.WaitGroup
	for i, d := range kinds {
		wg.Go(func() {
			if started[i], errs[i] = peers.StartReal(ctx, d, 2); errs[i] == nil {
				errs[i] = started[i].CreateItems(ctx, 10)
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(started, func(r *peers.Real) bool { return r == nil }), errors.Join(errs...)
}

func whole(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }
