package integration_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/mysqlbind"
	_ "github.com/bindery-go/bindery/binds/pgbind"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// A kind is one kind of database, for the body of tests that runs on each.
type kind struct {
	name string
	// uris returns where a new bench's databases are, and its cluster: nil where there are no
	// servers.
	uris func(t *testing.T) (writer string, readers []string, cluster *integration.Cluster)
	// whoAmI is an SQL expression by which the server that evaluates it says who it is, from a
	// table expression where it needs one.
	whoAmI, whoAmIFrom string
	// forUpdate says that the database has locking reads.
	forUpdate bool
}

// kinds returns those that the tests run on. It is asked by tests, not when the program starts: see package teston.
func kinds() []kind {
	return slices.DeleteFunc(slices.Clone(allKinds), func(k kind) bool { return !teston.Has(k.name) })
}

var allKinds = []kind{
	{
		name: teston.SQLite,
		uris: func(t *testing.T) (string, []string, *integration.Cluster) {
			return "sqlite://" + filepath.ToSlash(t.TempDir()) + "/app.db", nil, nil
		},
		// One file has one server; what tells its engines apart is whether they may write.
		whoAmI: "query_only", whoAmIFrom: "pragma_query_only",
	},
	serverKind(teston.Postgres, "inet_server_port()"),
	serverKind(teston.MariaDB, "@@port"),
	serverKind(teston.MySQL, "@@port"),
	serverKind(teston.Galera, "@@port"),
	serverKind(teston.Group, "@@port"),
}

func serverKind(name, whoAmI string) kind {
	return kind{
		name: name,
		uris: func(t *testing.T) (string, []string, *integration.Cluster) {
			return clusterURIs(teston.Start(t, name, 2))
		},
		whoAmI: whoAmI, forUpdate: true,
	}
}

// serverKinds are the kinds that have servers.
func serverKinds() []kind {
	return slices.DeleteFunc(kinds(), func(k kind) bool { return k.name == teston.SQLite })
}

// postgresKind is for what only PostgreSQL has.
func postgresKind(t *testing.T) kind {
	t.Helper()
	teston.Only(t, teston.Postgres)
	return serverKind(teston.Postgres, "inet_server_port()")
}

// inMySQLFamily reports whether a kind, a cluster of that name or a server with that URI is MariaDB or MySQL.
func inMySQLFamily(nameOrURI string) bool {
	for _, begin := range []string{teston.MariaDB, teston.MySQL, teston.Galera, teston.Group} {
		if strings.HasPrefix(nameOrURI, begin) {
			return true
		}
	}
	return false
}

func clusterURIs(c *integration.Cluster) (string, []string, *integration.Cluster) {
	var readers []string
	for _, r := range c.Replicas {
		readers = append(readers, r.URI())
	}
	return c.Primary.URI(), readers, c
}

// shop and audit are the binds of a bench. Audit lies on the same servers, or in a file of its own.
type (
	shop  struct{}
	audit struct{}
)

func (shop) BindKey() binds.Key  { return "shop" }
func (audit) BindKey() binds.Key { return "audit" }

// item is a row that knows which server wrote it.
type item struct {
	bun.BaseModel `bun:"table:items"`
	shop

	ID     int64  `bun:",pk,autoincrement"`
	Name   string `bun:",notnull"`
	Server int64
	Notes  []*note `bun:"rel:has-many,join:id=item_id"`
	Parts  []*part `bun:"rel:has-many,join:id=item_id"`
}

type part struct {
	bun.BaseModel `bun:"table:parts"`
	shop

	ID     int64 `bun:",pk,autoincrement"`
	ItemID int64
	Item   *item `bun:"rel:belongs-to,join:item_id=id"`
}

// note lives in the other bind.
type note struct {
	bun.BaseModel `bun:"table:notes"`
	audit

	ID     int64 `bun:",pk,autoincrement"`
	ItemID int64
	Text   string
}

// bench is one kind of database with a manager on it.
type bench struct {
	kind
	*manager.DBManager
	cluster *integration.Cluster
	engines map[int64]string // what a server says of itself → its name
}

