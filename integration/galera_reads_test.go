package integration_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// What befalls the nodes of a Galera cluster: none is promoted, and one that comes back takes what it missed.
var (
	nodeFaults = []fault{
		readerFault("reader killed"), readerFault("reader restarted"), readerFault("reader frozen"), readerFault("reader's connections cut"),
		{"reader held back", func(ctx context.Context, _ *nemesis, r *rand.Rand, s *integration.Server) error {
			if err := s.PauseReplay(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			hold(ctx, r, 500*time.Millisecond, 2*time.Second)
			return mend(ctx, s.ResumeReplay)
		}},
		{"reader cut off", func(ctx context.Context, _ *nemesis, r *rand.Rand, s *integration.Server) error {
			if err := s.CutOff(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			hold(ctx, r, 2*time.Second, 7*time.Second)
			return mend(ctx, s.Heal)
		}},
		{"reader rebuilt by a donor", func(ctx context.Context, n *nemesis, _ *rand.Rand, s *integration.Server) error {
			return mend(ctx, func(ctx context.Context) error { return s.Rebuild(ctx, n.primary) })
		}},
	}
	writerNodeFaults = []fault{primaryFault("primary killed"), primaryFault("primary restarted"), primaryFault("primary's connections cut"),
		// A connection proves itself when it is made: one to a node that is held back after that shows what it showed then.
		{"writer's address leads to several, one held back", func(ctx context.Context, n *nemesis, r *rand.Rand, s *integration.Server) error {
			n.writer.takeTurns(n.readers[0].Addr(), n.readers[1].Addr(), s.Addr())
			n.writer.cut()
			hold(ctx, r, 300*time.Millisecond, 600*time.Millisecond)
			held := n.readers[r.IntN(len(n.readers))]
			err := held.PauseReplay(context.WithoutCancel(ctx))
			if err == nil {
				hold(ctx, r, 500*time.Millisecond, 1500*time.Millisecond)
				err = mend(ctx, held.ResumeReplay)
			}
			n.writer.takeTurns()
			n.writer.move(s.Addr())
			return err
		}}}
)

func readerFault(name string) fault  { return named(readerFaults, name) }
func primaryFault(name string) fault { return named(primaryFaults, name) }

func named(faults []fault, name string) fault {
	return faults[slices.IndexFunc(faults, func(f fault) bool { return f.name == name })]
}

// TestHistory_galera is TestHistory on a cluster whose nodes are equals. One fault at a time: two nodes are the quorum.
func TestHistory_galera(t *testing.T) {
	teston.Only(t, teston.Galera)
	s := historyOfPeers(t, integration.StartGalera(t), func(ctx context.Context, n *nemesis) {
		r := rand.New(rand.NewPCG(n.seed, 0))
		for range 4 { // what shows best whether nodes prove what they show; others take long
			hold(ctx, r, 200*time.Millisecond, 600*time.Millisecond)
			n.inflict(ctx, r, named(nodeFaults, "reader held back"))
		}
		n.plague(ctx, 1, slices.Concat(nodeFaults, writerNodeFaults))
	})
	assert.Positive(t, s.inSession.fromReaders.Load(), "reads served by readers")
}

// galeraShop opens a manager on a cluster, with the table of cells.
func galeraShop(t *testing.T) (*manager.DBManager, *integration.Cluster) {
	t.Helper()
	writer, readers, c := clusterURIs(integration.StartGalera(t))
	m := openManager(t, config(map[string]string{"shop": writer}, readers, `policy = "round_robin"`))
	_, err := m.NewCreateTable((*cell)(nil)).Exec(t.Context())
	require.NoError(t, err)
	_, err = m.NewInsert(&cell{ID: 1}).Exec(t.Context())
	require.NoError(t, err)
	return m, c
}

// setCell writes the one cell, and readCell reads it and returns which engine served.
func setCell(ctx context.Context, m *manager.DBManager, v int64) error {
	_, err := m.NewUpdate(&cell{ID: 1, V: v}).Column("v").WherePK().Exec(ctx)
	return err
}

func readCell(ctx context.Context, m *manager.DBManager) (v int64, engine string, err error) {
	ctx, route := router.Explain(ctx)
	row := &cell{ID: 1}
	err = m.NewSelect(row).WherePK().Scan(ctx)
	return row.V, route.Engine(), err
}

// TestGalera_deadWriter reads on while the writer's node is dead, and writes again when it is back.
func TestGalera_deadWriter(t *testing.T) {
	teston.Only(t, teston.Galera)
	m, c := galeraShop(t)
	session := router.NewSession(t.Context())
	require.NoError(t, setCell(session, m, 7))
	require.NoError(t, c.WaitReplayed(t.Context()))
	// For five seconds after a node's death the others prove nothing: what has not been proved before cannot be read back then.
	require.Eventually(t, func() bool {
		_, engine, err := readCell(session, m)
		return err == nil && strings.Contains(engine, "/reader-")
	}, waitFor, tick)
	require.NoError(t, c.Primary.Kill(t.Context()))
	served := map[string]int{}
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for range 60 {
		<-pace.C
		for _, ctx := range []context.Context{session, t.Context(), router.NewSession(t.Context())} {
			v, engine, err := readCell(ctx, m)
			require.NoError(t, err)
			require.EqualValues(t, 7, v, engine)
			served[engine]++
		}
	}
	t.Logf("reads with a dead writer: %v", served)
	assert.Zero(t, served["shop/writer"])
	require.NoError(t, c.Primary.Start(t.Context()))
	require.NoError(t, setCell(session, m, 8))
	v, engine, err := readCell(session, m)
	require.NoError(t, err)
	assert.EqualValues(t, 8, v, engine)
}

// TestGalera_otherWriter resumes a session in a process whose writer is another node.
func TestGalera_otherWriter(t *testing.T) {
	teston.Only(t, teston.Galera)
	m, c := galeraShop(t)
	nodes := []string{c.Primary.URI(), c.Replicas[0].URI(), c.Replicas[1].URI()}
	other := openManager(t, config(map[string]string{"shop": nodes[1]}, []string{nodes[2]}, ""))
	_, _, err := readCell(t.Context(), other)
	require.NoError(t, err)
	stop, served, stale := writeMeanwhile(t, m), map[string]int{}, 0
	for v := range int64(300) {
		session := router.NewSession(t.Context())
		require.NoError(t, setCell(session, m, v))
		token, err := router.SessionFrom(session).Token(session)
		require.NoError(t, err)
		resumed, err := router.ResumeSession(t.Context(), token)
		require.NoError(t, err)
		got, engine, err := readCell(resumed, other)
		require.NoError(t, err)
		served[engine]++
		if got != v {
			stale++
		}
	}
	stop()
	t.Logf("%v", served)
	assert.Zero(t, stale, "stale reads of 300")
}

// writeMeanwhile writes to other rows until stop is called, so that nodes have something to apply.
func writeMeanwhile(t *testing.T, m *manager.DBManager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()
			for n := int64(0); ctx.Err() == nil; n++ {
				<-pace.C
				_, err := m.NewInsert(&cell{ID: int(1000000*int64(i+1) + n)}).Exec(context.WithoutCancel(ctx))
				assert.NoError(t, err)
			}
		})
	}
	return func() { cancel(); running.Wait() }
}

