package binds_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

// The address leads to the primary and to a replica that stands still, in turn. AskAt hears the one that it names.
func TestAskAt(t *testing.T) {
	c := routertest.New(t, 1)
	e, err := c.Drivers().Open(t.Context(), "shop/writer", c.WriterURI())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	_, err = e.DB().ExecContext(t.Context(), "CREATE TABLE t (v INT)")
	require.NoError(t, err)
	primary, err := e.Probe(t.Context())
	require.NoError(t, err)
	c.Replicas()[0].SetLag(time.Hour)
	_, err = e.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (7)")
	require.NoError(t, err)

	c.BalanceWriter(c.Replicas()[0], c.Primary())
	const query = "SELECT count(*) FROM t"
	heard := map[string]int{}
	for range 20 {
		e.ProbeAnew() // the next question makes a connection
		row, err := e.AskAt(t.Context(), primary.Server, query)
		require.NoError(t, err)
		assert.Equal(t, []string{"1"}, row)
		e.ProbeAnew()
		row, err = e.Ask(t.Context(), query)
		require.NoError(t, err)
		heard[row[0]]++
	}
	assert.Positive(t, heard["0"], "Ask hears anybody: %v", heard)
	row, err := e.AskAt(t.Context(), "", query)
	require.NoError(t, err)
	assert.Len(t, row, 1)

	met, misses := map[string]int{}, 0
	e.OnMeet(func(wanted string, p binds.Probe) bool {
		assert.Equal(t, primary.Server, wanted)
		if p.Server == wanted {
			met["wanted"]++
			return true // it is no question of giving up
		}
		met["other"]++
		return met["other"] == misses
	})
	e.ProbeAnew()
	_, err = e.AskAt(t.Context(), primary.Server, query)
	require.NoError(t, err)
	assert.Equal(t, 1, met["wanted"])
	c.BalanceWriter(c.Replicas()[0])
	for give, want := range map[int]int{0: 17, 5: 5} {
		clear(met)
		misses = give
		e.ProbeAnew()
		_, err = e.AskAt(t.Context(), primary.Server, query)
		require.ErrorIs(t, err, binds.ErrRedial)
		assert.Equal(t, want, met["other"], "given up after %d", give)
	}
	e.ProbeAnew()
	_, err = e.AskAt(t.Context(), primary.Server, query)
	require.ErrorIs(t, err, binds.ErrRedial)
	var connect *binds.ConnectError
	require.ErrorAs(t, err, &connect)
	assert.Equal(t, "shop/writer", connect.Engine)
}
