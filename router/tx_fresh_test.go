package router_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// TestReadOnlyTxIsFresh chooses where a read-only transaction runs as a read is chosen.
func TestReadOnlyTxIsFresh(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		for _, replica := range p.cluster.Replicas() {
			replica.SetLag(200 * time.Millisecond)
		}
		// in reads in a read-only transaction, and returns what it saw and why it ran where it ran.
		in := func(ctx context.Context) (value int64, engine string, why router.Reason) {
			t.Helper()
			ctx, route := router.Explain(ctx)
			require.NoError(t, p.InTx(ctx, router.TxOptions{ReadOnly: true}, func(ctx context.Context) error {
				var c counter
				require.NoError(t, p.db.NewSelect().Model(&c).Where("id = 1").Scan(ctx))
				value = c.Value
				return nil
			}))
			d := route.Decisions()
			require.Len(t, d, 2)
			assert.Equal(t, "BEGIN", d[0].Query)
			assert.Equal(t, d[0].Engine, d[1].Engine)
			return value, d[1].Engine, d[0].Reason
		}
		session := router.NewSession(t.Context())
		p.mustWrite(t, session, 7)
		for name, ctx := range map[string]context.Context{"the process": t.Context(), "the session": session} {
			value, engine, why := in(ctx)
			assert.Equal(t, int64(7), value, name)
			assert.Equal(t, "shop/writer", engine, name)
			assert.Equal(t, router.ReadersBehind, why, name)
		}
		value, engine, why := in(router.OnReader(t.Context()))
		assert.Equal(t, int64(0), value, "however stale")
		assert.NotEqual(t, "shop/writer", engine)
		assert.Equal(t, router.HintReader, why)

		time.Sleep(time.Second)
		value, engine, why = in(session)
		assert.Equal(t, int64(7), value)
		assert.NotEqual(t, "shop/writer", engine)
		assert.Equal(t, router.PlainRead, why)
		time.Sleep(10 * time.Millisecond)
		_, engine, _ = in(router.MaxStale(t.Context(), time.Millisecond))
		assert.Equal(t, "shop/writer", engine, "MaxStale")
		_, engine, why = in(router.OnWriter(t.Context()))
		assert.Equal(t, "shop/writer", engine)
		assert.Equal(t, router.HintWriter, why)
	})
}

// TestReadOnlyTxIsMonotonic reads in a transaction on one reader, and then shows nothing older.
func TestReadOnlyTxIsMonotonic(t *testing.T) {
	inBubble(t, 2, func(c *router.Config) { c.Policy = new(router.RoundRobin) }, func(t *testing.T, p *process) {
		p.cluster.Replicas()[1].SetLag(time.Second)
		p.mustWrite(t, t.Context(), 9) // another's: the session need not see it
		time.Sleep(300 * time.Millisecond)
		session := router.NewSession(t.Context())
		latest := int64(0)
		for range 20 {
			require.NoError(t, p.InTx(session, router.TxOptions{ReadOnly: true}, func(ctx context.Context) error {
				var c counter
				require.NoError(t, p.db.NewSelect().Model(&c).Where("id = 1").Scan(ctx))
				require.GreaterOrEqual(t, c.Value, latest)
				latest = c.Value
				return nil
			}))
			value, _ := p.mustRead(t, session)
			require.GreaterOrEqual(t, value, latest)
			latest = value
		}
	})
}

// TestReadOnlyTxWithoutFallback finds no reader.
func TestReadOnlyTxWithoutFallback(t *testing.T) {
	inBubble(t, 1, func(c *router.Config) { c.NoFallback = true }, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].SetLag(time.Minute)
		p.mustWrite(t, t.Context(), 7)
		none := func(context.Context) error { panic("must not run") }
		require.ErrorIs(t, p.InTx(t.Context(), router.TxOptions{ReadOnly: true}, none), router.ErrNoReader)
	})
}

// TestReadOnlyTxOnAReaderThatIsDown begins elsewhere.
func TestReadOnlyTxOnAReaderThatIsDown(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].Down()
		for range 8 {
			ctx, route := router.Explain(t.Context())
			require.NoError(t, p.InTx(ctx, router.TxOptions{ReadOnly: true}, func(ctx context.Context) error {
				_, err := p.db.NewSelect().Model((*counter)(nil)).Count(ctx)
				return err
			}))
			assert.Equal(t, "shop/reader-2", route.Engine())
		}
	})
}
