package pgbind

import (
	"context"
	"database/sql/driver"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
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

// A login with pg_monitor sees more, and says the same.
func TestProbeAdvice(t *testing.T) {
	w, r := probe(t, open(t, cluster.Primary.URI())), probe(t, openReader(t, cluster.Replicas[0].URI()))
	assert.Empty(t, w.Advice)
	assert.Contains(t, r.Advice, "pg_monitor", "the ordinary login may not see the timeline received")
	monitor := probe(t, openReader(t, cluster.Replicas[0].AdminURI()))
	assert.Empty(t, monitor.Advice)
	assert.Equal(t, r.Server, monitor.Server)
	assert.Equal(t, r.History, monitor.History)
}

// pg_switch_wal leaves the insert position past a header that no record has used yet.
func TestProbeAfterASwitchOfSegments(t *testing.T) {
	for _, commit := range []string{"on", "off"} {
		w, r := open(t, with(t, cluster.Primary.URI(), "synchronous_commit", commit)), openReader(t, cluster.Replicas[0].URI())
		exec(t, w, "CREATE TABLE IF NOT EXISTS probed (writer int, n int)", "INSERT INTO probed VALUES (-1, 1)")
		_, err := admin.ExecContext(t.Context(), "SELECT pg_switch_wal()")
		require.NoError(t, err)
		bindtest.AwaitCovered(t, w, r)
		assert.False(t, probe(t, r).Position.Exceeds(probe(t, w).Position), commit)
	}
}

// The postmaster recovers from the death of one of its processes like from a crash, and stays.
func TestProbedServerIsAnotherAfterAProcessDied(t *testing.T) {
	s := cluster.Replicas[0]
	r := openReader(t, s.URI())
	before := probe(t, r)
	started := value(t, r, "SELECT pg_postmaster_start_time()")
	pid, err := strconv.Atoi(value(t, r, "SELECT pg_backend_pid()"))
	require.NoError(t, err)
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	fresh := openReader(t, s.URI())
	if since(15) {
		require.Eventually(t, func() bool {
			p, err := fresh.Probe(t.Context())
			return err == nil && p.Server != before.Server
		}, 20*time.Second, 5*time.Millisecond)
	} else { // asking is too dear: but every session ended, and a router lets each new one prove itself
		require.Eventually(t, func() bool {
			var now int
			err := r.DB().QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&now)
			return err == nil && now != pid
		}, 20*time.Second, 5*time.Millisecond)
	}
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
	bindtest.AwaitCovered(t, w, monitor)
	assert.Equal(t, "1", value(t, monitor, "SELECT id FROM t"))
	if p := probe(t, plain); p.History != is.History {
		assert.Contains(t, p.Advice, "pg_monitor")
	}
	exec(t, w, "CHECKPOINT")
	bindtest.AwaitCovered(t, w, monitor)
	exec(t, monitor, "CHECKPOINT")
	bindtest.AwaitCovered(t, w, plain)

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
	bindtest.AwaitCovered(t, w, openReader(t, two.URI()))
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
	good := []string{"true", "5432/1/0", "77", "1", "0/28", "", "", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"}
	_, err := readProbe(good)
	require.NoError(t, err)
	for reason, bad := range map[string][]string{
		"too few columns":    good[:8],
		"no server":          {"true", "", "77", "1", "0/28", "", "", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"},
		"no cluster":         {"true", "5432/1/0", "", "1", "0/28", "", "", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"},
		"no timeline":        {"true", "5432/1/0", "77", "", "0/28", "", "", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"},
		"a strange position": {"true", "5432/1/0", "77", "1", "28", "", "", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"},
		"strange sizes":      {"false", "5432/1/0", "77", "1", "0/28", "0", "0", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"},
	} {
		_, err := Driver{}.Probe(t.Context(), func(context.Context, string) ([]string, error) { return bad, nil })
		assert.ErrorContains(t, err, "pgbind: probe: ", reason)
	}
	p, err := readProbe([]string{"true", "5432/1/0", "77", "26", "", "", "", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"})
	require.NoError(t, err)
	assert.Equal(t, "77:26", p.History)
	assert.Equal(t, position(0), p.Position, "nothing replayed since the start")
	p, err = readProbe([]string{"false", "5432/1/0", "77", "0000001A", "0/E002018", "8192", "16777216", "false", "false", "app", "{public}", "", "on", "UTC", "postgres", "english", "7"})
	require.NoError(t, err)
	assert.Equal(t, "77:26", p.History, "a log file's name is hexadecimal")
	assert.Equal(t, position(0xE002000), p.Position)
}

func BenchmarkProbe(b *testing.B) {
	for _, s := range []*integration.Server{cluster.Primary, cluster.Replicas[0]} {
		b.Run(s.Name(), func(b *testing.B) { bindtest.BenchmarkProbe(b, Driver{}, s.URI()) })
	}
}
