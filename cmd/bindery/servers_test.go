package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
)

// dead is a server that refuses connections: nobody listens on port 1.
const dead = "postgres://app:" + canary + "@127.0.0.1:1/gone?sslmode=disable"

// onServers runs a test on each kind of server, a primary with one replica, whose passwords are the canary.
func onServers(t *testing.T, test func(t *testing.T, p *place, c *integration.Cluster)) {
	for _, name := range []string{teston.Postgres, teston.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			teston.Only(t, name)
			c := teston.Start(t, name, 1, integration.WithPassword(canary+"-%40:?"))
			p := in(t, fmt.Sprintf("[binds.shop]\nwriter = %q\nreaders = [%q]\n\n[binds.gone]\nwriter = %q\n", c.Primary.URI(), c.Replicas[0].URI(), dead))
			test(t, p, c)
		})
	}
}

// One process after another does on real servers what a user at three in the morning would.
func TestOnServers(t *testing.T) {
	onServers(t, func(t *testing.T, p *place, c *integration.Cluster) {
		testMigrate(t, p)
		testHealth(t, p)
		testRoute(t, p)
		testLocks(t, p)
		testBenchLag(t, p, c)
		testReplicaThatTrails(t, p, c)
		testReplicaThatIsGone(t, p, c)
	})
}

func testMigrate(t *testing.T, p *place) {
	p.write("migrations/shop/1_items.up.sql", "CREATE TABLE items (id BIGINT)")
	p.write("migrations/shop/1_items.down.sql", "DROP TABLE items")
	r := p.run("migrate", "up")
	require.Equal(t, exitOK, r.code, r.err)
	assert.Regexp(t, `shop: 1/1 up 1_items done in `, r.out)
	assert.Contains(t, r.err, "gone: no migrations", "of the bind whose server is dead none are looked for")

	sleep := map[bool]string{true: "SELECT pg_sleep(60)", false: "DO SLEEP(60)"}[strings.Contains(t.Name(), "postgres")]
	slow := p.write("migrations/shop/2_slow.up.sql", sleep)
	r = p.interrupt("1/1 up 2_slow …", "migrate", "up", "--bind", "shop")
	assert.Equal(t, exitInterrupted, r.code)
	assert.Contains(t, r.err, "not applied: 2_slow", "what is applied is told all the same")
	r = p.run("migrate", "up", "--bind", "shop", "--timeout", "300ms")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "it took longer than 300ms: see --timeout")
	p.write("migrations/gone/1_x.up.sql", "SELECT 1")
	p.write(strings.TrimPrefix(slow, p.dir), "SELECT 1")
	r = p.run("migrate", "up", "--timeout", "20s")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "up 2_slow done in ")
	assert.Contains(t, r.err, "binds done before: shop; not begun: none")
	r = p.run("migrate", "status", "--bind", "shop")
	assert.Contains(t, r.out, "shop: 0 of 2 pending")
}

func testHealth(t *testing.T, p *place) {
	r := p.run("check")
	assert.Equal(t, exitFailed, r.code, "a bind cannot work")
	assert.Regexp(t, `shop/reader-1 +ok`, r.out, "and the others are told of")
	assert.Contains(t, r.out, "gone/writer")
	r = p.run("check", "--bind", "shop", "--json")
	require.Equal(t, exitOK, r.code, r.out+r.err)
	assert.True(t, decode[struct{ Ready bool }](t, r.out).Ready)
	r = p.run("status", "--once", "--json")
	require.Equal(t, exitOK, r.code, r.err)
	engines := decode[struct{ Engines []engineStatus }](t, r.out).Engines
	require.Len(t, engines, 3)
	assert.Equal(t, manager.Primary, engines[0].State)
	assert.Equal(t, manager.Replica, engines[1].State)
	require.NotNil(t, engines[1].Serving)
	assert.True(t, *engines[1].Serving)
	assert.NotNil(t, engines[1].Lag)
	assert.NotEmpty(t, engines[1].Version)
	assert.Contains(t, engines[2].Why, "refused")
	assert.Regexp(t, `gone/writer +writer +down`, p.run("status", "--once").out)
}

func testRoute(t *testing.T, p *place) {
	r := p.run("route", "--bind", "shop", "--json", "SELECT * FROM items WHERE id = 7")
	require.Equal(t, exitOK, r.code, r.err)
	assert.Equal(t, routing{Bind: "shop", Statement: "SELECT * FROM items WHERE id = ?", Kind: "read", Engine: "shop/reader-1", Role: "reader", Reason: "plain_read"}, decode[routing](t, r.out))
	r = p.run("route", "DROP TABLE items", "--json")
	assert.Equal(t, "shop/writer", decode[routing](t, r.out).Engine)
	r = p.run("route", "SELECT COUNT(*) FROM items FOR UPDATE", "--json")
	assert.Contains(t, r.out, `"because":{"word":"FOR UPDATE","reason":"a locking clause, which the writer must hold"}`)
	r = p.run("route", "--bind", "gone", "SELECT 1")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "bindery: the writer does not answer")
	assert.Contains(t, p.run("migrate", "status", "--bind", "shop").out, "applied", "items was not dropped")
}

