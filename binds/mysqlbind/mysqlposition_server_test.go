package mysqlbind_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// While a commit waits for replicas (semi-synchronous replication), a replica shows it already and the primary does not.
// Neither has parted from the other.
func TestReplicaThatIsFirst(t *testing.T) {
	onProduct(t, mySQL, "MariaDB's position moves before a replica is sent anything")
	following(t)
	c := teston.Start(t, teston.MySQL, 1, integration.WithSyncReplication(1))
	w, r := engine(t, c.Primary.URI()), replica(t, c.Replicas[0].URI())
	exec(t, w, "CREATE TABLE t (id INT PRIMARY KEY)")
	require.NoError(t, c.WaitReplayed(t.Context()))
	require.NoError(t, c.Primary.Exec(bounded(t), "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 2")) // there is one
	before := probe(t, w).Position
	done := make(chan error, 1)
	go func() {
		_, err := w.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
		done <- err
	}()
	require.Eventually(t, func() bool { return value(t, r, "SELECT COUNT(*) FROM t") == "1" }, patience, tick)
	assert.Equal(t, "0", value(t, w, "SELECT COUNT(*) FROM t"), "the primary does not show it")

	first, then := probe(t, r).Position, probe(t, w).Position
	assert.Equal(t, before.String(), then.String(), "nor does its position")
	assert.True(t, first.Covers(then))
	assert.False(t, first.Exceeds(then), "it has a number there: %v, %v", first, then)
	shown, err := mysqlbind.Driver{}.ParsePosition(then.String())
	require.NoError(t, err)
	assert.True(t, first.Exceeds(shown), "what is on its way makes the difference")

	require.NoError(t, c.Primary.Exec(bounded(t), "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 1"))
	require.NoError(t, <-done)
	assert.Equal(t, first.String(), probe(t, w).Position.String())
}

// A primary that has seen many servers come and go has a long set. Its text stays short, and says what it must.
func TestLongSetOfAServer(t *testing.T) {
	onProduct(t, mySQL, "MariaDB's position has one number for each domain")
	following(t)
	c := teston.Start(t, teston.MySQL, 1)
	w, r := engine(t, c.Primary.URI()), replica(t, c.Replicas[0].URI())
	exec(t, w, "CREATE TABLE t (id INT PRIMARY KEY)")
	require.NoError(t, c.WaitReplayed(t.Context()))
	grow(t, c)
	exec(t, w, "INSERT INTO t VALUES (1)")
	require.NoError(t, c.WaitReplayed(t.Context()))

	require.NoError(t, c.Replicas[0].PauseReplay(t.Context()))
	exec(t, w, "INSERT INTO t VALUES (2)")
	text := probe(t, w).Position.String()
	assert.Less(t, len(text), 1000)
	at, err := mysqlbind.Driver{}.ParsePosition(text)
	require.NoError(t, err)
	assert.Equal(t, text, at.String())
	assert.True(t, probe(t, w).Position.Covers(at))
	assert.False(t, probe(t, r).Position.Covers(at), "it lacks the last row")
	require.NoError(t, c.Replicas[0].ResumeReplay(t.Context()))
	require.Eventually(t, func() bool { return probe(t, r).Position.Covers(at) }, patience, tick)
	assert.Equal(t, "2", value(t, r, "SELECT COUNT(*) FROM t"))
	exec(t, w, "INSERT INTO t VALUES (3)")
	assert.True(t, probe(t, w).Position.Covers(at), "writes go on")
}

// grow gives every server of a cluster a past of 300 servers, and of 300 gaps of one.
func grow(t *testing.T, c *integration.Cluster) {
	t.Helper()
	past := "+4e11fa47-71ca-11e1-9e33-c80aa9429562"
	for i := range 300 {
		past += fmt.Sprintf(":%d", 2*i+1)
	}
	for i := range 300 {
		past += fmt.Sprintf(",%08x-71ca-11e1-9e33-c80aa9429562:1-%d", i, i+1)
	}
	for _, s := range []*integration.Server{c.Replicas[0], c.Primary} { // a replica must have what its primary has thrown away
		require.NoError(t, s.Exec(bounded(t), "SET GLOBAL gtid_purged = '"+past+"'"))
	}
}
