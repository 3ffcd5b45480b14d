package integration_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
)

// historyOfPeers lets sessions work on a cluster that chooses its primary by itself, or has none, while it is plagued, and
// checks what they saw, and that all members hold it in the end.
func historyOfPeers(t *testing.T, c *integration.Cluster, plague func(ctx context.Context, n *nemesis)) *soak {
	t.Helper()
	s := newSoak(t, c, "")
	n := s.nemesis()
	ctx, stop := context.WithTimeout(t.Context(), soakAlone(t))
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { s.run(ctx) })
	running.Go(func() { plague(ctx, n) })
	running.Wait()
	require.NoError(t, s.cluster.WaitReplayed(t.Context()))
	for _, member := range append([]*integration.Server{n.primary}, n.readers...) {
		held, err := s.held(t.Context(), member)
		require.NoError(t, err)
		s.history.final(held)
	}
	s.report(t, n.inflicted())
	assert.Empty(t, n.errs)
	assert.Zero(t, s.history.violated, "violations")
	assert.Empty(t, s.unexplained, "errors that no fault explains")
	if t.Failed() {
		t.Log("what the manager logged:\n" + s.log.String())
	}
	return s
}
