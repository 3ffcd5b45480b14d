package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

type (
	accounts struct{}
	audit    struct{}
	nowhere  struct{}
)

func (accounts) BindKey() binds.Key { return "accounts" }
func (audit) BindKey() binds.Key    { return "audit" }
func (nowhere) BindKey() binds.Key  { return "nowhere" }

type user struct {
	accounts
	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

type entry struct {
	audit
	ID   int64 `bun:",pk,autoincrement"`
	Text string
}

type setting struct { // of the default bind
	ID    int64 `bun:",pk,autoincrement"`
	Value string
}

type torn struct {
	accounts
	audit
	ID int64 `bun:",pk"`
}

// open opens two binds of SQLite files; audit is the default.
func open(t *testing.T, opts ...manager.Option) *manager.DBManager {
	t.Helper()
	dir := filepath.ToSlash(t.TempDir())
	file := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("default = 'audit'\n[binds]\naccounts = 'sqlite://%[1]s/accounts.db'\naudit = 'sqlite://%[1]s/audit.db'\n", dir)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	m, err := manager.Open(t.Context(), file, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	for _, model := range []any{(*user)(nil), (*entry)(nil), (*setting)(nil)} {
		_, err := m.NewCreateTable(model).Exec(t.Context())
		require.NoError(t, err)
	}
	return m
}

func TestModelsFindTheirBind(t *testing.T) {
	m := open(t)
	for name, row := range map[string]struct {
		model any
		want  string
	}{
		"a pointer":              {new(user), "accounts/reader-1"},
		"a typed nil":            {(*user)(nil), "accounts/reader-1"},
		"a slice":                {&[]user{}, "accounts/reader-1"},
		"a slice of pointers":    {&[]*entry{}, "audit/reader-1"},
		"no marker: the default": {new(setting), "audit/reader-1"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, route := router.Explain(t.Context())
			_, err := m.NewSelect(row.model).Count(ctx)
			require.NoError(t, err)
			assert.Equal(t, row.want, route.Engine())
		})
	}
	for name, bound := range map[string]binds.Bound{"a marker": accounts{}, "a key": binds.Key("accounts"), "a model": user{}} {
		t.Run(name, func(t *testing.T) {
			b, err := m.Bind(bound)
			require.NoError(t, err)
			assert.Equal(t, binds.Key("accounts"), b.Key())
			ctx, route := router.Explain(t.Context())
			var n int
			require.NoError(t, m.NewRaw(bound, "SELECT 1").Scan(ctx, &n))
			assert.Equal(t, "accounts/reader-1", route.Engine())
		})
	}
	var n int
	ctx, route := router.Explain(t.Context())
	require.NoError(t, m.NewSelect(accounts{}).Table("users").ColumnExpr("count(*)").Scan(ctx, &n), "a marker in place of a model")
	assert.Equal(t, "accounts/reader-1", route.Engine())
	b, err := m.Bind(binds.Key(""))
	require.NoError(t, err)
	assert.Equal(t, binds.Key("audit"), b.Key(), "the empty key is the default bind")
}

// TestEveryBuilder runs each query method once on a real database, or finds Bun's own refusal.
func TestEveryBuilder(t *testing.T) {
	m, ctx := open(t), t.Context()
	exec := func(name string) func(any, error) {
		return func(_ any, err error) { t.Helper(); require.NoError(t, err, name) }
	}
	u := &user{Name: "a"}
	exec("insert")(m.NewInsert(u).Exec(ctx))
	exec("update")(m.NewUpdate(u).Set("name = 'b'").WherePK().Exec(ctx))
	require.NoError(t, m.NewSelect(u).WherePK().Scan(ctx))
	assert.Equal(t, "b", u.Name)
	exec("create index")(m.NewCreateIndex(u).Index("users_name").Column("name").Exec(ctx))
	exec("drop index")(m.NewDropIndex(u).Index("users_name").Exec(ctx))
	exec("add column")(m.NewAddColumn(u).ColumnExpr("extra INTEGER").Exec(ctx))
	exec("drop column")(m.NewDropColumn(u).Column("extra").Exec(ctx))
	exec("delete")(m.NewDelete(u).WherePK().Exec(ctx))
	exec("truncate")(m.NewTruncateTable(u).Exec(ctx))
	_, err := m.NewMerge(u).Exec(ctx)
	require.ErrorContains(t, err, "merge not supported")
	rows := []*user{{ID: 1, Name: "x"}, {ID: 2, Name: "y"}}
	var names []string
	require.NoError(t, m.NewSelect(accounts{}).With("v", m.NewValues(&rows)).TableExpr("v").Column("name").OrderExpr("name").Scan(ctx, &names))
	assert.Equal(t, []string{"x", "y"}, names)
	exec("drop table")(m.NewDropTable(u).Exec(ctx))
}

// TestWrongModels builds each query on models whose bind cannot be found.
func TestWrongModels(t *testing.T) {
	m, ctx := open(t), t.Context()
	type stray struct {
		nowhere
		ID int64
	}
	builders := map[string]func(model any) error{
		"select":   func(v any) error { return m.NewSelect(v).Scan(ctx) },
		"insert":   func(v any) error { _, err := m.NewInsert(v).Exec(ctx); return err },
		"update":   func(v any) error { _, err := m.NewUpdate(v).WherePK().Exec(ctx); return err },
		"delete":   func(v any) error { _, err := m.NewDelete(v).WherePK().Exec(ctx); return err },
		"create":   func(v any) error { _, err := m.NewCreateTable(v).Exec(ctx); return err },
		"drop":     func(v any) error { _, err := m.NewDropTable(v).Exec(ctx); return err },
		"truncate": func(v any) error { _, err := m.NewTruncateTable(v).Exec(ctx); return err },
		"index":    func(v any) error { _, err := m.NewCreateIndex(v).Index("i").Exec(ctx); return err },
		"unindex":  func(v any) error { _, err := m.NewDropIndex(v).Index("i").Exec(ctx); return err },
		"column":   func(v any) error { _, err := m.NewAddColumn(v).ColumnExpr("x").Exec(ctx); return err },
		"uncolumn": func(v any) error { _, err := m.NewDropColumn(v).Column("x").Exec(ctx); return err },
	}
	for name, run := range builders {
		t.Run(name, func(t *testing.T) {
			var unknown *binds.UnknownBindError
			require.ErrorAs(t, run(new(stray)), &unknown)
			assert.Equal(t, []binds.Key{"accounts", "audit"}, unknown.Known)
			var ambiguous *binds.AmbiguousBindError
			require.ErrorAs(t, run(&torn{accounts{}, audit{}, 1}), &ambiguous)
			require.ErrorIs(t, run(nil), binds.ErrNilModel)
		})
	}
	var unknown *binds.UnknownBindError
	_, err := m.NewCreateTable(accounts{}).Exec(ctx)
	require.ErrorContains(t, err, "needs a model")
	require.ErrorAs(t, m.NewRaw(nowhere{}, "SELECT 1").Scan(ctx, new(int)), &unknown)
	_, err = m.Bind(binds.Key("acounts"))
	require.ErrorAs(t, err, &unknown)
	assert.EqualError(t, err, `binds: unknown bind "acounts" (have "accounts", "audit")`)
	_, err = m.NewValues(&torn{accounts{}, audit{}, 1}).AppendQuery(mustBind(t, m).DB().QueryGen(), nil)
	var ambiguous *binds.AmbiguousBindError
	require.ErrorAs(t, err, &ambiguous)
}

func mustBind(t *testing.T, m *manager.DBManager) *manager.Bind {
	t.Helper()
	b, err := m.Bind(accounts{})
	require.NoError(t, err)
	return b
}

func TestBindsInTheOrderOfTheFile(t *testing.T) {
	m := open(t)
	var keys []string
	for _, b := range m.Binds() {
		keys = append(keys, b.String())
	}
	assert.Equal(t, []string{"accounts", "audit"}, keys)
	require.NoError(t, m.Check(t.Context()).Err())
}

func TestFirstBindIsTheDefault(t *testing.T) {
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{
		{Key: "b", Writer: binds.NewURI("sqlite::memory:")}, {Key: "a", Writer: binds.NewURI("sqlite::memory:")},
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	b, err := m.Bind(binds.Key(""))
	require.NoError(t, err)
	assert.Equal(t, binds.Key("b"), b.Key())
}

func TestLoneURI(t *testing.T) {
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{{Writer: binds.NewURI("sqlite::memory:")}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	ctx, route := router.Explain(t.Context())
	_, err = m.NewCreateTable((*setting)(nil)).Exec(ctx)
	require.NoError(t, err)
	assert.Equal(t, "default/writer", route.Engine())
	_, err = m.NewSelect((*setting)(nil)).Count(ctx)
	require.NoError(t, err)
	assert.Equal(t, "default/writer (read, no_reader)", route.String(), "a memory database has one engine")
	b, err := m.Bind(binds.Key(""))
	require.NoError(t, err)
	n, err := b.Reader().NewSelect().Model((*setting)(nil)).Count(t.Context())
	require.NoError(t, err, "Reader() sees the same database")
	assert.Zero(t, n)
	_, err = b.Reader().ExecContext(t.Context(), "INSERT INTO settings (value) VALUES ('x')")
	require.Error(t, err, "and cannot write to it")
}

func TestConfigMadeInCode(t *testing.T) {
	_, err := manager.New(t.Context(), &manager.Config{})
	require.ErrorIs(t, err, manager.ErrNoBinds)
	_, err = manager.New(t.Context(), &manager.Config{Default: "c", Binds: []manager.BindConfig{
		{Key: "a", Writer: binds.NewURI("sqlite::memory:"), Policy: "best"},
		{Key: "a", Writer: binds.NewURI("mysql://app:s3cret@db/x")},
		{Key: "b"},
	}})
	for _, want := range []string{
		`manager: config: binds.a.policy: unknown policy "best"`,
		`manager: config: binds.a: the bind "a" is given twice`,
		`manager: config: binds.a.writer: no driver for scheme "mysql" (forgotten import of mysqlbind?)`,
		`manager: config: binds.b: a bind needs a writer`,
		`manager: config: default: unknown bind "c"`,
	} {
		require.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "s3cret")
	_, err = manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{
		{Key: "a", Writer: binds.NewURI("sqlite::memory:"), Fallback: "none"},
	}})
	require.ErrorContains(t, err, `"none" needs readers`)
}

func TestOpenFailsWhole(t *testing.T) {
	var log testlog.Buffer
	dir := filepath.ToSlash(t.TempDir())
	_, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{
		{Key: "good", Writer: binds.NewURI("sqlite://" + dir + "/good.db")},
		{Key: "bad", Writer: binds.NewURI("sqlite://" + dir + "/no/such/dir/bad.db")},
		{Key: "worse", Writer: binds.NewURI("sqlite://" + dir + "/neither/worse.db")},
	}}, manager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	var connect *binds.ConnectError
	require.ErrorAs(t, err, &connect)
	assert.Contains(t, err.Error(), `binds: connect "bad/writer": `)
	assert.Contains(t, err.Error(), `binds: connect "worse/writer": `, "all failures are told")
	assert.Contains(t, log.String(), "bad/reader-1")
}

