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
			assert.Equal(t, "p50 well", table.Columns[1])
			assert.NotEqual(t, report.Duration(0), row[1], "%s: %s has read", table.Title, row[0])
		}
	}
	assert.Len(t, s.Bars, 2)
}
