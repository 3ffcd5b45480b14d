package replication

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestRun(t *testing.T) {
	s, err := Run(t.Context(), &report.Run{Quick: true})
	require.NoError(t, err)
	require.Len(t, s.Tables, 4, "two databases in two settings")
	for _, table := range s.Tables {
		require.Len(t, table.Rows, len(modes(0)))
		cells := map[string]map[string]string{}
		for _, row := range table.Rows {
			assert.NotContains(t, row, "", "%s: %v", table.Title, row)
			cells[row[0]] = map[string]string{}
			for i, column := range table.Columns {
				cells[row[0]][column] = row[i]
			}
		}
		for _, mode := range []string{onPrimary, sessions} {
			assert.Equal(t, "0", cells[mode]["stale reads"], "%s: %s", table.Title, mode)
			assert.Equal(t, "0", cells[mode]["went backwards"], "%s: %s", table.Title, mode)
		}
		assert.Equal(t, "0", cells[processWide]["stale reads"], table.Title)
		assert.Equal(t, "0.0 %", cells[onPrimary]["reads on replicas"], table.Title)
		assert.Equal(t, "100.0 %", cells[noGuarantee]["reads on replicas"], table.Title)
		assert.NotEqual(t, "0.0 %", cells[sessions]["reads on replicas"], table.Title)
		if strings.Contains(table.Title, "that lag") {
			assert.NotEqual(t, "0", cells[noGuarantee]["stale reads"], "%s: nothing to guarantee against", table.Title)
		}
	}
	require.Len(t, s.Bars, 8)
	for i, bar := range s.Bars {
		if i%2 == 0 {
			assert.True(t, bar.Met, "%s: %s", bar.What, bar.Got)
		}
	}
}

// The ratio is that of the turns of one round, not that of the medians.
func TestRatio(t *testing.T) {
	set := &setting{turns: make([][]turn, len(modes(0)))}
	set.turns[modeIndex(noGuarantee)] = []turn{{rate: 50}, {rate: 200}, {rate: 400}}
	set.turns[modeIndex(sessions)] = []turn{{rate: 100}, {rate: 300}, {rate: 50}}
	assert.Equal(t, 1.5, set.ratio(modeIndex(sessions)), "of 2, 1.5 and 0.125")
	assert.Equal(t, 1.0, set.ratio(modeIndex(noGuarantee)))
}
