package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// onServers runs a test on each kind of server, with a manager on a primary and two readers.
func onServers(t *testing.T, settings string, test func(t *testing.T, s *stage), opts ...integration.Option) {
	t.Helper()
	onKinds(t, replicated, settings, test, opts...)
}

// onKinds is [onServers] on some kinds of servers alone, for a test of what is only theirs.
func onKinds(t *testing.T, kinds []string, settings string, test func(t *testing.T, s *stage), opts ...integration.Option) {
	t.Helper()
	teston.Only(t, kinds...)
	starts := clusters(kinds...)
	for _, name := range slices.Sorted(maps.Keys(starts)) {
		t.Run(name, func(t *testing.T) {
			writer, readers, c := clusterURIs(starts[name](t, opts...))
			log := new(testlog.Buffer)
			m := openManager(t, config(map[string]string{"shop": writer}, readers, settings),
				manager.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
			bind, err := m.Bind(shop{})
			require.NoError(t, err)
			s := &stage{kind: name, cluster: c, m: m, bind: bind, log: log}
			_, err = m.NewCreateTable((*cell)(nil)).Exec(t.Context())
			require.NoError(t, err)
			_, err = m.NewInsert(&cell{ID: 1}).Exec(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.WaitReplayed(t.Context()))
			s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
			test(t, s)
		})
	}
}

// A stage is a cluster with a manager on it and a table with one row.
type stage struct {
	kind    string // of the servers
	cluster *integration.Cluster
	m       *manager.DBManager
	bind    *manager.Bind
	log     *testlog.Buffer
}

// awaitLog waits until the manager has logged text.
func (s *stage) awaitLog(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), text) }, waitFor, tick, text)
}

// errBroken is the end of a read whose rows had begun to arrive: the caller may have used them, so
// that nobody can read them again for it.
var errBroken = errors.New("broken while its rows arrived")

// read reads the row, and returns who served it.
func (s *stage) read(ctx context.Context) (cell, string, error) {
	ctx, route := router.Explain(ctx)
	var c cell
	rows, err := s.m.NewSelect((*cell)(nil)).Where("id = 1").Rows(ctx)
	if err != nil {
		return c, route.Engine(), err
	}
	defer func() { _ = rows.Close() }() // what goes wrong is rows.Err
	for rows.Next() {
		if err := s.bind.DB().ScanRow(ctx, rows, &c); err != nil {
			return c, route.Engine(), err
		}
	}
	if err := rows.Err(); err != nil {
		return c, route.Engine(), errors.Join(errBroken, err)
	}
	return c, route.Engine(), nil
}

func (s *stage) write(ctx context.Context) error {
	_, err := s.m.NewUpdate((*cell)(nil)).Set("v = v + 1").Where("id = 1").Exec(ctx)
	return err
}

// awaitReaders waits until the readers serve, and nobody else does.
func (s *stage) awaitReaders(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		seen := make(map[string]bool)
		for range 16 {
			_, engine, err := s.read(t.Context())
			if err != nil || !slices.Contains(want, engine) {
				return false
			}
			seen[engine] = true
		}
		return len(seen) == len(want)
	}, waitFor, tick, "served by %v", want)
}

// A load is goroutines that read until they are stopped.
type load struct {
	reads, failed, broken, fromWriter atomic.Int64

	mu      sync.Mutex // guards the rest
	longest time.Duration
	errs    []error

	stop    context.CancelFunc
	running sync.WaitGroup
}

// readers of a load: enough that each fault meets statements under way.
const loaders = 8

func (s *stage) load(t *testing.T) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop}
	for range loaders {
		l.running.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
				began := time.Now()
				_, engine, err := s.read(context.Background())
				l.note(time.Since(began), engine, err)
			}
		})
	}
	t.Cleanup(l.end)
	l.await(t, 200)
	return l
}

func (l *load) note(took time.Duration, engine string, err error) {
	l.reads.Add(1)
	if strings.HasSuffix(engine, "/writer") {
		l.fromWriter.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, took)
	switch {
	case errors.Is(err, errBroken):
		l.broken.Add(1)
	case err != nil:
		l.failed.Add(1)
		l.errs = append(l.errs, err)
	}
}

