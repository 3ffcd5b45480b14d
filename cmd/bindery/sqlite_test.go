package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

const twoFiles = "[binds.shop]\nwriter = \"sqlite:shop.db\"\n[binds.audit]\nwriter = \"sqlite:audit.db\"\nmax_lag = \"3s\"\n"

// Wrong use is 2, in one form, with what to do.
func TestWrongUse(t *testing.T) {
	t.Parallel()
	p := in(t, twoFiles)
	for _, test := range []struct {
		args []string
		says string
	}{
		{nil, "a command is missing"},
		{[]string{"chekc"}, `unknown command "chekc"`},
		{[]string{"migrate", "upp"}, `unknown command "upp"`},
		{[]string{"migrate"}, "status, up, down, create or baseline"},
		{[]string{"check", "--nope"}, "unknown flag: --nope"},
		{[]string{"check", "more"}, `unknown command "more"`},
		{[]string{"check", "--bind", "shopp"}, `no bind "shopp" in config.toml (have shop, audit)`},
		{[]string{"check", "--timeout", "-1s"}, "must not be negative"},
		{[]string{"route"}, "accepts 1 arg(s)"},
		{[]string{"route", " "}, "statement is empty"},
		{[]string{"status", "--interval", "1ms"}, "100ms or more"},
		{[]string{"locks", "--name", ""}, "empty"},
		{[]string{"bench-lag", "--rate", "0"}, "--rate"},
		{[]string{"bench-lag"}, "give --yes"},
		{[]string{"migrate", "status"}, "name the folder of migrations with --dir"},
		{[]string{"migrate", "create", "Add Email", "--bind", "shop"}, "as in add_email"},
		{[]string{"migrate", "create", "x"}, "name it with --bind"},
		{[]string{"migrate", "baseline"}, "to"},
		{[]string{"check", "--config", "elsewhere.toml"}, "--config or $BINDERY_CONFIG"},
	} {
		r := p.run(test.args...)
		assert.Equal(t, exitUsage, r.code, test.args)
		assert.Contains(t, r.err, test.says, test.args)
		assert.Contains(t, r.err, "bindery: ")
	}
}

// All mistakes of a file are told at once, with their lines, whichever command it is.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	p := in(t, "[binds.shop]\nwriter = \"postgres://app:"+canary+"@db1/shop?sslmode=nonsense\"\nmax_lagg = \"1s\"\npolicy = \"fastest\"\n")
	for _, args := range [][]string{{"check"}, {"check", "--json"}, {"status"}, {"route", "SELECT 1"}, {"config"}, {"config", "--json"}, {"locks"}, {"bench-lag", "--yes"}, {"migrate", "create", "x"}} {
		r := p.run(args...)
		assert.Equal(t, exitUsage, r.code, args)
		assert.Empty(t, r.out, args)
		for _, line := range []string{"bindery: config.toml:2: ", "bindery: config.toml:3: ", "bindery: config.toml:4: "} {
			assert.Contains(t, r.err, line, args)
		}
	}
	assert.Contains(t, p.run("check").err, "max_lag")
}

func TestCheckAndStatusOnFiles(t *testing.T) {
	t.Parallel()
	p := in(t, twoFiles)
	r := p.run("check")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "audit/reader-1")
	r = p.run("check", "--bind", "audit", "--json")
	report := decode[struct {
		OK, Ready bool
		Binds     []struct{ Bind string }
	}](t, r.out)
	assert.True(t, report.OK && report.Ready)
	require.Len(t, report.Binds, 1)
	assert.Equal(t, "audit", report.Binds[0].Bind)

	p.env = []string{"BINDERY_CONFIG=" + filepath.Join(p.dir, "config.toml")}
	p.dir = t.TempDir()
	r = p.run("status", "--once")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "ENGINE")
	assert.Contains(t, r.out, "shop/writer")
}

// It follows until Ctrl-C: a line for each engine and look, or an object for each look.
func TestStatusFollows(t *testing.T) {
	t.Parallel()
	p := in(t, twoFiles)
	cmd, out, errs := p.command("status", "--interval", "100ms")
	require.NoError(t, cmd.Start())
	p.eventually(func() bool { return strings.Count(out.String(), "shop/writer") > 2 }, "it does not follow")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	r := p.wait(cmd, out, errs)
	assert.Equal(t, exitInterrupted, r.code)
	assert.Empty(t, r.err)
	assert.NotContains(t, r.out, "\x1b")
	assert.NotContains(t, r.out, "ENGINE")

	r = p.interrupt(`"shop/writer"`, "status", "--interval", "100ms", "--json")
	assert.Equal(t, exitInterrupted, r.code)
	for _, look := range lines[struct {
		OK      bool
		Engines []engineStatus
	}](t, r.out) {
		assert.True(t, look.OK)
		assert.Len(t, look.Engines, 4)
		assert.Equal(t, 1, look.Engines[0].Pool, "a file has one writing connection")
	}
}

