package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/manager"
)

// How long the histories of one kind of server take, unless BINDERY_SOAK_MINUTES says how long those
// of all kinds shall.
const soakTime = 28 * time.Second

func soakFor(t *testing.T) time.Duration {
	t.Helper()
	return soakPart(t, 2*len(servers(t)))
}

// soakAlone is for the one history of a kind of server that has no other.
func soakAlone(t *testing.T) time.Duration {
	t.Helper()
	return soakPart(t, 1)
}

func soakPart(t *testing.T, parts int) time.Duration {
	t.Helper()
	text := os.Getenv("BINDERY_SOAK_MINUTES")
	if text == "" {
		return soakTime
	}
	minutes, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err, "BINDERY_SOAK_MINUTES")
	return time.Duration(minutes * float64(time.Minute) / float64(parts))
}

// soakSeed returns the seed of BINDERY_SOAK_SEED, or a new one.
func soakSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("BINDERY_SOAK_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "BINDERY_SOAK_SEED")
	return seed
}

// TestHistory lets many sessions write and read through a manager while servers are delayed, paused,
// killed, frozen, restarted and promoted, and checks what each session saw.
func TestHistory(t *testing.T) { eachHistory(t, nil) }

// TestHistory_syncReplication is the same where each commit waits for a replica, which may show it before its
// primary does.
// It takes as long as that one, and so runs by make soak and in the matrix alone.
func TestHistory_syncReplication(t *testing.T) {
	if os.Getenv("BINDERY_SOAK_MINUTES") == "" {
		t.Skip("make soak runs it")
	}
	eachHistory(t, []fault{commitsWait, commitsWait}, integration.WithSyncReplication(1))
}

// eachHistory has readers suffer more, besides what they always do.
func eachHistory(t *testing.T, more []fault, opts ...integration.Option) {
	t.Helper()
	starts := servers(t)
	for _, name := range slices.Sorted(maps.Keys(starts)) {
		t.Run(name, func(t *testing.T) {
			s := newSoak(t, starts[name](t, opts...), "")
			n := s.nemesis()
			n.more = more
			ctx, stop := context.WithTimeout(t.Context(), soakFor(t))
			defer stop()
			var running sync.WaitGroup
			running.Go(func() { s.run(ctx) })
			running.Go(func() { n.run(ctx) })
			running.Wait()
			require.NoError(t, n.settle(t.Context()))
			held, err := s.held(t.Context(), n.primary)
			require.NoError(t, err)
			s.history.final(held)
			s.report(t, n.inflicted())

			assert.Zero(t, s.history.violated, "violations")
			assert.Empty(t, s.unexplained, "errors that no fault explains")
			assert.LessOrEqual(t, s.errors[cutOffInScan], 2, cutOffInScan)
			assert.Positive(t, s.inSession.fromReaders.Load(), "reads served by readers")
			assert.Less(t, s.longest, opTimeout, "the longest read")
			if t.Failed() {
				t.Log("what the manager logged:\n" + s.log.String())
			}
		})
	}
}

// TestHistory_findsStaleReads is the proof that the checker can fail: the same work without
// sessions, and with read_your_writes off, breaks their promises at once.
func TestHistory_findsStaleReads(t *testing.T) {
	starts := servers(t)
	for _, name := range slices.Sorted(maps.Keys(starts)) {
		t.Run(name, func(t *testing.T) {
			s := newSoak(t, starts[name](t), "read_your_writes = \"off\"\nmax_lag = \"off\"")
			s.unrouted = true
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			defer stop()
			require.NoError(t, s.cluster.Replicas[0].PauseReplay(t.Context()))
			require.NoError(t, s.cluster.Replicas[1].DelayReplay(t.Context(), 200*time.Millisecond))
			began := time.Now()
			var running sync.WaitGroup
			running.Go(func() { s.run(ctx) })
			require.Eventually(t, func() bool { return s.history.violations10() }, 15*time.Second, tick)
			found := time.Since(began)
			stop()
			running.Wait()
			s.report(t, "reader paused 1, reader delayed 1")
			t.Logf("ten violations after %v, the first: %s", found, s.history.violations[0])
			require.NoError(t, s.cluster.Replicas[0].ResumeReplay(t.Context()))
		})
	}
}