func testLocks(t *testing.T, p *place) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg, err := manager.LoadConfig(p.dir + "/config.toml")
	require.NoError(t, err)
	cfg.Binds = cfg.Binds[:1]
	m, err := manager.New(ctx, cfg, manager.WithLogger((&app{}).logger()))
	require.NoError(t, err)
	defer func() { assert.NoError(t, m.Close()) }()
	shop := binds.Key("shop")
	lock, err := m.Lock(ctx, shop, "monthly report")
	require.NoError(t, err)
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		_ = m.WithLock(ctx, shop, "monthly report", func(context.Context) error { return nil })
	}()
	var seen bindLocks
	p.eventually(func() bool {
		r := p.run("locks", "--bind", "shop", "--name", "monthly report", "--json")
		require.Equal(t, exitOK, r.code, r.err)
		seen = decode[bindLocks](t, r.out)
		return len(seen.Locks) == 1 && len(seen.Locks[0].Waiters) == 1
	}, "the waiter is not listed")
	assert.Equal(t, "monthly report", seen.Locks[0].Name)
	assert.NotEmpty(t, seen.Locks[0].Holder)
	r := p.run("locks", "--bind", "shop")
	assert.Contains(t, r.out, "? ("+seen.Locks[0].ID+")", "by its name alone it can be told")
	assert.Contains(t, r.out, "shop: the server knows a hash of each name")
	require.NoError(t, lock.Unlock())
	<-waiting
	r = p.run("locks")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, `locks of bind "gone"`)
}

func testBenchLag(t *testing.T, p *place, c *integration.Cluster) {
	r := p.run("bench-lag", "--bind", "shop", "--duration", "1s", "--rate", "50", "--json", "--yes")
	require.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.err, "writing to bindery_bench_lag_")
	seen := decode[lagAnswer](t, r.out)
	assert.Equal(t, "shop/reader-1", seen.Engine)
	assert.Equal(t, seen.Writes, seen.Shown)
	assert.Greater(t, seen.Writes, 10)
	assert.NotNil(t, seen.Horizon)

	r = p.interrupt("writing to", "bench-lag", "--bind", "shop", "--duration", "1h", "--yes")
	assert.Equal(t, exitInterrupted, r.code, r.err)
	left, err := c.Primary.QueryString(t.Context(), "SELECT COUNT(*) FROM information_schema.tables WHERE table_name LIKE 'bindery_bench_lag%'")
	require.NoError(t, err)
	assert.Equal(t, "0", left, "its tables are dropped, after Ctrl-C, too")
}

type lagAnswer struct {
	Engine        string
	Writes, Shown int
	Seconds       struct{ P50, P99, Max float64 }
	Horizon       *struct{ P50 float64 } `json:"horizon_seconds"`
}

func testReplicaThatTrails(t *testing.T, p *place, c *integration.Cluster) {
	ctx := t.Context()
	delay := time.Second // MariaDB's delay has whole seconds
	require.NoError(t, c.Replicas[0].DelayReplay(ctx, delay))
	r := p.run("bench-lag", "--bind", "shop", "--duration", "1s", "--json", "--yes")
	require.Equal(t, exitOK, r.code, r.err)
	seen := decode[lagAnswer](t, r.out)
	assert.GreaterOrEqual(t, seen.Seconds.P50, 0.8*delay.Seconds()*0.5, "it is seen, a second's rounding allowed")
	require.NoError(t, c.Replicas[0].DelayReplay(ctx, 0))
	require.NoError(t, c.WaitReplayed(ctx))
	require.NoError(t, c.Replicas[0].PauseReplay(ctx))
	require.NoError(t, c.Primary.Exec(ctx, "INSERT INTO items VALUES (1)"))
	r = p.run("route", "SELECT 1", "--json")
	require.Equal(t, exitOK, r.code, r.err)
	route := decode[routing](t, r.out)
	assert.Equal(t, "readers_behind", route.Reason)
	assert.Equal(t, "shop/writer", route.Engine)
	require.Len(t, route.Notes, 1)
	assert.Contains(t, route.Notes[0], "shop/reader-1 does not serve: ")
	require.NoError(t, c.Replicas[0].ResumeReplay(ctx))
}

func testReplicaThatIsGone(t *testing.T, p *place, c *integration.Cluster) {
	require.NoError(t, c.Replicas[0].Stop(t.Context()))
	r := p.run("check", "--bind", "shop")
	assert.Equal(t, exitImpaired, r.code, "all can work, and something is wrong")
	assert.Empty(t, r.err)
	assert.Contains(t, p.run("check", "--bind", "shop", "--verbose").err, "level=", "the library's log")
	r = p.run("route", "SELECT 1")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "readers_down")
	p.write("config.toml", fmt.Sprintf("[binds.shop]\nwriter = %q\nreaders = [%q]\nfallback = \"none\"\n", c.Primary.URI(), c.Replicas[0].URI()))
	r = p.run("route", "SELECT 1")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "no reader")
	if strings.Contains(t.Name(), "postgres") { // it takes its five seconds
		r = p.run("bench-lag", "--duration", "200ms", "--yes")
		assert.Equal(t, exitFailed, r.code)
		assert.Contains(t, r.err, "not every write was shown by every reader")
	}
}
