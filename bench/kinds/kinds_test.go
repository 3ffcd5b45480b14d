package kinds

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/bench/internal/report"
	"github.com/bindery-go/bindery/manager"
)

func TestRun(t *testing.T) {
	s, err := Run(t.Context(), &report.Run{Quick: true})
	require.NoError(t, err)

	require.Len(t, s.Tables, 1+len(databases()))
	assert.Len(t, s.Tables[0].Rows, len(libraries)*len(databases()))
	for i, d := range databases() {
		assert.Len(t, s.Tables[i+1].Rows, len(d.statements))
		assert.GreaterOrEqual(t, len(d.statements), 60, d.name)
	}
	for _, table := range s.Tables {
		for _, row := range table.Rows {
			assert.NotContains(t, row, "", "%v", row)
		}
	}
	require.Len(t, s.Bars, 1)
	assert.True(t, s.Bars[0].Met, "%+v", s.Bars[0])
}

// TestNamesTellStatementsApart: the page counts kinds by them.
func TestNamesTellStatementsApart(t *testing.T) {
	for _, d := range databases() {
		seen := map[string]bool{}
		for _, s := range d.statements {
			key := string(s.by) + " " + s.name
			assert.False(t, seen[key], "%s: %s", d.name, key)
			seen[key] = true
			assert.NotEmpty(t, s.text, s.name)
		}
	}
}

// TestEveryReasonIsGiven: the page lists them, and none for nothing.
func TestEveryReasonIsGiven(t *testing.T) {
	given := map[*reason]bool{}
	for _, d := range databases() {
		for _, s := range d.statements {
			if s.primary != nil {
				given[s.primary] = true
				assert.Contains(t, reasons, s.primary, s.name)
			}
		}
	}
	assert.Len(t, given, len(reasons))
}

// TestNamedFunctionsNeedNoRecovery: what the page says of writer_functions.
func TestNamedFunctionsNeedNoRecovery(t *testing.T) {
	for _, d := range databases() {
		for named, want := range map[bool]verdict{false: recovered, true: right} {
			o := peers.Options{Bind: func(b *manager.BindConfig) {
				if named {
					b.WriterFunctions = []string{"charge"}
				}
			}}
			rec := new(recorder)
			l, err := open(t.Context(), ours, rec, d.dialect, o)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, l.db.Close()) })
			res, err := try(t.Context(), l, rec, &statement{primary: writes, by: byQuery, text: "SELECT charge(1)"})
			require.NoError(t, err)
			assert.Equal(t, want, res.verdict, "%s, named: %t", d.name, named)
		}
	}
}

// TestWithoutReplicasThereIsNothingToJudge: a library that reads from the primary alone is found out
// before its first statement.
func TestWithoutReplicasThereIsNothingToJudge(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	d := databases()[0]
	_, err := ask(ctx, "database/sql", database{d.name, d.dialect, d.statements[:1]})
	assert.ErrorIs(t, err, errNoReplica)
}