func (h *history) violations10() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.violated >= 10
}

// A soak is a workload on a cluster behind addresses that can be moved.
type soak struct {
	*workload
	cluster *integration.Cluster
	writer  *forwarder
	backs   []*forwarder
	log     *testlog.Buffer
}

func newSoak(t *testing.T, c *integration.Cluster, settings string) *soak {
	t.Helper()
	s := &soak{cluster: c, writer: newForwarder(t, c.Primary.Addr()), log: new(testlog.Buffer)}
	var readers []string
	for _, r := range c.Replicas {
		f := newForwarder(t, r.Addr())
		s.backs = append(s.backs, f)
		readers = append(readers, f.uri(r))
	}
	text := config(map[string]string{"shop": s.writer.uri(c.Primary)}, readers, settings)
	m := openManager(t, text, manager.WithLogger(slog.New(slog.NewTextHandler(s.log, nil))))
	bind, err := m.Bind(shop{})
	require.NoError(t, err)
	s.workload = &workload{m: m, bind: bind, seed: soakSeed(t), workers: 16, writings: slices.Concat(writes, functionWrites)}
	require.NoError(t, s.prepare(t.Context()))
	require.NoError(t, putCell(t.Context(), c.Primary))
	require.NoError(t, c.WaitReplayed(t.Context()))
	t.Logf("replay with BINDERY_SOAK_SEED=%d", s.seed)
	return s
}

// nemesis returns who breaks the cluster.
func (s *soak) nemesis() *nemesis {
	return &nemesis{
		cluster: s.cluster, history: s.history, seed: s.seed, held: s.held,
		primary: s.cluster.Primary, readers: slices.Clone(s.cluster.Replicas), writer: s.writer, backs: s.backs,
	}
}

// held reads the cells on a server itself.
func (s *soak) held(ctx context.Context, server *integration.Server) (map[int]state, error) {
	aggregate := "string_agg(id || ' ' || v || ' ' || n, ',')"
	if inMySQLFamily(server.URI()) {
		aggregate = "GROUP_CONCAT(id, ' ', v, ' ', n)"
	}
	text, err := server.QueryString(ctx, "SELECT "+aggregate+" FROM cells")
	if err != nil {
		return nil, err
	}
	held := make(map[int]state)
	for row := range strings.SplitSeq(text, ",") {
		var id int
		var st state
		if _, err := fmt.Sscan(row, &id, &st.value, &st.writes); err != nil {
			return nil, fmt.Errorf("%q: %w", row, err)
		}
		held[id] = st
	}
	return held, nil
}

// report logs what happened.
func (s *soak) report(t *testing.T, faults string) {
	t.Helper()
	h := s.history
	t.Logf("%d operations: %d reads, %d writes, %d sessions resumed by token",
		s.reads.Load()+s.writes.Load(), s.reads.Load(), s.writes.Load(), s.tokens.Load())
	t.Logf("reads that any engine may serve, from readers: %v in sessions, %v outside of them", &s.inSession, &s.outside)
	t.Logf("faults: %s", faults)
	t.Logf("acknowledged writes that promotions lost: %d", h.lost)
	t.Logf("errors: %v", s.errors)
	t.Logf("longest read: %v, %s", s.longest, s.longestAt)
	t.Logf("router: %+v", s.bind.Stats())
	t.Logf("violations: %d (seed %d)", h.violated, s.seed)
	for _, v := range h.violations {
		t.Log("  " + v)
	}
	for _, e := range s.unexplained {
		t.Log("  unexplained: " + e)
	}
}