// The statement is judged and never run.
func TestRouteOnFiles(t *testing.T) {
	t.Parallel()
	p := in(t, twoFiles)
	r := p.run("route", "DROP TABLE items; SELECT '"+canary+"'")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Regexp(t, `because +DROP: `, r.out)
	assert.Regexp(t, `runs on +shop/writer: `, r.out)
	r = p.feed("SELECT 'a' FROM items", "route", "-", "--bind", "audit,shop", "--json")
	require.Equal(t, exitOK, r.code, r.err)
	list := lines[routing](t, r.out)
	require.Len(t, list, 2)
	assert.Equal(t, routing{Bind: "shop", Statement: "SELECT ? FROM items", Kind: "read", Engine: "shop/reader-1", Role: "reader", Reason: "plain_read"}, list[0])
	assert.Equal(t, "audit/reader-1", list[1].Engine)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	p := in(t, `default = "shop"
[defaults]
max_lag = "5s"
[binds.audit]
writer = "sqlite:audit.db"
[binds.shop]
writer = "postgres://app@${SHOP_HOST}/shop?sslmode=disable"
readers = ["postgres://app@db2/shop?sslmode=disable"]
password_file = "shop.password"
cursor_keys = ["Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5MDE="]
[binds.jobs]
writer = "mysql://app:`+canary+`@db4/jobs"
`)
	p.write("shop.password", canary)
	p.env = []string{"SHOP_HOST=db1"}
	r := p.run("config")
	require.Equal(t, exitOK, r.code, r.err)
	assert.NotContains(t, r.out, "Y2FuYXJ5")
	for _, want := range []string{
		`default = "shop"`, `writer = "postgres://app@db1/shop?sslmode=disable"`, "config.toml:7, ${SHOP_HOST}",
		`writer = "mysql://app@db4/jobs"`, "with a password, which is not shown", "# cursor_keys: config.toml:10, 1, which are not shown",
		"# audit/writer has 1 connection at most", `policy = "least_loaded"`,
	} {
		assert.Contains(t, r.out, want)
	}
	assert.Regexp(t, `max_lag = "5s" +# config.toml:3`, r.out)
	r = p.run("config", "--bind", "shop", "--json")
	require.Equal(t, exitOK, r.code, r.err)
	shown := decode[struct {
		Default string
		Binds   []bindConfig
	}](t, r.out)
	assert.Equal(t, "shop", shown.Default)
	require.Len(t, shown.Binds, 1)
	for _, s := range shown.Binds[0].Settings {
		switch s.Key {
		case "max_lag":
			assert.Equal(t, settingJSON{Key: "max_lag", Value: "5s", Source: "config.toml:3", Line: 3}, s)
		case "pool.max_open":
			assert.Equal(t, settingJSON{Key: "pool.max_open", Value: 30.0, Source: "default"}, s)
		}
	}
}

