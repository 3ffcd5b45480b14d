package pgbind

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"database/sql/driver"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
)

func probe(t *testing.T, e *binds.Engine) binds.Probe {
	t.Helper()
	p, err := e.Probe(t.Context())
	require.NoError(t, err)
	return p
}

func openReader(t *testing.T, uri string) *binds.Engine {
	t.Helper()
	return open(t, uri, binds.As(binds.Reader))
}

// covered waits for the reader to cover what the writer has written by now.
func covered(t *testing.T, w, r *binds.Engine) {
	t.Helper()
	at := probe(t, w)
	require.Eventually(t, func() bool {
		p, err := r.Probe(t.Context()) // an error is a connection to a server that was restarted
		return err == nil && p.History == at.History && p.Position.Covers(at.Position)
	}, 20*time.Second, time.Millisecond)
}

func TestProbe(t *testing.T) {
	w, r := open(t, cluster.Primary.URI()), openReader(t, cluster.Replicas[0].URI())
	exec(t, w, "CREATE TABLE IF NOT EXISTS probed (writer int, n int)")
	require.NoError(t, cluster.WaitReplayed(t.Context()))

	var atWriter, atReader binds.Probe
	require.Eventually(t, func() bool {
		atWriter, atReader = probe(t, w), probe(t, r)
		// A primary writes a little by itself now and then.
		return atWriter == probe(t, w) && atReader.Position.Covers(atWriter.Position)
	}, 20*time.Second, time.Millisecond, "nothing was written, and an idle primary is not ahead")
	assert.True(t, atWriter.Primary)
	assert.False(t, atReader.Primary)
	assert.NoError(t, errors.Join(atWriter.Doubt, atReader.Doubt))
	assert.Equal(t, atWriter.History, atReader.History)
	assert.NotEqual(t, atWriter.Server, atReader.Server)
	assert.False(t, atReader.Position.Exceeds(atWriter.Position))

	again, err := Driver{}.ParsePosition(atWriter.Position.String())
	require.NoError(t, err)
	assert.Equal(t, atWriter.Position, again)

	assert.Empty(t, atWriter.Advice)
	assert.Contains(t, atReader.Advice, "pg_monitor", "the ordinary login may not see the timeline received")
	monitor := probe(t, openReader(t, cluster.Replicas[0].AdminURI()))
	assert.Empty(t, monitor.Advice)
	assert.Equal(t, atReader.Server, monitor.Server)
	assert.Equal(t, atReader.History, monitor.History)
	assert.Equal(t, atWriter.Server, probe(t, open(t, cluster.Primary.SocketURI())).Server, "whatever the way to it")
}

// pg_switch_wal leaves the insert position past a header that no record has used yet.
func TestProbeAfterASwitchOfSegments(t *testing.T) {
	for _, commit := range []string{"on", "off"} {
		w, r := open(t, with(t, cluster.Primary.URI(), "synchronous_commit", commit)), openReader(t, cluster.Replicas[0].URI())
		exec(t, w, "CREATE TABLE IF NOT EXISTS probed (writer int, n int)", "INSERT INTO probed VALUES (-1, 1)")
		_, err := admin.ExecContext(t.Context(), "SELECT pg_switch_wal()")
		require.NoError(t, err)
		covered(t, w, r)
		assert.False(t, probe(t, r).Position.Exceeds(probe(t, w).Position), commit)
	}
}

func TestProbeOfAPausedStandby(t *testing.T) {
	w, r := open(t, cluster.Primary.URI()), openReader(t, cluster.Replicas[0].URI())
	exec(t, w, "CREATE TABLE IF NOT EXISTS probed (writer int, n int)")
	covered(t, w, r)
	require.NoError(t, cluster.Replicas[0].PauseReplay(t.Context()))
	exec(t, w, "INSERT INTO probed VALUES (-2, 1)")
	at := probe(t, w)
	received := "SELECT pg_last_wal_receive_lsn() >= '" + at.Position.String() + "'"
	require.Eventually(t, func() bool { return value(t, r, received) == "true" }, 20*time.Second, time.Millisecond)
	assert.False(t, probe(t, r).Position.Covers(at.Position), "received is not replayed")
	require.NoError(t, cluster.Replicas[0].ResumeReplay(t.Context()))
	covered(t, w, r)
	assert.Equal(t, "1", value(t, r, "SELECT n FROM probed WHERE writer = -2"))
	exec(t, w, "DELETE FROM probed WHERE writer = -2")
}

