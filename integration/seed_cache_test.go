package integration_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// Clusters that begin with the same data are different ones all the same: their servers say so, and a standby follows its own primary.
func TestClustersOfOneSeedAreDifferent(t *testing.T) {
	teston.Only(t, teston.Postgres)
	known := make(map[string]bool)
	for range 3 {
		c := integration.StartPostgres(t, 1)
		ids := make(map[string]bool)
		for _, s := range []*integration.Server{c.Primary, c.Replicas[0]} {
			id, err := s.QueryString(t.Context(), "SELECT system_identifier::text FROM pg_control_system()")
			require.NoError(t, err)
			ids[id] = true
			known[id] = true
		}
		assert.Len(t, ids, 1, "the standby is its primary's")
		require.NoError(t, c.Primary.Restart(t.Context()), "it starts from its own checkpoint again")
		require.NoError(t, c.WaitReplayed(t.Context()))
	}
	assert.Len(t, known, 3)
}
