package router_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// counter is the row that the tests of freshness write and read.
type counter struct {
	ID    int64 `bun:",pk"`
	Value int64
}

// process is one process of an application on a cluster in memory: a router with its engines.
type process struct {
	*router.Router
	cluster *routertest.Cluster
	db      *bun.DB
	log     *testlog.Buffer
}

// inBubble runs a test in a bubble, with a cluster that has a row with the value 0, and one process
// on it whose readers have proved themselves.
func inBubble(t *testing.T, replicas int, change func(*router.Config), test func(t *testing.T, p *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, replicas)
		p := newProcess(t, c, change)
		p.createTable(t)
		p.mustRead(t, router.OnReader(t.Context())) // has the servers looked at
		time.Sleep(time.Second)
		synctest.Wait()
		c.ResetStatements()
		test(t, p)
	})
}

// newProcess opens a router on a cluster.
func newProcess(t *testing.T, c *routertest.Cluster, change func(*router.Config)) *process {
	t.Helper()
	p := &process{cluster: c, log: new(testlog.Buffer)}
	open := func(name, uri string, role binds.Role) *binds.Engine {
		e, err := c.Drivers().Open(t.Context(), name, uri, binds.As(role))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		return e
	}
	cfg := router.Config{
		Key: "shop", Default: "shop", Dialect: c.Dialect(),
		Writer: open("shop/writer", c.WriterURI(), binds.Writer),
		Logger: slog.New(slog.NewTextHandler(p.log, nil)),
	}
	for i, uri := range c.ReaderURIs() {
		cfg.Readers = append(cfg.Readers, router.NewReader(open(fmt.Sprintf("shop/reader-%d", i+1), uri, binds.Reader), 1))
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	p.Router, err = router.New(cfg)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	p.db = bun.NewDB(cfg.Writer.DB(), cfg.Dialect, bun.WithConnResolver(p.Routed()))
	p.Start(t.Context())
	return p
}

func (p *process) createTable(t *testing.T) {
	t.Helper()
	_, err := p.db.NewCreateTable().Model((*counter)(nil)).Exec(t.Context())
	require.NoError(t, err)
	_, err = p.db.NewInsert().Model(&counter{ID: 1}).Exec(t.Context())
	require.NoError(t, err)
}

// write sets the row's value through a builder.
func (p *process) write(ctx context.Context, value int64) error {
	_, err := p.db.NewUpdate().Model(&counter{ID: 1, Value: value}).WherePK().Exec(ctx)
	return err
}

// read returns the row's value and who served it, why.
func (p *process) read(ctx context.Context) (value int64, route string, err error) {
	ctx, explained := router.Explain(ctx)
	row := counter{ID: 1}
	err = p.db.NewSelect().Model(&row).WherePK().Scan(ctx)
	return row.Value, explained.String(), err
}

func (p *process) mustWrite(t *testing.T, ctx context.Context, value int64) {
	t.Helper()
	require.NoError(t, p.write(ctx, value))
}

func (p *process) mustRead(t *testing.T, ctx context.Context) (value int64, route string) {
	t.Helper()
	value, route, err := p.read(ctx)
	require.NoError(t, err)
	return value, route
}

const (
	fromWriter  = "shop/writer (read, readers_behind)"
	fromReader1 = "shop/reader-1 (read, plain_read)"
	fromReader2 = "shop/reader-2 (read, plain_read)"
)