// A probe needs no more than a connection of whatever driver, and leaves it as it was.
func TestProbeOnAnyConnection(t *testing.T) {
	source, err := Driver{}.Open(t.Context(), cluster.Replicas[0].URI())
	require.NoError(t, err)
	for _, role := range []binds.Role{binds.Writer, binds.Reader} {
		for _, c := range []driver.Connector{source.Connector(role), source.(binds.NativeSource).NativeConnector(role)} {
			conn, err := c.Connect(t.Context())
			require.NoError(t, err)
			p, err := Driver{}.Probe(t.Context(), binds.AskConn(conn))
			require.NoError(t, err)
			assert.False(t, p.Primary)
			assert.True(t, conn.(driver.Validator).IsValid())
			assert.NoError(t, conn.(driver.SessionResetter).ResetSession(t.Context()))
			require.NoError(t, conn.Close())
		}
	}
}

// TestProbedFreshness holds the rule to a server: a reader that covers what the writer said after t0
// shows every write acknowledged before t0.
func TestProbedFreshness(t *testing.T) {
	for _, tt := range []struct {
		commit string
		checks int
	}{{"on", 300}, {"off", 12}} {
		t.Run("synchronous_commit="+tt.commit, func(t *testing.T) {
			w := open(t, with(t, cluster.Primary.URI(), "synchronous_commit", tt.commit))
			r := openReader(t, cluster.Replicas[0].URI())
			exec(t, w, "CREATE TABLE IF NOT EXISTS probed (writer int, n int)", "TRUNCATE probed")
			l := startLoad(t, w)
			defer l.stop()
			for range tt.checks {
				l.check(t, w, r)
			}
			t.Logf("%d checks, %v", tt.checks, l)
		})
	}
}

// A load is several sessions that write increasing numbers.
type load struct {
	acknowledged [4]atomic.Int64 // of each session, the last number
	permits      chan struct{}   // to write; they keep replay from falling behind for good
	cancel       func()
	done         sync.WaitGroup
}

func startLoad(t *testing.T, w *binds.Engine) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{permits: make(chan struct{}, 100), cancel: cancel}
	for i := range l.acknowledged {
		exec(t, w, fmt.Sprintf("INSERT INTO probed VALUES (%d, 0)", i))
		l.done.Go(func() {
			for l.permitted(ctx) {
				n := l.acknowledged[i].Load() + 1
				_, err := w.DB().ExecContext(context.Background(), fmt.Sprintf("UPDATE probed SET n = %d WHERE writer = %d", n, i))
				if !assert.NoError(t, err) {
					return
				}
				l.acknowledged[i].Store(n)
			}
		})
	}
	return l
}

