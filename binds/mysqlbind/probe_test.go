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
	"github.com/bindery-go/bindery/internal/teston"
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
	following(t)
	c := teston.StartMySQLFamily(t, 2)
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
	assert.Equal(t, server() == mySQL, is.Position.Covers(lost.Position),
		"a set holds what it holds; MariaDB's log of another primary proves nothing")
	assert.True(t, probe(t, r).Position.Covers(is.Position), "it has all there is")

	require.NoError(t, two.Follow(t.Context(), one))
	exec(t, w, "INSERT INTO t VALUES (2)")
	bindtest.AwaitCovered(t, w, r)
	assert.Equal(t, "2", value(t, r, "SELECT MAX(id) FROM t"))
	assert.False(t, probe(t, r).Position.Exceeds(probe(t, w).Position))
}

// parted is a cluster whose primary is gone, whose first replica is the primary now, and whose second holds ten rows that
// the first never got.
func parted(t *testing.T) *integration.Cluster {
	t.Helper()
	c := teston.StartMySQLFamily(t, 2)
	old := engine(t, c.Primary.URI())
	exec(t, old, "CREATE TABLE t (id int)")
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, c.Replicas[0].Stop(t.Context()))
	for range 10 {
		exec(t, old, "INSERT INTO t VALUES (1)")
	}
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, c.Primary.Kill(t.Context()))
	require.NoError(t, c.Replicas[0].Start(t.Context()))
	require.NoError(t, c.Replicas[0].Promote(t.Context()))
	return c
}

// By numbers alone the diverged replica looks fresh: it holds rows that the new primary never had.
func TestProbeOfADivergedReplica(t *testing.T) {
	following(t)
	c := parted(t)
	one, two := c.Replicas[0], c.Replicas[1]
	w, r := engine(t, one.URI()), replica(t, two.URI())
	assert.True(t, probe(t, r).Position.Exceeds(probe(t, w).Position), "even before the new primary writes")
	exec(t, w, "INSERT INTO t VALUES (2)")

	for n := 1; n < 20; n++ {
		at, behind := probe(t, w), probe(t, r)
		require.False(t, behind.Position.Covers(at.Position), "%v, %v", behind.Position, at.Position)
		require.Equal(t, n <= 10 || server() == mySQL, behind.Position.Exceeds(at.Position), "%v, %v: numbers pass, sets do not",
			behind.Position, at.Position)
		exec(t, w, "INSERT INTO t VALUES (2)")
	}
	// Writes of its own, to its own binary log, bring it no further. MySQL's administrator is stopped by super_read_only.
	stray, before := engine(t, two.AdminURI()), probe(t, r)
	if server() == mySQL {
		exec(t, stray, "SET GLOBAL super_read_only = 0")
	}
	for range 40 {
		exec(t, stray, "INSERT INTO t VALUES (3)")
	}
	if server() == mariaDB {
		assert.Equal(t, before.Position, probe(t, r).Position)
	}
	assert.False(t, probe(t, r).Position.Covers(probe(t, w).Position))
	assert.True(t, server() == mariaDB || probe(t, r).Position.Exceeds(probe(t, w).Position))

	require.NoError(t, two.Rebuild(t.Context(), one))
	bindtest.AwaitCovered(t, w, r)
	assert.Equal(t, "20", value(t, r, "SELECT COUNT(*) FROM t"))
}

func TestProbeDoubts(t *testing.T) {
	following(t)
	row := map[*product]struct{ off, on, doubt string }{
		mariaDB: {"SET GLOBAL gtid_strict_mode = 0", "SET GLOBAL gtid_strict_mode = 1", "SET GLOBAL gtid_strict_mode = 1"},
		mySQL:   {"SET GLOBAL gtid_mode = ON_PERMISSIVE", "SET GLOBAL gtid_mode = ON", "gtid_mode = ON"},
	}[server()]
	admin := engine(t, cluster.Primary.AdminURI())
	w := writer(t, "")
	exec(t, admin, row.off)
	defer exec(t, admin, row.on)
	p := probe(t, w)
	assert.ErrorContains(t, p.Doubt, row.doubt)
	assert.Nil(t, p.Position)
	assert.True(t, p.Primary)
}

// A server whose writes have no position says so.
func TestProbeWithoutPositions(t *testing.T) {
	following(t)
	cases := map[*product]map[string][]integration.Option{
		mariaDB: {"log_bin": {integration.WithSetting("skip-log-bin", "1"), integration.WithSetting("log-slave-updates", "0")}},
		mySQL: {
			"log_bin":   {integration.WithSetting("log-bin", "0"), integration.WithSetting("skip-log-bin", "1")},
			"gtid_mode": {integration.WithSetting("gtid-mode", "OFF")},
		},
	}
	for doubt, settings := range cases[server()] {
		t.Run(doubt, func(t *testing.T) {
			p := probe(t, engine(t, teston.StartMySQLFamily(t, 0, settings...).Primary.URI()))
			assert.ErrorContains(t, p.Doubt, doubt)
			assert.Nil(t, p.Position)
			assert.True(t, p.Primary)
		})
	}
}

// A replica that somebody lets write is no reader to rely on.
func TestProbeOfAWritableReplica(t *testing.T) {
	if teston.MySQLFamily() == teston.Galera {
		t.Skip("all members of a Galera cluster are writable, and none has a position that proves anything")
	}
	admin := engine(t, cluster.Replicas[0].AdminURI())
	w, r := writer(t, ""), replica(t, cluster.Replicas[0].URI())
	table(t, w, "probed_writable", "n int")
	bindtest.AwaitCovered(t, w, r)
	exec(t, admin, server().writable)
	defer exec(t, admin, server().readOnly)
	p := probe(t, r)
	assert.True(t, p.Primary, "it accepts writes")
	assert.Equal(t, server() == mySQL, p.Position.Covers(probe(t, w).Position), "the router takes no primary for a replica")
}

// On MySQL an administrator may write to a replica that is read_only alone, which still is a replica.
func TestProbeOfAReplicaThatAdministratorsWriteTo(t *testing.T) {
	onProduct(t, mySQL, "super_read_only")
	admin := engine(t, cluster.Replicas[0].AdminURI())
	exec(t, admin, "SET GLOBAL super_read_only = 0")
	defer exec(t, admin, "SET GLOBAL super_read_only = 1")
	assert.False(t, probe(t, replica(t, cluster.Replicas[0].URI())).Primary)
}

func BenchmarkProbe(b *testing.B) {
	for _, s := range []*integration.Server{cluster.Primary, cluster.Replicas[0]} {
		b.Run(s.Name(), func(b *testing.B) { bindtest.BenchmarkProbe(b, mysqlbind.Driver{}, s.URI()) })
	}
}
