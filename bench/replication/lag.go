package replication

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/proxy"
)

// lagging makes the replicas trail their primary by d, steadily, and returns what undoes it.
//
// PostgreSQL does that by itself. MariaDB's own delay has whole seconds, so its replicas follow the
// primary through a proxy that hands on the stream d later.
func lagging(ctx context.Context, r *peers.Real, d time.Duration) (undo func() error, err error) {
	if r.Cluster.Dialect == dialect.PG {
		delay := func(d time.Duration) error {
			for _, s := range r.Servers.Replicas {
				if err := s.DelayReplay(ctx, d); err != nil {
					return err
				}
			}
			return nil
		}
		return func() error { return delay(0) }, delay(d)
	}
	stream, err := proxy.New(r.Servers.Primary.Addr(), r.Cluster.Dialect)
	if err != nil {
		return nil, err
	}
	stream.Lag(d)
	undo = func() error { return errors.Join(follow(ctx, r, r.Servers.Primary.Addr()), stream.Close()) }
	return undo, follow(ctx, r, stream.Addr())
}

// follow lets MariaDB's replicas reach their primary at addr.
func follow(ctx context.Context, r *peers.Real, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	for _, s := range r.Servers.Replicas {
		err := s.Exec(ctx, "STOP SLAVE; CHANGE MASTER TO MASTER_PORT="+port+", MASTER_USE_GTID=slave_pos; START SLAVE")
		if err != nil {
			return err
		}
	}
	return r.Servers.WaitReplayed(ctx)
}

// A lagMeter measures how long a write takes to show on the replicas, past the proxies that limit them, on
// a row of its own.
type lagMeter struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	lags   []time.Duration
	err    error
}

// lagRow is the key of the meter's row.
const lagRow = -1

func measureLag(ctx context.Context, r *peers.Real, every time.Duration) (*lagMeter, error) {
	var dbs []store
	for _, s := range append(slices.Clone(r.Servers.Replicas), r.Servers.Primary) {
		server, err := peers.RealServer(s, r.Cluster.Dialect, s.Addr())
		if err != nil {
			return nil, err
		}
		db, err := peers.Named("Bun").Open(ctx, peers.Cluster{Dialect: r.Cluster.Dialect, Primary: server}, peers.Options{MaxOpen: 1})
		if err != nil {
			return nil, err
		}
		dbs = append(dbs, db)
	}
	replicas, primary := dbs[:len(dbs)-1], dbs[len(dbs)-1]
	ctx, cancel := context.WithCancel(ctx)
	m := &lagMeter{cancel: cancel}
	m.done.Go(func() {
		m.err = m.run(ctx, primary, replicas, every)
		for _, db := range dbs {
			_ = db.Close()
		}
	})
	return m, nil
}

func (m *lagMeter) run(ctx context.Context, primary store, replicas []store, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for version := time.Now().UnixNano(); ; version++ {
		if err := primary.Update(ctx, peers.Item{ID: lagRow, Version: version}); err != nil {
			return m.unlessStopped(ctx, err)
		}
		start := time.Now()
		for _, r := range replicas {
			if err := await(ctx, r, version); err != nil {
				return m.unlessStopped(ctx, err)
			}
			m.lags = append(m.lags, time.Since(start))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// await polls a replica until it shows the version.
func await(ctx context.Context, replica store, version int64) error {
	for {
		it, err := replica.Get(ctx, lagRow)
		if err != nil || it.Version == version {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Microsecond):
		}
	}
}

func (m *lagMeter) unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("replication: measure the lag: %w", err)
}

// stop returns the lags, sorted.
func (m *lagMeter) stop() ([]time.Duration, error) {
	m.cancel()
	m.done.Wait()
	slices.Sort(m.lags)
	return m.lags, m.err
}
