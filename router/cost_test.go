package router

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
)

const pointSelect = `SELECT "item"."id" FROM "items" AS "item" WHERE ("item"."id" = 42)`

// decide does what a routed statement costs beyond the engine's own work.
func decide(ctx context.Context, b *bench, q bun.Query) (*Reader, error) {
	c := b.routed.ResolveConn(ctx, q).(*Conn)
	s := scopeOf(ctx)
	if s == &emptyScope {
		if reader, l := c.usual(pointSelect); reader != nil {
			start := reader.begin()
			if reader.lease.Load() == l {
				reader.end(start)
			}
			return reader, nil
		}
	}
	var to route
	err := c.route(ctx, s, pointSelect, &to)
	if err == nil {
		c.begin(&to)
		c.end(s, &to, pointSelect)
	}
	return to.reader, err
}

// withProof gives a bench of fakes a view as the monitor makes it of readers that have proved
// themselves: their horizons lie far ahead.
func withProof(t testing.TB) *bench {
	b := newBench(t, "shop", 3, func(c *Config) { c.Freshness = Freshness{} })
	ahead := b.now() + time.Hour
	v := &view{fit: b.readers, up: b.readers, horizons: []time.Duration{ahead, ahead, ahead}}
	v.order(b.readers)
	b.view.Store(v)
	b.reads.Store(true) // or the monitor would begin to look at the fakes
	return b
}

func TestRoutingAllocatesNothing(t *testing.T) {
	b := withProof(t)
	sel := b.db.NewSelect().Model(new(item))
	ins := b.db.NewInsert().Model(new(item))
	session := NewSession(t.Context())
	b.wrote(SessionFrom(session))
	for name, route := range map[string]struct {
		ctx   context.Context
		query bun.Query
		to    string
	}{
		"read":               {t.Context(), sel, "reader"},
		"hinted read":        {OnWriter(t.Context()), sel, "writer"},
		"read in a session":  {session, sel, "reader"},
		"read of fresh data": {MaxStale(t.Context(), time.Second), sel, "reader"},
		"write":              {t.Context(), ins, "writer"},
	} {
		reader, err := decide(route.ctx, b, route.query) // the first use of a model looks at its type
		require.NoError(t, err)
		assert.Equal(t, route.to == "reader", reader != nil, name)
		assert.Zero(t, testing.AllocsPerRun(200, func() { _, _ = decide(route.ctx, b, route.query) }), name)
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

// BenchmarkRoute is what a statement costs beyond the engine's own work: with freshness, in a session,
// and without any.
func BenchmarkRoute(b *testing.B) {
	proved, blind := withProof(b), newBench(b, "shop", 3, nil)
	blind.reads.Store(true)
	session := NewSession(context.Background())
	for _, row := range []struct {
		name  string
		bench *bench
		ctx   context.Context
		query bun.Query
	}{
		{"select", proved, context.Background(), proved.db.NewSelect().Model(new(item))},
		{"select in a session", proved, session, proved.db.NewSelect().Model(new(item))},
		{"select without freshness", blind, context.Background(), blind.db.NewSelect().Model(new(item))},
		{"insert", proved, context.Background(), proved.db.NewInsert().Model(new(item))},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decide(row.ctx, row.bench, row.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestTheShortWayLeadsToTheSame compares where plain reads go whose contexts say nothing with where they
// go by the long way, which a context takes that asks for an explanation.
func TestTheShortWayLeadsToTheSame(t *testing.T) {
	const now, earlier, later = time.Minute, time.Second, time.Hour
	for reason, state := range map[string]struct {
		whose    string
		wrote    time.Duration
		horizons []time.Duration
		want     []string // where the reads go, in turn
	}{
		"nothing was written":               {ProcessWrites, 0, []time.Duration{now, now}, []string{"reader-1", "reader-2"}},
		"nothing written, nothing known":    {ProcessWrites, 0, []time.Duration{0, 0}, []string{"reader-1", "reader-2"}},
		"all show what was written":         {ProcessWrites, earlier, []time.Duration{now, now}, []string{"reader-1", "reader-2"}},
		"one shows what was written":        {ProcessWrites, now, []time.Duration{later, earlier}, []string{"reader-1", "reader-1"}},
		"a horizon shows what was before":   {ProcessWrites, now, []time.Duration{later, now}, []string{"reader-1", "reader-1"}},
		"none shows what was written":       {ProcessWrites, later, []time.Duration{now, now}, []string{"writer", "writer"}},
		"what was written does not matter":  {NoWrites, later, []time.Duration{now, now}, []string{"reader-1", "reader-2"}},
		"only what sessions wrote matters":  {SessionWrites, later, []time.Duration{now, now}, []string{"reader-1", "reader-2"}},
		"none is fit":                       {ProcessWrites, 0, nil, []string{"writer", "writer"}},
		"none is fit, and nothing would do": {NoWrites, 0, nil, []string{"writer", "writer"}},
	} {
		for way, ctx := range map[string]context.Context{
			"short": t.Context(), "long": func() context.Context { ctx, _ := Explain(t.Context()); return ctx }(),
		} {
			t.Run(reason+"/"+way, func(t *testing.T) {
				b := newBench(t, "shop", 2, func(c *Config) {
					c.Freshness, c.Policy = Freshness{ReadYourWrites: state.whose}, new(RoundRobin)
				})
				v := &view{fit: b.readers[:len(state.horizons)], up: b.readers, horizons: state.horizons}
				v.order(b.readers)
				b.view.Store(v)
				b.reads.Store(true) // or the monitor would begin to look at the fakes
				b.lastWrite.Store(int64(state.wrote))
				for range state.want {
					require.NoError(t, selectItem(ctx, b.db))
				}
				assert.Equal(t, state.want, b.driver.servers())
			})
		}
	}
}