// await waits for n more reads.
func (l *load) await(t *testing.T, n int64) {
	t.Helper()
	until := l.reads.Load() + n
	require.Eventually(t, func() bool { return l.reads.Load() >= until }, 30*time.Second, tick)
}

// end stops the reading and waits for it.
func (l *load) end() {
	l.stop()
	l.running.Wait()
}

// TestOneOfTwoReadersKilled kills a reader under load, again and again: no read fails.
func TestOneOfTwoReadersKilled(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		l := s.load(t)
		const kills = 3
		for i := range kills {
			victim := s.cluster.Replicas[i%2]
			require.NoError(t, victim.Kill(t.Context()))
			l.await(t, 300)
			require.NoError(t, victim.Start(t.Context()))
			s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		}
		l.end()
		assert.Zero(t, l.failed.Load(), "failed reads: %v", errors.Join(l.errs...))
		assert.LessOrEqual(t, l.broken.Load(), int64(kills), "reads that broke while their rows arrived")
		t.Logf("%d kills, %d reads, %d failed, %d broken while their rows arrived, %d on the writer, the longest %v",
			kills, l.reads.Load(), l.failed.Load(), l.broken.Load(), l.fromWriter.Load(), l.longest)
	})
}

// TestReadEndedBeforeItsFirstRow ends the session of a read that still computes: nobody has seen anything of its result,
// so it is read elsewhere.
func TestReadEndedBeforeItsFirstRow(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		query, running := "SELECT id FROM cells, pg_sleep(1.5) WHERE id = 1",
			"SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active' AND query LIKE '%pg_sleep(1.5)%'"
		if inMySQLFamily(s.cluster.Primary.URI()) {
			query, running = "SELECT id FROM cells WHERE id = 1 AND SLEEP(1.5) = 0",
				"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND INFO LIKE '%SLEEP(1.5)%'"
		}
		ctx, route := router.Explain(t.Context())
		ended := make(chan error, 1)
		go func() {
			var id int64
			ended <- s.m.NewRaw(shop{}, query).Scan(ctx, &id)
		}()
		var first *integration.Server
		require.Eventually(t, func() bool {
			for _, r := range s.cluster.Replicas {
				if n, err := r.QueryString(t.Context(), running); err == nil && n == "1" {
					first = r
					return true
				}
			}
			return false
		}, waitFor, tick)
		s.terminate(t, first)
		require.NoError(t, <-ended)
		engine := map[*integration.Server]string{s.cluster.Replicas[0]: "shop/reader-1", s.cluster.Replicas[1]: "shop/reader-2"}
		assert.NotEqual(t, engine[first], route.Engine())
		assert.Contains(t, slices.Collect(maps.Values(engine)), route.Engine(), "the other reader")
	})
}

// TestOneReaderFrozen stops a reader's processes under load: its reads move when the probe has
// timed out, those under way too.
func TestOneReaderFrozen(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		l := s.load(t)
		require.NoError(t, s.cluster.Replicas[0].Freeze())
		s.awaitLog(t, `msg="reader is down: its reads go elsewhere" engine=shop/reader-1`)
		s.awaitReaders(t, "shop/reader-2")
		l.await(t, 500)
		require.NoError(t, s.cluster.Replicas[0].Thaw())
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		l.end()
		assert.Zero(t, l.failed.Load(), "failed reads: %v", errors.Join(l.errs...))
		const probeTimeout, slack = time.Second, 2 * time.Second
		assert.Less(t, l.longest, probeTimeout+slack)
		t.Logf("%d reads, %d failed, %d on the writer, the longest %v with a probe timeout of %v",
			l.reads.Load(), l.failed.Load(), l.fromWriter.Load(), l.longest, probeTimeout)
	})
}

// TestAllReadersGone kills both readers under load, and starts them again.
func TestAllReadersGone(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		l := s.load(t)
		for _, r := range s.cluster.Replicas {
			require.NoError(t, r.Kill(t.Context()))
		}
		s.awaitReaders(t, "shop/writer")
		for _, r := range s.cluster.Replicas {
			require.NoError(t, r.Start(t.Context()))
		}
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		l.end()
		assert.Zero(t, l.failed.Load(), "failed reads: %v", errors.Join(l.errs...))
		assert.Positive(t, s.bind.Stats().ToWriter, "the fallback is counted")
	})
}

