package routertest_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

func TestProbe(t *testing.T) {
	c := routertest.New(t, 1)
	w, r := writer(t, c), reader(t, c, 0)
	run(t, w, create, insert)
	name := c.String()
	assert.Equal(t, binds.Probe{Server: name + "/primary#1", History: name + ".1", Cluster: name, Timeline: 1, Primary: true, Position: routertest.Position(2)}, probe(t, w))
	assert.Equal(t, binds.Probe{Server: name + "/replica-1#1", History: name + ".1", Cluster: name, Timeline: 1, Position: routertest.Position(2)}, probe(t, r))
	assert.Equal(t, 1, c.Replicas()[0].Probes())
	assert.Zero(t, c.Replicas()[0].Served(), "a probe is no statement")

	c.Replicas()[0].SetDoubt(errors.New("grant pg_monitor"))
	require.EqualError(t, probe(t, r).Doubt, "grant pg_monitor")
	c.Replicas()[0].SetDoubt(nil)
	require.NoError(t, probe(t, r).Doubt)
	c.ResetStatements()
	assert.Zero(t, c.Replicas()[0].Probes())
	assert.Empty(t, c.Primary().Statements())
}

// A connection answers a probe whatever else it is at.
func TestProbeInTransaction(t *testing.T) {
	c := routertest.New(t, 0)
	conn, err := writer(t, c).Connector().Connect(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	tx, err := conn.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
	require.NoError(t, err)
	p, err := c.Probe(t.Context(), binds.AskConn(conn))
	require.NoError(t, err)
	assert.True(t, p.Primary)
	require.NoError(t, tx.Rollback())
}

func TestProbeDistrusts(t *testing.T) {
	c := routertest.New(t, 0)
	boom := errors.New("boom")
	_, err := c.Probe(t.Context(), func(context.Context, string) ([]string, error) { return nil, boom })
	require.ErrorIs(t, err, boom)
	for reason, row := range map[string][]string{
		"too short":      {"s", "h", "true", "1"},
		"no role":        {"s", "h", "perhaps", "1", ""},
		"no position":    {"s", "h", "true", "x", ""},
		"empty position": {"s", "h", "true", "", ""},
	} {
		_, err := c.Probe(t.Context(), func(context.Context, string) ([]string, error) { return row, nil })
		require.Error(t, err, reason)
	}
}

// otherPosition belongs to another driver.
type otherPosition struct{ binds.Position }

func TestPosition(t *testing.T) {
	p := routertest.Position(7)
	for w, want := range map[binds.Position]struct{ covers, exceeds bool }{
		routertest.Position(6): {true, true},
		routertest.Position(7): {true, false},
		routertest.Position(8): {false, false},
		otherPosition{}:        {false, false},
		nil:                    {false, false},
	} {
		assert.Equal(t, want.covers, p.Covers(w), "%v", w)
		assert.Equal(t, want.exceeds, p.Exceeds(w), "%v", w)
	}
}

func TestParsePosition(t *testing.T) {
	c := routertest.New(t, 0)
	for _, p := range []routertest.Position{0, 1, 1<<64 - 1} {
		got, err := c.ParsePosition(p.String())
		require.NoError(t, err)
		assert.Equal(t, p, got)
	}
	for _, text := range []string{"", "-1", "+1", "01", " 1", "1 ", "1_0", "0x1", "18446744073709551616", "s3cret", "１"} {
		_, err := c.ParsePosition(text)
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}
