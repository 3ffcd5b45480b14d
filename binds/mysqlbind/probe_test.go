package mysqlbind_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
)

func probe(t *testing.T, e *binds.Engine) binds.Probe {
	t.Helper()
	p, err := e.Probe(t.Context())
	require.NoError(t, err)
	return p
}

func replica(t *testing.T, uri string) *binds.Engine {
	t.Helper()
	return engine(t, uri, binds.As(binds.Reader))
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
	w, r := writer(t, ""), replica(t, cluster.Replicas[0].URI())
	table(t, w, "probed_once", "n int")
	require.NoError(t, cluster.WaitReplayed(t.Context()))

	atWriter, atReader := probe(t, w), probe(t, r)
	assert.True(t, atWriter.Primary)
	assert.False(t, atReader.Primary)
	assert.NoError(t, errors.Join(atWriter.Doubt, atReader.Doubt))
	assert.Equal(t, atWriter.History, atReader.History)
	assert.NotEqual(t, atWriter.Server, atReader.Server)
	assert.True(t, atReader.Position.Covers(atWriter.Position), "an idle primary is not ahead")
	assert.False(t, atReader.Position.Exceeds(atWriter.Position))
	again, err := mysqlbind.Driver{}.ParsePosition(atWriter.Position.String())
	require.NoError(t, err)
	assert.Equal(t, atWriter.Position, again)
	assert.Equal(t, atWriter.Server, probe(t, engine(t, cluster.Primary.SocketURI())).Server, "whatever the way to it")
}

// The start of a server is the difference of two clocks: it must not waver at a second's end.
func TestProbedServerDoesNotWaver(t *testing.T) {
	w := writer(t, "")
	first := probe(t, w)
	end := time.Now().Add(3 * time.Second)
	n := 0
	for ; time.Now().Before(end); n++ {
		require.Equal(t, first.Server, probe(t, w).Server)
	}
	t.Logf("%d probes", n)
}

func TestProbeOfAPausedReplica(t *testing.T) {
	w, r := writer(t, ""), replica(t, cluster.Replicas[0].URI())
	table(t, w, "probed_paused", "n int")
	covered(t, w, r)
	require.NoError(t, cluster.Replicas[0].PauseReplay(t.Context()))
	exec(t, w, "INSERT INTO probed_paused VALUES (1)")
	at := probe(t, w)
	assert.False(t, probe(t, r).Position.Covers(at.Position))
	require.NoError(t, cluster.Replicas[0].ResumeReplay(t.Context()))
	covered(t, w, r)
	assert.Equal(t, "1", value(t, r, "SELECT n FROM probed_paused"))
}

