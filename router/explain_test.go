package router

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A route keeps the latest decisions, in order, and counts those before.
func TestExplainKeepsTheLatest(t *testing.T) {
	b := newBench(t, "shop", 1, nil)
	ctx, route := Explain(t.Context())
	const more = 7
	for i := range MaxDecisions + more {
		if i == MaxDecisions {
			assert.Len(t, route.Decisions(), MaxDecisions)
			assert.Zero(t, route.LeftOff())
		}
		_, err := b.db.NewRaw(fmt.Sprintf("SELECT a%d", i)).Exec(ctx)
		require.NoError(t, err)
		if i == 2 || i == MaxDecisions+2 {
			assert.Equal(t, fmt.Sprintf("SELECT a%d", i), route.Last().Query)
		}
	}
	kept := route.Decisions()
	require.Len(t, kept, MaxDecisions)
	for i, d := range kept {
		assert.Equal(t, fmt.Sprintf("SELECT a%d", i+more), d.Query)
	}
	assert.EqualValues(t, more, route.LeftOff())
}

// A route shows no values, and of a long statement its beginning.
func TestExplainShowsNoValues(t *testing.T) {
	b := newBench(t, "shop", 1, nil)
	ctx, route := Explain(t.Context())
	_, err := b.db.NewRaw("SELECT ? /* secret */, "+strings.Repeat("column, ", 1000)+"b", "secret").Exec(ctx)
	require.NoError(t, err)
	query := route.Last().Query
	assert.True(t, strings.HasPrefix(query, "SELECT ? , column, "), query)
	assert.LessOrEqual(t, len(query), MaxDecisionQuery)
	assert.NotContains(t, fmt.Sprintf("%+v %+v", route, route.Decisions()), "secret")
}
