package routing

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/bench/internal/noop"
	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, peers.Leaks()...)
}

func TestRun(t *testing.T) {
	s, err := Run(t.Context(), &report.Run{Quick: true})
	require.NoError(t, err)
	require.Len(t, s.Tables, 1+len(operations))
	digest := s.Tables[0]
	require.Len(t, digest.Columns, 1+len(operations))
	assert.Len(t, digest.Rows, 6)
	for i, table := range s.Tables[1:] {
		want := len(peers.All()) + 1
		if operations[i].binderyOnly {
			want = 2
		}
		assert.Len(t, table.Rows, want, table.Title)
		for _, row := range table.Rows {
			for j, cell := range row {
				assert.NotEmpty(t, cell, "%s, %s, column %d", table.Title, row[0], j)
			}
			allocations, err := strconv.Atoi(row[7])
			require.NoError(t, err)
			assert.Positive(t, allocations)
			assert.Less(t, allocations, 200, "not bytes")
		}
		bindery := table.Rows[1]
		require.Equal(t, "bindery", bindery[0])
		if operations[i].name == pointSelect.name {
			assert.Equal(t, []string{"0 B", "0"}, []string{bindery[6], bindery[8]}, "memory and allocations added")
		}
	}
	assert.Len(t, s.Bars, 4)
	assert.Contains(t, s.Notes[len(s.Notes)-1], "of bindery's plain reads went to the primary")
}

// TestSessionsReadFromReplicas shows that what is measured is routing to replicas, not the writer's
// way out after a write.
func TestSessionsReadFromReplicas(t *testing.T) {
	seen := make(chan string, 100)
	c, err := openAll(t.Context(), noop.New(replicas, noop.Seen(func(server, text string) {
		select {
		case seen <- server + ": " + text:
		default:
		}
	})))
	require.NoError(t, err)
	defer func() { require.NoError(t, c.close()) }()
	require.NoError(t, c.settle(t.Context()))
	for _, op := range []operation{pointSelect, sessionSelect} {
		families, err := c.families(op, 1)
		require.NoError(t, err)
		for len(seen) > 0 {
			<-seen
		}
		form := families[0][1]
		require.Equal(t, "bindery", form.Name)
		require.NoError(t, form.Run(20))
		require.Len(t, seen, 20)
		for range 20 {
			assert.Regexp(t, "^replica-[12]: SELECT", <-seen, op.name)
		}
	}
}