type firstReader struct{ picked int }

func (p *firstReader) Pick(readers []*router.Reader) *router.Reader { p.picked++; return readers[0] }

func TestWithPolicy(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	uri := binds.NewURI("sqlite://" + dir + "/a.db")
	cfg := &manager.Config{Binds: []manager.BindConfig{{Key: "accounts", Writer: uri, Readers: []manager.ReaderConfig{{URI: uri}, {URI: uri}}}}}
	p := new(firstReader)
	m, err := manager.New(t.Context(), cfg, manager.WithPolicy(accounts{}, p))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.NoError(t, m.NewRaw(accounts{}, "SELECT 1").Scan(t.Context(), new(int)))
	assert.Equal(t, 1, p.picked)
	require.NoError(t, mustBind(t, m).Reader().PingContext(t.Context()), "a pool over several readers")

	_, err = manager.New(t.Context(), cfg, manager.WithPolicy(audit{}, p))
	var unknown *binds.UnknownBindError
	require.ErrorAs(t, err, &unknown)
}

func TestClosed(t *testing.T) {
	m := open(t)
	b := mustBind(t, m)
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.NewSelect(new(user)).Scan(t.Context()), manager.ErrClosed)
	_, err := m.NewInsert(new(user)).Exec(t.Context())
	require.ErrorIs(t, err, manager.ErrClosed)
	_, err = m.Bind(accounts{})
	require.ErrorIs(t, err, manager.ErrClosed)
	require.ErrorIs(t, m.Check(t.Context()).Err(), manager.ErrClosed)
	for _, db := range []*bun.DB{b.DB(), b.Writer(), b.Reader(), b.Native()} {
		require.Error(t, db.NewRaw("SELECT 1").Scan(t.Context(), new(int)), "a DB that outlived its manager")
	}
}

// TestConcurrentUse lets the race detector look at everything that is made on first use.
func TestConcurrentUse(t *testing.T) {
	m := open(t)
	errs := make(chan error)
	for range 8 {
		go func() {
			b, err := m.Bind(accounts{})
			if err != nil {
				errs <- err
				return
			}
			_, insert := m.NewInsert(&user{Name: "x"}).Exec(context.Background())
			_, read := b.Reader().NewSelect().Model((*user)(nil)).Count(context.Background())
			_, native := b.Native().NewSelect().Model((*user)(nil)).Count(context.Background())
			_, write := b.Writer().NewUpdate().Model((*user)(nil)).Set("name = 'y'").Where("1 = 1").Exec(context.Background())
			errs <- errors.Join(insert, read, native, write)
		}()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
}