func (l *load) permitted(ctx context.Context) bool {
	select {
	case <-l.permits:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *load) permitMore() {
	for {
		select {
		case l.permits <- struct{}{}:
		default:
			return
		}
	}
}

func (l *load) stop() {
	l.cancel()
	l.done.Wait()
}

// check compares what the reader shows once it covers the writer with what was acknowledged before.
func (l *load) check(t *testing.T, w, r *binds.Engine) {
	l.permitMore()
	var before [len(l.acknowledged)]int64
	for i := range before {
		before[i] = l.acknowledged[i].Load()
	}
	covered(t, w, r)
	rows, err := r.DB().QueryContext(t.Context(), "SELECT writer, n FROM probed WHERE writer >= 0")
	require.NoError(t, err)
	defer func() { assert.NoError(t, rows.Close()) }()
	for rows.Next() {
		var i int
		var n int64
		require.NoError(t, rows.Scan(&i, &n))
		require.GreaterOrEqual(t, n, before[i], "writer %d", i)
	}
	require.NoError(t, rows.Err())
}

func (l *load) String() string {
	var n int64
	for i := range l.acknowledged {
		n += l.acknowledged[i].Load()
	}
	return fmt.Sprintf("%d writes", n)
}

func TestProbedServerIsAnotherAfterACrash(t *testing.T) {
	s := cluster.Replicas[0]
	before := probe(t, openReader(t, s.URI()))
	require.NoError(t, s.Kill(t.Context()))
	require.NoError(t, s.Start(t.Context()))
	after := probe(t, openReader(t, s.URI()))
	assert.NotEqual(t, before.Server, after.Server)
	assert.Equal(t, before.History, after.History)

	// One process of it dies: the postmaster recovers from that like from a crash, and stays.
	r := openReader(t, s.URI())
	started := value(t, r, "SELECT pg_postmaster_start_time()")
	pid, err := strconv.Atoi(value(t, r, "SELECT pg_backend_pid()"))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	fresh := openReader(t, s.URI())
	require.Eventually(t, func() bool {
		p, err := fresh.Probe(t.Context())
		return err == nil && p.Server != after.Server
	}, 20*time.Second, 5*time.Millisecond)
	assert.Equal(t, started, value(t, fresh, "SELECT pg_postmaster_start_time()"))
	require.NoError(t, cluster.WaitReplayed(t.Context()))
}

// A promotion begins a timeline, which a standby that follows shows at once to a login with
// pg_monitor and after a restartpoint to any other.
func TestProbeOfAPromotion(t *testing.T) {
	c := integration.StartPostgres(t, 2)
	one, two := c.Replicas[0], c.Replicas[1]
	w := open(t, one.AdminURI())
	plain, monitor := openReader(t, two.URI()), openReader(t, two.AdminURI())
	old := probe(t, open(t, c.Primary.URI()))
	was := probe(t, w)
	require.False(t, was.Primary)
	exec(t, open(t, c.Primary.URI()), "CREATE TABLE t (id int)")
	require.NoError(t, c.WaitReplayed(t.Context()))

	require.NoError(t, c.Primary.Kill(t.Context()))
	require.NoError(t, one.Promote(t.Context()))
	is := probe(t, w)
	assert.True(t, is.Primary)
	assert.Equal(t, was.Server, is.Server, "it was not restarted")
	assert.NotEqual(t, old.History, is.History)
	assert.Equal(t, strings.Split(old.History, ":")[0], strings.Split(is.History, ":")[0], "the same cluster")
	assert.NotEqual(t, is.History, probe(t, monitor).History, "it follows nobody")

	require.NoError(t, two.Follow(t.Context(), one))
	exec(t, w, "INSERT INTO t VALUES (1)")
	covered(t, w, monitor)
	assert.Equal(t, "1", value(t, monitor, "SELECT id FROM t"))
	if p := probe(t, plain); p.History != is.History {
		assert.Contains(t, p.Advice, "pg_monitor")
	}
	exec(t, w, "CHECKPOINT")
	covered(t, w, monitor)
	exec(t, monitor, "CHECKPOINT")
	covered(t, w, plain)

	// It loses its primary: what it says of its timeline is what it wrote down last.
	assert.False(t, probe(t, monitor).Detached)
	require.NoError(t, one.Stop(t.Context()))
	require.Eventually(t, func() bool { return probe(t, monitor).Detached }, 20*time.Second, time.Millisecond)
	require.NoError(t, one.Start(t.Context()))
	require.Eventually(t, func() bool { return !probe(t, monitor).Detached }, 20*time.Second, 10*time.Millisecond)
	w = open(t, one.AdminURI())
	assert.False(t, probe(t, w).Detached, "a primary receives from nobody")

	// The old primary comes back and takes writes that nobody will ever see.
	require.NoError(t, c.Primary.Start(t.Context()))
	assert.Equal(t, old.History, probe(t, open(t, c.Primary.URI())).History)
	assert.Equal(t, is.History, probe(t, plain).History)
}

// By its position alone the diverged standby looks fresh: it holds rows that the new primary never had.
func TestProbeOfADivergedStandby(t *testing.T) {
	c := integration.StartPostgres(t, 2)
	one, two := c.Replicas[0], c.Replicas[1]
	old := open(t, c.Primary.URI())
	exec(t, old, "CREATE TABLE t (id int)")
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, one.Stop(t.Context()))
	exec(t, old, "INSERT INTO t SELECT generate_series(1, 5000)")
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, c.Primary.Kill(t.Context()))
	require.NoError(t, one.Start(t.Context()))
	require.NoError(t, one.Promote(t.Context()))
	w := open(t, one.AdminURI())
	exec(t, w, "INSERT INTO t VALUES (-1)", "CHECKPOINT")

	diverged := func(r *binds.Engine) {
		behind := probe(t, r)
		at := probe(t, w)
		assert.NotEqual(t, at.History, behind.History)
		assert.True(t, behind.Position.Exceeds(at.Position))
		assert.Equal(t, "5000", value(t, r, "SELECT count(*) FROM t"))
	}
	for _, uri := range []string{two.URI(), two.AdminURI()} {
		diverged(openReader(t, uri))
	}
	require.NoError(t, two.Follow(t.Context(), one))
	r := openReader(t, two.AdminURI())
	require.Eventually(t, func() bool {
		return strings.Contains(two.Log(), "forked off current database system timeline")
	}, 20*time.Second, 10*time.Millisecond, "it was told whom to follow and cannot")
	diverged(r)

	require.NoError(t, two.Rebuild(t.Context(), one))
	covered(t, w, openReader(t, two.URI()))
}

