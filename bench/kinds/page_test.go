package kinds

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBarIsMissed: whatever of ours is misrouted misses the bar; what was recovered does not.
func TestBarIsMissed(t *testing.T) {
	d := database{name: "X", statements: []statement{
		{name: "a", by: byQuery, text: "A", primary: writes},
		{name: "b", by: byQuery, text: "B"},
	}}
	for v, met := range map[verdict]bool{right: true, needless: true, recovered: true, refused: true, failed: false, silent: false} {
		p := newSection()
		p.add(d, []outcome{
			{"another", []result{{verdict: silent}, {verdict: right}}},
			{ours, []result{{verdict: v}, {verdict: right}}},
		})
		s := p.done()
		require.Len(t, s.Bars, 1)
		assert.Equal(t, met, s.Bars[0].Met, marks[v])
		assert.Equal(t, []string{"a: `A`", "query", "primary: write", marks[silent], marks[v]}, s.Tables[1].Rows[0])
	}
}

// TestSummaryCounts: each verdict has its column, and each library its own line.
func TestSummaryCounts(t *testing.T) {
	all := []verdict{right, needless, failed, silent, recovered, refused}
	d := database{name: "X"}
	var results []result
	for i, v := range all {
		for range i + 1 {
			d.statements = append(d.statements, statement{name: "a", by: byQuery, text: "A"})
			results = append(results, result{verdict: v})
		}
	}
	p := newSection()
	p.add(d, []outcome{{"another", results}, {ours, slices.Repeat([]result{{verdict: right}}, len(results))}})
	assert.Equal(t, [][]string{
		{"X, another", "1", "2", "3", "4", "5", "6"},
		{"X, bindery", "21", "0", "0", "0", "0", "0"},
	}, p.summary.Rows)
}
