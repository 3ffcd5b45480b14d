package mysqlbind_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
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
	bindtest.AwaitCovered(t, w, r)
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
	bindtest.AwaitCovered(t, w, r)
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
	bindtest.AwaitCovered(t, w, r)
	exec(t, admin, "SET GLOBAL read_only = 0")
	defer exec(t, admin, "SET GLOBAL read_only = 1")
	p := probe(t, r)
	assert.True(t, p.Primary, "it accepts writes")
	assert.False(t, p.Position.Covers(probe(t, w).Position))
}

func BenchmarkProbe(b *testing.B) {
	for _, s := range []*integration.Server{cluster.Primary, cluster.Replicas[0]} {
		b.Run(s.Name(), func(b *testing.B) { bindtest.BenchmarkProbe(b, mysqlbind.Driver{}, s.URI()) })
	}
}