// A server that withholds a function, or lacks it, has a doubt and is not down.
func TestProbeRefused(t *testing.T) {
	refusal := pgdriver.Error{}
	asked := 0
	w := open(t, cluster.Primary.URI())
	exec(t, open(t, cluster.Primary.AdminURI()), "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
	defer exec(t, open(t, cluster.Primary.AdminURI()), "GRANT EXECUTE ON FUNCTION pg_control_system() TO public")
	p := probe(t, w)
	assert.True(t, p.Primary)
	assert.Nil(t, p.Position)
	assert.NotEmpty(t, p.Server)
	assert.ErrorContains(t, p.Doubt, "GRANT EXECUTE")
	require.ErrorAs(t, p.Doubt, &refusal)
	assert.Equal(t, "42501", refusal.Field('C'))

	_, err := Driver{}.Probe(t.Context(), func(context.Context, string) ([]string, error) {
		asked++
		return nil, driver.ErrBadConn
	})
	assert.ErrorIs(t, err, driver.ErrBadConn)
	assert.Equal(t, 1, asked, "a connection that broke is not asked again")
}

func TestProbeOfSomethingElse(t *testing.T) {
	good := []string{"true", "5432/1/0", "77", "1", "0/28", "", "", "false", "false"}
	_, err := readProbe(good)
	require.NoError(t, err)
	for reason, bad := range map[string][]string{
		"too few columns":    good[:8],
		"no server":          {"true", "", "77", "1", "0/28", "", "", "false", "false"},
		"no cluster":         {"true", "5432/1/0", "", "1", "0/28", "", "", "false", "false"},
		"no timeline":        {"true", "5432/1/0", "77", "", "0/28", "", "", "false", "false"},
		"a strange position": {"true", "5432/1/0", "77", "1", "28", "", "", "false", "false"},
		"strange sizes":      {"false", "5432/1/0", "77", "1", "0/28", "0", "0", "false", "false"},
	} {
		_, err := Driver{}.Probe(t.Context(), func(context.Context, string) ([]string, error) { return bad, nil })
		assert.ErrorContains(t, err, "pgbind: probe: ", reason)
	}
	p, err := readProbe([]string{"true", "5432/1/0", "77", "26", "", "", "", "false", "false"})
	require.NoError(t, err)
	assert.Equal(t, "77:26", p.History)
	assert.Equal(t, position(0), p.Position, "nothing replayed since the start")
	p, err = readProbe([]string{"false", "5432/1/0", "77", "0000001A", "0/E002018", "8192", "16777216", "false", "false"})
	require.NoError(t, err)
	assert.Equal(t, "77:26", p.History, "a log file's name is hexadecimal")
	assert.Equal(t, position(0xE002000), p.Position)
}

func BenchmarkProbe(b *testing.B) {
	for _, s := range []*integration.Server{cluster.Primary, cluster.Replicas[0]} {
		source, err := Driver{}.Open(b.Context(), s.URI())
		require.NoError(b, err)
		conn, err := source.Connector(binds.Writer).Connect(b.Context())
		require.NoError(b, err)
		ask := binds.AskConn(conn)
		b.Run(s.Name()+"/SELECT 1", func(b *testing.B) {
			for b.Loop() {
				if _, err := ask(b.Context(), "SELECT 1"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.Name()+"/probe", func(b *testing.B) {
			for b.Loop() {
				if _, err := (Driver{}).Probe(b.Context(), ask); err != nil {
					b.Fatal(err)
				}
			}
		})
		require.NoError(b, conn.Close())
	}
}
