package faults

import (
	"log"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/report"
)

// TestRun lets each fault befall real servers, in short.
func TestRun(t *testing.T) {
	section, err := Run(t.Context(), &report.Run{Quick: true, Log: log.New(t.Output(), "", log.Ltime)})
	require.NoError(t, err)
	require.NotEmpty(t, section.About)
	require.NotEmpty(t, section.Notes)
	require.Len(t, section.Tables, len(systems)*len(faults)+2, "one for each fault, what became of the writes, what failed")

	for _, table := range section.Tables[:len(section.Tables)-1] {
		require.Len(t, table.Rows, len(contenders()), table.Title)
		for i, c := range contenders() {
			require.Equal(t, c.name, table.Rows[i][0])
			require.NotContains(t, table.Rows[i], "", table.Title)
			require.NotEqual(t, "0", table.Rows[i][1], "%s: %s did nothing", table.Title, c.name)
		}
	}
	what := section.Tables[len(section.Tables)-1]
	require.NotEmpty(t, what.Rows, "no fault was felt by anybody")
	for _, row := range what.Rows {
		require.NotContains(t, row[0], ": "+otherKind, row)
	}
	for _, bar := range section.Bars {
		require.True(t, bar.Met, "%s: %s", bar.What, bar.Got)
	}
}