// TestWriterKilled kills the primary: reads go on, writes say what became of them, and with the
// primary the same manager's writes come back.
func TestWriterKilled(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		require.NoError(t, s.write(t.Context()))
		require.NoError(t, s.cluster.WaitReplayed(t.Context()))
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		l := s.load(t)
		require.NoError(t, s.cluster.Primary.Kill(t.Context()))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			err := s.write(ctx)
			cancel()
			var unavailable *router.UnavailableError
			assert.True(t, errors.As(err, &unavailable) || errors.Is(err, router.ErrOutcomeUnknown), "%v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := s.write(ctx)
		require.ErrorIs(t, err, router.ErrNoWriter)
		assertNoPassword(t, err)
		l.await(t, 500)
		l.end()
		assert.Zero(t, l.failed.Load(), "failed reads: %v", errors.Join(l.errs...))

		require.NoError(t, s.cluster.Primary.Start(t.Context()))
		require.NoError(t, s.write(t.Context()), "the first write finds it")
		ctx = router.NewSession(t.Context())
		require.NoError(t, s.write(ctx))
		got, _, err := s.read(ctx)
		require.NoError(t, err)
		assert.EqualValues(t, 3, got.V, "none of the failed writes was carried out")
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
	})
}

// TestReadersRejoinAfterAWrite measures how long reads stay on the writer after a write of the process.
func TestReadersRejoinAfterAWrite(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		const rounds = 50
		var took []time.Duration
		for i := range rounds {
			require.NoError(t, s.write(t.Context()))
			written := time.Now()
			for {
				got, engine, err := s.read(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, i+1, got.V, "on %s", engine)
				if strings.Contains(engine, "/reader-") {
					break
				}
				require.Less(t, time.Since(written), waitFor, "write %d is read from the writer alone", i)
			}
			took = append(took, time.Since(written))
		}
		slices.Sort(took)
		t.Logf("readers rejoin after a write: median %v, p90 %v, worst %v of %d", took[rounds/2], took[rounds*9/10], took[rounds-1], rounds)
	})
}

// TestASessionThatReadsOnRejoins measures how long a session stays on the writer that reads without a
// pause after a write.
func TestASessionThatReadsOnRejoins(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		const rounds = 20
		var took []time.Duration
		for i := range rounds {
			ctx := router.NewSession(t.Context())
			require.NoError(t, s.write(ctx))
			written := time.Now()
			for {
				got, engine, err := s.read(ctx)
				require.NoError(t, err)
				require.EqualValues(t, i+1, got.V, "on %s", engine)
				if strings.Contains(engine, "/reader-") {
					break
				}
				require.Less(t, time.Since(written), waitFor, "session %d reads from the writer alone", i)
			}
			took = append(took, time.Since(written))
		}
		slices.Sort(took)
		t.Logf("a session that reads on is back on a reader: median %v, worst %v of %d", took[rounds/2], took[rounds-1], rounds)
	})
}

// TestAReadersAddressMoves lets a reader's address lead to another replica while the one of before
// stays up with connections of the pool to it, and stands still.
func TestAReadersAddressMoves(t *testing.T) {
	starts := servers(t)
	for _, name := range slices.Sorted(maps.Keys(starts)) {
		t.Run(name, func(t *testing.T) {
			c := starts[name](t)
			address := newForwarder(t, c.Replicas[0].Addr())
			m := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, []string{address.uri(c.Replicas[0])}, ""))
			bind, err := m.Bind(shop{})
			require.NoError(t, err)
			s := &stage{cluster: c, m: m, bind: bind}
			_, err = m.NewCreateTable((*cell)(nil)).Exec(t.Context())
			require.NoError(t, err)
			_, err = m.NewInsert(&cell{ID: 1}).Exec(t.Context())
			require.NoError(t, err)
			s.awaitReaders(t, "shop/reader-1")
			hold := func(n int) { // has n connections made, of which the pool keeps some
				var conns []*sql.Conn
				for range n {
					conn, err := bind.ReaderEngines()[0].DB().Conn(t.Context())
					if err == nil { // one that finds a stranger is refused
						conns = append(conns, conn)
					}
				}
				for _, conn := range conns {
					require.NoError(t, conn.Close())
				}
			}
			hold(4)

			address.lead(c.Replicas[1].Addr())
			require.NoError(t, c.Replicas[0].PauseReplay(t.Context()))
			hold(8)
			for i := range 20 {
				require.NoError(t, s.write(t.Context()))
				require.Eventually(t, func() bool {
					got, engine, err := s.read(t.Context())
					require.NoError(t, err)
					require.EqualValues(t, i+1, got.V, "on %s", engine)
					return engine == "shop/reader-1"
				}, waitFor, time.Millisecond, "the replica at the new address serves")
			}
			require.NoError(t, c.Replicas[0].ResumeReplay(t.Context()))
		})
	}
}