// A probe needs no more than a connection of whatever driver, and leaves it as it was.
func TestProbeOnAnyConnection(t *testing.T) {
	source, err := mysqlbind.Driver{}.Open(t.Context(), cluster.Replicas[0].URI())
	require.NoError(t, err)
	for _, role := range []binds.Role{binds.Writer, binds.Reader} {
		for _, c := range []driver.Connector{source.Connector(role), source.(binds.NativeSource).NativeConnector(role)} {
			conn, err := c.Connect(t.Context())
			require.NoError(t, err)
			p, err := mysqlbind.Driver{}.Probe(t.Context(), binds.AskConn(conn))
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
	const checks = 300
	for _, threads := range []string{"0", "4"} {
		t.Run("slave_parallel_threads="+threads, func(t *testing.T) {
			parallel(t, threads)
			w, r := writer(t, ""), replica(t, cluster.Replicas[0].URI())
			table(t, w, "probed", "writer int PRIMARY KEY, n int")
			covered(t, w, r)
			l := startLoad(t, w)
			defer l.stop()
			for range checks {
				l.check(t, w, r)
			}
			t.Logf("%d checks, %v", checks, l)
		})
	}
}

func parallel(t *testing.T, threads string) {
	admin := engine(t, cluster.Replicas[0].AdminURI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	exec(t, admin, "STOP SLAVE", "SET GLOBAL slave_parallel_threads = "+threads, "START SLAVE")
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, q := range []string{"STOP SLAVE", "SET GLOBAL slave_parallel_threads = 0", "START SLAVE"} {
			_, err := admin.DB().ExecContext(ctx, q)
			assert.NoError(t, err)
		}
	})
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
	before := probe(t, replica(t, s.URI()))
	require.NoError(t, s.Kill(t.Context()))
	require.NoError(t, s.Start(t.Context()))
	after := probe(t, replica(t, s.URI()))
	assert.NotEqual(t, before.Server, after.Server)
	require.NoError(t, cluster.WaitReplayed(t.Context()))
}

func TestProbeOfAPromotion(t *testing.T) {
	c := integration.StartMariaDB(t, 2)
	one, two := c.Replicas[0], c.Replicas[1]
	old, w, r := engine(t, c.Primary.URI()), engine(t, one.URI()), replica(t, two.URI())
	exec(t, old, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
	require.NoError(t, c.WaitReplayed(t.Context()))
	was, lost := probe(t, w), probe(t, old)
	require.False(t, was.Primary)
	require.NoError(t, c.Primary.Kill(t.Context()))
	require.NoError(t, one.Promote(t.Context()))
	is := probe(t, w)
	assert.True(t, is.Primary)
	assert.Equal(t, was.Server, is.Server, "it was not restarted")
	assert.False(t, is.Position.Covers(lost.Position), "another primary")
	assert.True(t, probe(t, r).Position.Covers(is.Position), "it has all there is")

	require.NoError(t, two.Follow(t.Context(), one))
	exec(t, w, "INSERT INTO t VALUES (2)")
	covered(t, w, r)
	assert.Equal(t, "2", value(t, r, "SELECT MAX(id) FROM t"))
	assert.False(t, probe(t, r).Position.Exceeds(probe(t, w).Position))
}

// By numbers alone the diverged replica looks fresh: it holds rows that the new primary never had.
func TestProbeOfADivergedReplica(t *testing.T) {
	c := integration.StartMariaDB(t, 2)
	one, two := c.Replicas[0], c.Replicas[1]
	old := engine(t, c.Primary.URI())
	exec(t, old, "CREATE TABLE t (id int)")
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, one.Stop(t.Context()))
	for range 10 {
		exec(t, old, "INSERT INTO t VALUES (1)")
	}
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, c.Primary.Kill(t.Context()))
	require.NoError(t, one.Start(t.Context()))
	require.NoError(t, one.Promote(t.Context()))
	w, r := engine(t, one.URI()), replica(t, two.URI())
	assert.True(t, probe(t, r).Position.Exceeds(probe(t, w).Position), "even before the new primary writes")
	exec(t, w, "INSERT INTO t VALUES (2)")

	for n := 1; n < 20; n++ {
		at, behind := probe(t, w), probe(t, r)
		require.False(t, behind.Position.Covers(at.Position), "%v, %v", behind.Position, at.Position)
		require.Equal(t, n <= 10, behind.Position.Exceeds(at.Position), "%v, %v", behind.Position, at.Position)
		exec(t, w, "INSERT INTO t VALUES (2)")
	}
	// Writes of its own, to its own binary log, bring it no further.
	stray, before := engine(t, two.AdminURI()), probe(t, r)
	for range 40 {
		exec(t, stray, "INSERT INTO t VALUES (3)")
	}
	assert.Equal(t, before.Position, probe(t, r).Position)

	require.NoError(t, two.Rebuild(t.Context(), one))
	covered(t, w, r)
	assert.Equal(t, "20", value(t, r, "SELECT COUNT(*) FROM t"))
}

func TestProbeDoubts(t *testing.T) {
	admin := engine(t, cluster.Primary.AdminURI())
	w := writer(t, "")
	exec(t, admin, "SET GLOBAL gtid_strict_mode = 0")
	defer exec(t, admin, "SET GLOBAL gtid_strict_mode = 1")
	p := probe(t, w)
	assert.ErrorContains(t, p.Doubt, "SET GLOBAL gtid_strict_mode = 1")
	assert.Nil(t, p.Position)
	assert.True(t, p.Primary)
}

func TestProbeWithoutABinaryLog(t *testing.T) {
	c := integration.StartMariaDB(t, 0, integration.WithSetting("skip-log-bin", "1"), integration.WithSetting("log-slave-updates", "0"))
	assert.ErrorContains(t, probe(t, engine(t, c.Primary.URI())).Doubt, "log_bin")
}

// A replica that somebody lets write is no reader to rely on.
func TestProbeOfAWritableReplica(t *testing.T) {
	admin := engine(t, cluster.Replicas[0].AdminURI())
	w, r := writer(t, ""), replica(t, cluster.Replicas[0].URI())
	table(t, w, "probed_writable", "n int")
	covered(t, w, r)
	exec(t, admin, "SET GLOBAL read_only = 0")
	defer exec(t, admin, "SET GLOBAL read_only = 1")
	p := probe(t, r)
	assert.True(t, p.Primary, "it accepts writes")
	assert.False(t, p.Position.Covers(probe(t, w).Position))
}

func BenchmarkProbe(b *testing.B) {
	for _, s := range []*integration.Server{cluster.Primary, cluster.Replicas[0]} {
		source, err := mysqlbind.Driver{}.Open(b.Context(), s.URI())
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
				if _, err := (mysqlbind.Driver{}).Probe(b.Context(), ask); err != nil {
					b.Fatal(err)
				}
			}
		})
		require.NoError(b, conn.Close())
	}
}
