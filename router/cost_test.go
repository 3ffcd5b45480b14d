package router

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
)

const pointSelect = `SELECT "item"."id" FROM "items" AS "item" WHERE ("item"."id" = 42)`

// decide does what a routed select costs beyond the engine's own work.
func decide(ctx context.Context, b *bench, q bun.Query) (*Reader, error) {
	c := b.routed.ResolveConn(ctx, q).(*Conn)
	r, _, _, err := c.route(scopeOf(ctx), pointSelect)
	if r != nil {
		r.end(r.begin())
	}
	return r, err
}

func TestRoutingAllocatesNothing(t *testing.T) {
	b := newBench(t, "shop", 3, nil)
	sel := b.db.NewSelect().Model(new(item))
	ins := b.db.NewInsert().Model(new(item))
	hinted := OnWriter(t.Context())
	for name, route := range map[string]func(){
		"read":        func() { _, _ = decide(t.Context(), b, sel) },
		"hinted read": func() { _, _ = decide(hinted, b, sel) },
		"write":       func() { _, _ = decide(t.Context(), b, ins) },
	} {
		route() // the first use of a model looks at its type
		assert.Zero(t, testing.AllocsPerRun(200, route), name)
	}
}

// TestBunAllocatesTheSame compares whole statements with those of a Bun DB that does not route.
func TestBunAllocatesTheSame(t *testing.T) {
	b := newBench(t, "shop", 3, nil)
	bare := bun.NewDB(b.Writer().DB(), b.dialect)
	ctx := context.Background()
	for name, statement := range map[string]run{"select": selectItem, "insert": insertItem} {
		measure := func(db *bun.DB) float64 {
			require.NoError(t, statement(ctx, db))
			return testing.AllocsPerRun(500, func() { _ = statement(ctx, db) })
		}
		assert.InDelta(t, measure(bare), measure(b.db), 0.5, name)
	}
}

func BenchmarkRoute(b *testing.B) {
	bench := newBench(b, "shop", 3, nil)
	ctx := context.Background()
	for name, q := range map[string]bun.Query{
		"select": bench.db.NewSelect().Model(new(item)),
		"insert": bench.db.NewInsert().Model(new(item)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decide(ctx, bench, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
