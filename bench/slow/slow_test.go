package slow

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestRun(t *testing.T) {
	s, err := Run(t.Context(), &report.Run{Quick: true})
	require.NoError(t, err)
	assert.NotEmpty(t, s.Title)
	assert.NotEmpty(t, s.About)
	require.Len(t, s.Tables, 2)
	for _, table := range s.Tables {
		assert.Len(t, table.Rows, len(contenders), table.Title)
		for _, row := range table.Rows {
			for i, cell := range row {
				assert.NotEmpty(t, cell, "%s: %s of %s", table.Title, table.Columns[i], row[0])
			}
			// On a busy machine the few seconds of one state may pass without any read that ends in them.
			assert.Equal(t, []string{"p50 well", "worst"}, []string{table.Columns[1], table.Columns[6]})
			read := row[1] != report.Duration(0) || row[6] != report.Duration(0)
			assert.True(t, read, "%s: %s has read", table.Title, row[0])
		}
	}
	assert.Len(t, s.Bars, 2)
}