// newBench opens a manager on fresh databases with the tables of the models.
func newBench(t *testing.T, k kind) *bench {
	t.Helper()
	b := &bench{kind: k}
	writer, readers, cluster := k.uris(t)
	b.cluster = cluster
	other := writer
	if cluster == nil {
		other = strings.Replace(writer, "app.db", "audit.db", 1)
	}
	b.DBManager = openManager(t, config(map[string]string{"shop": writer, "audit": other}, readers, `policy = "round_robin"`))
	b.learnNames(t, len(readers))
	for _, model := range []any{(*item)(nil), (*part)(nil), (*note)(nil)} {
		_, err := b.NewCreateTable(model).Exec(t.Context())
		require.NoError(t, err)
	}
	b.sync(t)
	return b
}

// config writes a TOML configuration: every bind with the same readers and the same settings.
func config(writers map[string]string, readers []string, settings string) string {
	var c strings.Builder
	fmt.Fprintln(&c, `default = "shop"`)
	for _, key := range []string{"shop", "audit"} {
		if uri, ok := writers[key]; ok {
			fmt.Fprintf(&c, "[binds.%s]\nwriter = '%s'\n%s\n", key, uri, settings)
			if len(readers) > 0 {
				fmt.Fprintf(&c, "readers = ['%s']\n", strings.Join(readers, "', '"))
			}
		}
	}
	return c.String()
}

func openManager(t *testing.T, config string, opts ...manager.Option) *manager.DBManager {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	m, err := manager.Open(t.Context(), file, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// learnNames finds what each server answers to the question who it is.
func (b *bench) learnNames(t *testing.T, readers int) {
	if b.cluster == nil {
		b.engines = map[int64]string{0: "writer", 1: "reader-1"}
		return
	}
	b.engines = map[int64]string{int64(b.cluster.Primary.Port()): "writer"}
	for i, r := range b.cluster.Replicas[:readers] {
		b.engines[int64(r.Port())] = fmt.Sprintf("reader-%d", i+1)
	}
}

// sync waits until the readers have what the writer has, and every reader of every bind serves
// again after this process's writes.
func (b *bench) sync(t *testing.T) {
	t.Helper()
	if b.cluster == nil {
		return
	}
	require.NoError(t, b.cluster.WaitReplayed(t.Context()))
	for _, bind := range b.Binds() {
		require.Eventually(t, func() bool {
			served := map[string]bool{}
			for range bind.ReaderEngines() {
				ctx, route := router.Explain(t.Context())
				require.NoError(t, b.NewRaw(bind.Key(), "SELECT 1").Scan(ctx, new(int)))
				served[route.Engine()] = route.Reason() == router.PlainRead
			}
			return len(served) == len(bind.ReaderEngines()) && !slices.Contains(slices.Collect(maps.Values(served)), false)
		}, waitFor, time.Millisecond, "bind %s", bind.Key())
	}
}

// bind returns the shop's bind.
func (b *bench) bind(t *testing.T) *manager.Bind {
	t.Helper()
	bind, err := b.Bind(shop{})
	require.NoError(t, err)
	return bind
}

// question asks a server who it is.
func (b *bench) question() string {
	if b.whoAmIFrom != "" {
		return "SELECT " + b.whoAmI + " FROM " + b.whoAmIFrom
	}
	return "SELECT " + b.whoAmI
}

// name returns the name of the server that gave an answer.
func (b *bench) name(t *testing.T, answer int64) string {
	t.Helper()
	require.Contains(t, b.engines, answer, "no server of this bench")
	return b.engines[answer]
}

// eachKind runs a test on every kind of database, each with servers of its own.
func eachKind(t *testing.T, test func(t *testing.T, b *bench)) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) { test(t, newBench(t, k)) })
	}
}

// rowsOf counts the items on the writer.
func (b *bench) rowsOf(ctx context.Context, t *testing.T, where string, args ...any) int64 {
	t.Helper()
	bind := b.bind(t)
	n, err := bind.Writer().NewSelect().Model((*item)(nil)).Where(where, args...).Count(ctx)
	require.NoError(t, err)
	return n
}
