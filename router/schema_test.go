package router_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router"
)

// What this process has made is known to every session, though the replicas trail.
func TestSchemaIsReadAtOnce(t *testing.T) {
	inPrepared := func(ctx context.Context, p *process) error {
		stmt, err := p.db.PrepareContext(ctx, "CREATE TABLE made (id INTEGER)")
		if err != nil {
			return err
		}
		_, err = stmt.ExecContext(ctx)
		return err
	}
	for door, create := range map[string]func(ctx context.Context, p *process) error{
		"raw": func(ctx context.Context, p *process) error {
			_, err := p.db.NewRaw("-- a comment\nCREATE TABLE made (id INTEGER)").Exec(ctx)
			return err
		},
		"transaction": func(ctx context.Context, p *process) error {
			return p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				if _, err := tx.NewRaw("CREATE TABLE made (id INTEGER)").Exec(ctx); err != nil {
					return err
				}
				_, err := tx.NewRaw("UPDATE counters SET value = 5").Exec(ctx)
				return err
			})
		},
		"prepared": inPrepared,
	} {
		for _, mode := range []string{router.ProcessWrites, router.SessionWrites} {
			t.Run(door+", "+mode, func(t *testing.T) {
				inBubble(t, 1, func(cfg *router.Config) { cfg.Freshness.ReadYourWrites = mode }, func(t *testing.T, p *process) {
					p.cluster.Replicas()[0].SetLag(time.Second)
					require.NoError(t, create(t.Context(), p))
					for _, ctx := range []context.Context{t.Context(), router.NewSession(t.Context())} {
						ctx, route := router.Explain(ctx)
						var n int
						require.NoError(t, p.db.NewRaw("SELECT count(*) FROM made").Scan(ctx, &n))
						assert.Equal(t, fromWriter, route.String())
					}
					time.Sleep(3 * time.Second)
					ctx, route := router.Explain(router.NewSession(t.Context()))
					var n int
					require.NoError(t, p.db.NewRaw("SELECT count(*) FROM made").Scan(ctx, &n))
					assert.Equal(t, fromReader1, route.String(), "the reader knows it by now")
					p.mustWrite(t, router.NewSession(t.Context()), 7)
					_, where := p.mustRead(t, router.NewSession(t.Context()))
					assert.Equal(t, fromReader1, where, "a write of rows is no change of the schema")
				})
			})
		}
	}
}

// What another process has made is asked for once more of the writer where a reader does not know it yet.
func TestUndefinedOnAReader(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		other := newProcess(t, p.cluster, nil)
		for _, r := range p.cluster.Replicas() {
			r.SetLag(time.Second)
		}
		for _, sql := range []string{"CREATE TABLE made (id INTEGER)", "ALTER TABLE counters ADD COLUMN added INTEGER DEFAULT 3"} {
			_, err := other.db.NewRaw(sql).Exec(t.Context())
			require.NoError(t, err)
		}
		for _, sql := range []string{"SELECT count(*) FROM made", "SELECT added FROM counters"} {
			for _, ctx := range []context.Context{t.Context(), router.NewSession(t.Context())} {
				ctx, route := router.Explain(ctx)
				var n int
				require.NoError(t, p.db.NewRaw(sql).Scan(ctx, &n))
				assert.Equal(t, fromWriter, route.String())
			}
		}
		p.cluster.ResetStatements()
		err := p.db.NewRaw("SELECT absent FROM counters").Scan(t.Context(), new(int))
		require.ErrorContains(t, err, "no such column: absent")
		assert.Equal(t, 1, p.cluster.Primary().Served(), "the writer is asked once")
		reader := bun.NewDB(p.Writer().DB(), p.db.Dialect(), bun.WithConnResolver(p.ReaderOnly()))
		require.ErrorContains(t, reader.NewRaw("SELECT count(*) FROM made").Scan(t.Context(), new(int)), "no such table", "Reader() never leads to the writer")
	})
}
