package integration_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// What befalls the members of a group. One fault at a time: two members are the majority. No write that was acknowledged
// is lost, whoever becomes the primary.
var memberFaults = []fault{
	readerFault("reader killed"), readerFault("reader restarted"), readerFault("reader paused"), readerFault("reader's connections cut"),
	primaryFault("primary's connections cut"), primaryFault("writer's address leads to several"),
	{"primary's role given away", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		at := r.IntN(len(n.readers))
		steps := context.WithoutCancel(ctx)
		if err := n.readers[at].Promote(steps); err != nil {
			return err
		}
		hold(ctx, r, 100*time.Millisecond, time.Second) // nobody has told the addresses yet
		n.hasRole(at)
		return nil
	}},
	{"primary killed, and another elected", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
		steps := context.WithoutCancel(ctx)
		if err := s.Kill(steps); err != nil {
			return err
		}
		at, err := n.elected(steps)
		if err != nil {
			return err
		}
		n.hasRole(at)
		return s.Start(steps)
	}},
}

// hasRole has the writer's address lead to a reader that has become the primary, and the reader's to the former one.
func (n *nemesis) hasRole(at int) {
	old, next := n.primary, n.readers[at]
	n.writer.move(next.Addr())
	n.backs[at].move(old.Addr())
	n.primary, n.readers[at] = next, old
}

// elected waits until a reader's server is the primary, and returns which.
func (n *nemesis) elected(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		for at, s := range n.readers {
			if writable, err := s.QueryString(ctx, "SELECT @@super_read_only = 0"); err == nil && writable == "1" {
				return at, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(tick):
		}
	}
}

// TestHistory_group is TestHistory on a group of MySQL.
func TestHistory_group(t *testing.T) {
	historyOfPeers(t, startGroup(t), func(ctx context.Context, n *nemesis) { n.plague(ctx, 1, memberFaults) })
}

// TestGroup_readersServe compares who serves the reads of the same load, without faults, on a group and on MariaDB: no member is
// lost for being ahead of the primary for a moment.
func TestGroup_readersServe(t *testing.T) {
	teston.Only(t, teston.Group)
	shareOf := func(c *integration.Cluster) float64 {
		s := newSoak(t, c, "")
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		s.run(ctx)
		s.report(t, "none")
		assert.Zero(t, s.history.violated)
		assert.NotContains(t, s.log.String(), "diverged")
		all := s.inSession.reads.Load() + s.outside.reads.Load()
		return float64(s.inSession.fromReaders.Load()+s.outside.fromReaders.Load()) / float64(all)
	}
	group, mariaDB := shareOf(startGroup(t)), shareOf(integration.StartMariaDB(t, 2))
	t.Logf("reads from readers: %.1f %% on the group, %.1f %% on MariaDB", 100*group, 100*mariaDB)
	assert.Greater(t, group, 0.9*mariaDB)
}