// TestFaultsLeaveNothing compares goroutines and connections before and after many faults.
func TestFaultsLeaveNothing(t *testing.T) {
	onServers(t, "pool = { max_idle = 2 }", func(t *testing.T, s *stage) {
		connections := func() int {
			query := "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'app'"
			if inMySQLFamily(s.cluster.Primary.URI()) {
				query = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'"
			}
			var all int
			for _, server := range append(slices.Clone(s.cluster.Replicas), s.cluster.Primary) {
				text, err := server.QueryString(t.Context(), query)
				require.NoError(t, err)
				n, err := strconv.Atoi(text)
				require.NoError(t, err)
				all += n
			}
			return all
		}
		// What a bind keeps: for each engine a prober's connection and two idle ones.
		const kept = 3 * (1 + 2)
		round := func() {
			l := s.load(t)
			l.await(t, 50)
			l.end()
		}
		round()
		require.Eventually(t, func() bool { return connections() <= kept }, waitFor, tick)
		before := runtime.NumGoroutine()

		l := s.load(t)
		const cuts = 40
		for i := range cuts { // each ends all connections of a server
			s.terminate(t, append(slices.Clone(s.cluster.Replicas), s.cluster.Primary)[i%3])
			l.await(t, 20)
		}
		require.NoError(t, s.cluster.Replicas[0].Restart(t.Context()))
		require.NoError(t, s.cluster.Replicas[1].Freeze())
		s.awaitLog(t, `msg="reader is down: its reads go elsewhere" engine=shop/reader-2`)
		s.awaitReaders(t, "shop/reader-1")
		require.NoError(t, s.cluster.Replicas[1].Thaw())
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		l.end()
		assert.Zero(t, l.failed.Load(), "failed reads: %v", errors.Join(l.errs...))
		assert.LessOrEqual(t, l.broken.Load(), int64(cuts), "reads that broke while their rows arrived")
		round()
		assert.Eventually(t, func() bool { return connections() <= kept }, waitFor, tick, "connections stay open")
		// A connection of a PostgreSQL or MariaDB driver may have a goroutine of its own, or two.
		assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2*kept }, waitFor, tick, "goroutines stay behind")
		t.Logf("%d terminations, a restart and a freeze under %d reads, %d of them broken while their rows arrived: %d connections (at most %d), goroutines %d → %d",
			cuts, l.reads.Load(), l.broken.Load(), connections(), kept, before, runtime.NumGoroutine())
	})
}

// terminate ends all connections of the application to a server.
func (s *stage) terminate(t *testing.T, server *integration.Server) {
	t.Helper()
	if server.Version().Product == "MySQL" { // it has no statement for all sessions of an account
		s.terminateMySQL(t, server)
		return
	}
	if !inMySQLFamily(server.URI()) {
		require.NoError(t, server.Exec(t.Context(),
			"DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'; END $$"))
		return
	}
	require.NoError(t, server.Exec(t.Context(), "KILL CONNECTION USER app"))
}

func (s *stage) terminateMySQL(t *testing.T, server *integration.Server) {
	t.Helper()
	ids, err := server.QueryString(t.Context(), "SELECT COALESCE(GROUP_CONCAT(id), '') FROM performance_schema.processlist WHERE user = 'app'")
	require.NoError(t, err)
	for id := range strings.SplitSeq(ids, ",") {
		if id == "" {
			continue
		}
		if err := server.Exec(t.Context(), "KILL CONNECTION "+id); err != nil {
			require.ErrorContains(t, err, "1094", "it ended by itself")
		}
	}
}
