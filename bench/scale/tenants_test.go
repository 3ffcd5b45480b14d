package scale

import (
	"log"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestRunTenants(t *testing.T) {
	s, err := RunTenants(t.Context(), &report.Run{Quick: true, Log: log.New(t.Output(), "", log.Ltime|log.Lmicroseconds)})
	require.NoError(t, err)
	require.Len(t, s.Tables, 1)
	require.Len(t, s.Tables[0].Rows, 5)
	for _, row := range s.Tables[0].Rows {
		assert.NotContains(t, row, "", "%v", row)
	}
	for _, bar := range s.Bars {
		assert.True(t, bar.Met, "%s: %s", bar.What, bar.Got)
	}
}
