package integration_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// eachPgpool runs a test with every Pgpool-II that is found, with the primary as its first and as its last server, choosing a server
// for each session and for each statement, before a primary whose standby stands still. Only make soak and the matrix run all four.
func eachPgpool(t *testing.T, test func(t *testing.T, c *integration.Cluster, p *integration.Pgpool)) {
	teston.Only(t, teston.Postgres)
	if !teston.Has(teston.Postgres) {
		return
	}
	for _, program := range integration.RequirePgpools(t) {
		for _, last := range []bool{false, true} {
			for _, chooses := range []string{"session", "statement"} {
				if last != (chooses == "statement") && os.Getenv("BINDERY_SOAK_MINUTES") == "" {
					continue
				}
				o := integration.PgpoolOptions{Program: program}
				if chooses == "statement" {
					o.Settings = []string{"statement_level_load_balance = on", "allow_sql_comments = on"}
				}
				c := teston.Start(t, teston.Postgres, 1, integration.WithPassword("p@ssw/rd?#%")) // pool_passwd takes no colon
				if last {
					o.Servers = []*integration.Server{c.Replicas[0], c.Primary}
				}
				p := integration.StartPgpool(t, c, o)
				t.Run(fmt.Sprintf("%s, primary last %t, for each %s", p.Version(), last, chooses), func(t *testing.T) { test(t, c, p) })
			}
		}
	}
}

// TestPgpool_readsItsWrites has a manager that knows one address, Pgpool-II's, read back what it wrote, in every way there is, while
// the standby that Pgpool-II sends reads to stands still.
func TestPgpool_readsItsWrites(t *testing.T) {
	eachPgpool(t, func(t *testing.T, c *integration.Cluster, p *integration.Pgpool) {
		report := readsItsWritesThrough(t, c, p.URI(), "$1")
		assert.Contains(t, report.String(), "reached through Pgpool-II (session pooling)")
	})
}

// TestPgpool_asReader gives Pgpool-II's address to readers: all that they serve is the primary's, and named locks have one holder.
func TestPgpool_asReader(t *testing.T) {
	eachPgpool(t, func(t *testing.T, c *integration.Cluster, p *integration.Pgpool) {
		ctx := t.Context()
		m := openManager(t, config(map[string]string{"shop": c.Primary.URI()}, []string{p.URI()}, ""))
		require.NoError(t, m.CreateTables(ctx, (*tally)(nil)))
		_, err := m.NewInsert(&tally{ID: 1}).Exec(ctx)
		require.NoError(t, err)
		require.NoError(t, c.WaitReplayed(ctx))
		require.NoError(t, c.Replicas[0].PauseReplay(ctx))
		served := map[string]int{}
		for n := range int64(200) {
			_, err := m.NewUpdate(&tally{ID: 1, Value: n}).WherePK().Exec(ctx)
			require.NoError(t, err)
			row := tally{ID: 1}
			explained, route := router.Explain(ctx)
			require.NoError(t, m.NewSelect(&row).WherePK().Scan(explained))
			require.Equal(t, n, row.Value, route.String())
			served[route.Engine()]++
		}
		t.Logf("%v", served)
		require.NoError(t, c.Replicas[0].ResumeReplay(ctx))

		other := openManager(t, config(map[string]string{"shop": p.URI()}, nil, ""))
		lock, err := other.Lock(ctx, shop{}, "one")
		require.NoError(t, err)
		_, err = m.Lock(ctx, shop{}, "one", manager.TryOnly())
		require.ErrorIs(t, err, manager.ErrLockTimeout)
		require.NoError(t, lock.Unlock())
		lock, err = m.Lock(ctx, shop{}, "one", manager.TryOnly())
		require.NoError(t, err)
		require.NoError(t, lock.Unlock())
	})
}