// A migration's life, from its files to its undoing.
func TestMigrateOnFiles(t *testing.T) {
	t.Parallel()
	p := in(t, twoFiles)
	create := func(name string, more ...string) string {
		t.Helper()
		r := p.run(append([]string{"migrate", "create", name, "--bind", "shop"}, more...)...)
		require.Equal(t, exitOK, r.code, r.err)
		made := strings.Fields(r.out)
		require.Len(t, made, 2)
		return made[0]
	}
	first, second := create("items"), create("prices")
	assert.Less(t, first, second, "two in a second")
	assert.Contains(t, create("later", "--no-tx", "--number", "99"), "migrations/shop/99_later.up.sql")
	r := p.run("migrate", "create", "again", "--bind", "shop")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "would not come after 99")
	r = p.run("migrate", "create", "again", "--bind", "shop", "--number", "99")
	assert.Contains(t, r.err, "has the number 99 already")
	for _, name := range []string{"99_later.up.sql", "99_later.down.sql"} {
		require.NoError(t, os.Remove(filepath.Join(p.dir, "migrations/shop", name)))
	}
	p.write(first, "CREATE TABLE items (id INTEGER)")
	p.write(strings.Replace(first, ".up.", ".down.", 1), "DROP TABLE items")
	p.write(second, "NONSENSE")
	p.write("migrations/audit/1_log.up.sql", "CREATE TABLE log (line TEXT)")

	r = p.run("migrate", "up", "--dry-run")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "shop: would up ")
	r = p.run("migrate", "up")
	assert.Equal(t, exitFailed, r.code)
	assert.Regexp(t, `shop: 1/2 up \d+_items done in `, r.out)
	assert.Regexp(t, `shop: 2/2 up \d+_prices failed after `, r.out)
	assert.Contains(t, r.err, "mend it and try again")
	assert.Contains(t, r.err, "binds done before: none; not begun: audit")
	p.write(second, "CREATE TABLE prices (id INTEGER)")
	r = p.run("migrate", "up", "--json")
	require.Equal(t, exitOK, r.code, r.err)
	steps := lines[stepJSON](t, r.out)
	require.Len(t, steps, 2)
	assert.Equal(t, "1_log", steps[1].Migration)
	assert.Contains(t, p.run("migrate", "up").out, "audit: nothing is pending")
	r = p.run("migrate", "status", "--json")
	status := lines[struct {
		Migrations []struct{ Applied bool }
	}](t, r.out)
	require.Len(t, status, 2)
	assert.True(t, status[0].Migrations[1].Applied)

	r = p.run("migrate", "down", "--bind", "shop")
	assert.Equal(t, exitUsage, r.code, "nobody can be asked")
	assert.Contains(t, r.err, "will undo ")
	assert.Contains(t, p.run("migrate", "down", "--bind", "shop", "--dry-run").out, "would down ")
	r = p.run("migrate", "down", "--bind", "shop", "--yes")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Regexp(t, `shop: 1/1 down \d+_prices done in `, r.out, "the last run's, which has no down part of its own")
	r = p.run("migrate", "down", "--bind", "shop", "--yes")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, p.run("migrate", "down", "--bind", "shop", "--yes").out, "nothing is applied")

	assert.Equal(t, exitUsage, p.run("migrate", "baseline", "--to", "latest").code, "of two binds")
	assert.Contains(t, p.run("migrate", "baseline", "--bind", "shop", "--to", "latest", "--dry-run").out, "would baseline ")
	r = p.run("migrate", "baseline", "--bind", "shop", "--to", "latest")
	require.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, p.run("migrate", "up", "--bind", "shop").out, "nothing is pending")
	r = p.run("migrate", "baseline", "--bind", "shop", "--to", "7")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, `there is no migration "7"`)
	p.write("migrations/nobody/1_x.up.sql", "SELECT 1")
	r = p.run("migrate", "status")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, `there is no bind "nobody"`)
}

// Of two binds of one database, whose notes are from before notes knew of binds, the second says what is so.
func TestMigrateInDoubt(t *testing.T) {
	t.Parallel()
	p := in(t, "[binds.a]\nwriter = \"sqlite:both.db\"\n[binds.b]\nwriter = \"sqlite:both.db\"\n")
	p.write("migrations/a/1_x.up.sql", "CREATE TABLE IF NOT EXISTS x (id INTEGER)")
	p.write("migrations/b/1_y.up.sql", "CREATE TABLE y (id INTEGER)")
	require.Equal(t, exitOK, p.run("migrate", "up", "--bind", "a").code)
	e, err := binds.Open(t.Context(), "a/writer", "sqlite://"+p.dir+"/both.db")
	require.NoError(t, err)
	_, err = e.DB().ExecContext(t.Context(), "DROP TABLE bun_migrations_binds")
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.Equal(t, exitOK, p.run("migrate", "up", "--bind", "a").code)
	r := p.run("migrate", "up", "--bind", "b")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "1_y")
	r = p.run("migrate", "up", "--bind", "b", "--assume-applied", "all", "--dry-run")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "b: nothing is pending")
	r = p.run("migrate", "up", "--bind", "b", "--assume-pending", "1_y")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "b: 1/1 up 1_y done in ")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	p := in(t, twoFiles)
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		assert.NotEmpty(t, cmd.Example, cmd.CommandPath())
		assert.NotEmpty(t, cmd.Long, cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
	assert.Contains(t, p.run("--help").out, "Exit codes:")
	assert.Contains(t, p.run("--version").out, "bindery version")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := p.run("completion", shell)
		assert.Equal(t, exitOK, r.code, r.err)
		assert.Contains(t, r.out, "bindery")
	}
	assert.Contains(t, p.run("__complete", "check", "--bind", "").out, "audit", "the shell completes binds")
	r := p.run("man")
	assert.Contains(t, r.out, ".TH \"BINDERY\"")
	r = p.run("man", "--dir", "pages")
	assert.Equal(t, exitOK, r.code, r.err)
	page, err := os.ReadFile(filepath.Join(p.dir, "pages", "bindery-migrate-up.1"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "EXAMPLE")
}
