package peers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
)

// Every library reads and writes on real servers through the proxies, and where each statement went is
// what the proxies counted.
func TestReal(t *testing.T) {
	for _, d := range []dialect.Name{dialect.PG, dialect.MySQL} {
		t.Run(d.String(), func(t *testing.T) {
			ctx := t.Context()
			r, err := StartReal(ctx, d, 2)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			require.NoError(t, r.CreateItems(ctx, 3))
			for _, l := range All() {
				t.Run(l.Name, func(t *testing.T) { testReal(t, r, l) })
			}
		})
	}
}

func testReal(t *testing.T, r *Real, l Library) {
	ctx := t.Context()
	db, err := l.Open(ctx, r.Cluster, Options{ReadYourWrites: "off"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	replicas := func() int64 { return r.Proxies[1].Statements() + r.Proxies[2].Statements() }
	primary, before := r.Proxies[0].Statements(), replicas()
	require.NoError(t, db.Update(ctx, Item{ID: 2, Owner: 7, Name: l.Name}))
	require.NoError(t, db.Update(ctx, Item{ID: 1, Owner: 7, Version: 1, Name: l.Name}))
	require.NoError(t, r.Servers.WaitReplayed(ctx))
	const reads = 8
	for range reads {
		got, err := db.Get(ctx, 1)
		require.NoError(t, err)
		assert.Equal(t, Item{ID: 1, Owner: 7, Version: 1, Name: l.Name}, got)
	}
	assert.GreaterOrEqual(t, r.Proxies[0].Statements()-primary, int64(2), "the writes")
	if l.Bare == "" {
		assert.Equal(t, before, replicas(), "it knows the primary alone")
	} else {
		assert.GreaterOrEqual(t, replicas()-before, int64(reads))
	}
}