// TestGalera_conflicts counts in transactions on two nodes at once: whoever loses the certification runs again.
func TestGalera_conflicts(t *testing.T) {
	teston.Only(t, teston.Galera)
	m, c := galeraShop(t)
	other := openManager(t, config(map[string]string{"shop": c.Replicas[0].URI()}, nil, ""))
	var runs [2]int
	var running sync.WaitGroup
	for i, m := range []*manager.DBManager{m, other} {
		running.Go(func() {
			for range 100 {
				err := m.InTx(t.Context(), shop{}, func(ctx context.Context) error {
					runs[i]++
					_, err := m.NewUpdate((*cell)(nil)).Set("n = n + 1").Where("id = 1").Exec(ctx)
					return err
				}, manager.Retry(50))
				assert.NoError(t, err)
			}
		})
	}
	running.Wait()
	require.NoError(t, c.WaitReplayed(t.Context())) // a process need not see at once what another one counted
	for _, m := range []*manager.DBManager{m, other} {
		row := &cell{ID: 1}
		require.NoError(t, m.NewSelect(row).WherePK().Scan(t.Context()))
		assert.EqualValues(t, 200, row.N, "each counted once")
	}
	t.Logf("transactions run for 100 each: %v", runs)
	assert.Greater(t, runs[0]+runs[1], 200, "some had a conflict")
}

// TestCheck_galera looks at nodes that are well, cut off, and not synced.
func TestCheck_galera(t *testing.T) {
	teston.Only(t, teston.Galera)
	m, c := galeraShop(t)
	ctx := t.Context()
	well := m.Check(ctx)
	require.NoError(t, well.Err())
	showReport(t, "galera", well)
	for _, engine := range []string{"shop/writer", "shop/reader-1", "shop/reader-2"} {
		e := engineOf(t, well, engine)
		assert.Equal(t, manager.Node, e.State)
		assert.Equal(t, manager.Proved, e.Freshness)
	}
	assert.True(t, engineOf(t, well, "shop/reader-1").Serving)

	require.NoError(t, c.Replicas[0].Exec(ctx, "SET GLOBAL wsrep_desync = 1"))
	var donor *manager.Report
	require.Eventually(t, func() bool {
		donor = m.Check(ctx)
		e := engineOf(t, donor, "shop/reader-1")
		return e.Freshness == manager.Unproved && !e.Serving
	}, waitFor, tick)
	require.NoError(t, donor.Err(), "its reads go elsewhere")
	assert.ErrorContains(t, engineOf(t, donor, "shop/reader-1").Doubt, "wsrep_local_state = 2")
	showReport(t, "galera, a node that is not synced", donor)
	require.NoError(t, c.Replicas[0].Exec(ctx, "SET GLOBAL wsrep_desync = 0"))

	require.NoError(t, c.Replicas[1].CutOff(ctx))
	var cut *manager.Report
	require.Eventually(t, func() bool {
		cut = m.Check(ctx)
		err := engineOf(t, cut, "shop/reader-2").Err
		return err != nil && strings.Contains(err.Error(), "primary component")
	}, 3*waitFor, tick)
	showReport(t, "galera, a node that has lost the others", cut)
	require.NoError(t, c.Replicas[1].Heal(ctx))
	require.Eventually(t, func() bool { return m.Check(ctx).Err() == nil }, waitFor, tick)

	same := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, []string{c.Primary.URI()}, ""))
	assert.ErrorContains(t, same.Check(ctx).Err(), "its node is the writer's own")
}
