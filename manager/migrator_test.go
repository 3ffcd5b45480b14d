package manager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// files makes a file system of names below migrations/ and what is in them.
func files(texts map[string]string) fstest.MapFS {
	fsys := make(fstest.MapFS)
	for name, text := range texts {
		fsys["migrations/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

var cityFiles = map[string]string{
	"accounts/20240101_cities.tx.up.sql":   "CREATE TABLE cities (name TEXT)",
	"accounts/20240101_cities.tx.down.sql": "DROP TABLE cities",
	"accounts/20240102_rome.up.sql":        "INSERT INTO cities VALUES ('Rome');\n--bun:split\nINSERT INTO cities VALUES ('Ostia')",
	"accounts/20240102_rome.down.sql":      "DELETE FROM cities",
	"audit/20240101_log.up.sql":            "CREATE TABLE log (line TEXT)",
	"audit/README.md":                      "not a migration",
}

func migratorOf(t *testing.T, m *manager.DBManager, texts map[string]string, opts ...manager.MigratorOption) *manager.Migrator {
	t.Helper()
	b := mustBind(t, m)
	migrations, err := manager.MigrationsFrom(files(texts), b)
	require.NoError(t, err)
	return b.Migrator(migrations, opts...)
}

func cities(t *testing.T, m *manager.DBManager) (names []string) {
	t.Helper()
	require.NoError(t, m.NewRaw(accounts{}, "SELECT name FROM cities ORDER BY 1").Scan(t.Context(), &names))
	return names
}

func TestMigrateUpAndDown(t *testing.T) {
	m, ctx := open(t), t.Context()
	g := migratorOf(t, m, cityFiles)

	plan, err := g.Up(ctx, manager.DryRun())
	require.NoError(t, err)
	assert.Equal(t, "group #1 (20240101_cities, 20240102_rome)", plan.String())
	s, err := g.Status(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{"20240101_cities", "20240102_rome"}, s.Pending(), "a dry run runs nothing")
	var tables []string
	require.NoError(t, m.NewRaw(accounts{}, "SELECT name FROM sqlite_master WHERE name LIKE 'bun%' OR name = 'cities'").Scan(ctx, &tables))
	assert.Empty(t, tables, "and neither it nor a look at the status makes tables")

	done, err := g.Up(ctx)
	require.NoError(t, err)
	assert.Equal(t, plan.String(), done.String())
	assert.Equal(t, []string{"Ostia", "Rome"}, cities(t, m))
	done, err = g.Up(ctx)
	require.NoError(t, err)
	assert.True(t, done.IsZero(), "nothing is left")

	more := map[string]string{"accounts/20240103_more.up.sql": "INSERT INTO cities VALUES ('Paris')"}
	for name, text := range cityFiles {
		more[name] = text
	}
	later := migratorOf(t, m, more)
	done, err = later.Up(ctx)
	require.NoError(t, err)
	assert.Equal(t, "group #2 (20240103_more)", done.String())

	_, err = g.Down(ctx)
	require.ErrorContains(t, err, "unknown to this program, and the last group may be theirs: 20240103", "an older program does not undo its own")
	assert.Len(t, cities(t, m), 3)
	done, err = g.Up(ctx)
	require.NoError(t, err, "but it may start")
	assert.True(t, done.IsZero())

	for _, want := range []string{"group #2 (20240103_more)", "group #1 (20240101_cities, 20240102_rome)"} {
		plan, err = later.Down(ctx, manager.DryRun())
		require.NoError(t, err)
		assert.Equal(t, want, plan.String())
		done, err = later.Down(ctx)
		require.NoError(t, err)
		assert.Equal(t, want, done.String())
	}
	done, err = later.Down(ctx)
	require.NoError(t, err)
	assert.True(t, done.IsZero())
	assert.Error(t, m.NewRaw(accounts{}, "SELECT 1 FROM cities").Scan(ctx, new(int)))
}

// The notes of migrations live in every bind, also where a guard looks at what is written in transactions.
func TestMigrateWithGuard(t *testing.T) {
	m := open(t, manager.WithGuard())
	g := migratorOf(t, m, cityFiles) // of a bind that is not the default
	for range 2 {
		done, err := g.Up(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "group #1 (20240101_cities, 20240102_rome)", done.String())
		_, err = g.Down(t.Context())
		require.NoError(t, err)
	}
}

func TestMigrationStatus(t *testing.T) {
	m, ctx := open(t), t.Context()
	_, err := migratorOf(t, m, cityFiles).Up(ctx)
	require.NoError(t, err)
	g := migratorOf(t, m, map[string]string{
		"accounts/20240101_cities.up.sql": "", "accounts/20240105_new.up.sql": "",
	})
	s, err := g.Status(ctx)
	require.NoError(t, err)
	assert.Regexp(t, `^MIGRATION        STATUS
20240101_cities  applied 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d, group 1
20240102         applied 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d, group 1, unknown to this program
20240105_new     pending
$`, s.String())
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(text), `{"bind":"accounts","migrations":[{"name":"20240101_cities","applied":true,"known":true,"group":1,"at":"20`)
	assert.Contains(t, string(text), `{"name":"20240105_new","applied":false,"known":true}`)
}

func TestFailedMigration(t *testing.T) {
	for name, row := range map[string]struct {
		file, left string
	}{
		"in a transaction": {"20240102_bad.tx", "none"},
		"without one":      {"20240102_bad", "Rome"},
	} {
		t.Run(name, func(t *testing.T) {
			m, ctx := open(t), t.Context()
			texts := map[string]string{
				"accounts/20240101_cities.up.sql":     "CREATE TABLE cities (name TEXT)",
				"accounts/" + row.file + ".up.sql":    "INSERT INTO cities VALUES ('Rome');\n--bun:split\nINSERT INTO citees VALUES ('Ostia')",
				"accounts/20240103_last.up.sql":       "INSERT INTO cities VALUES ('Paris')",
				"accounts/" + row.file + ".down.sql":  "DELETE FROM citees",
				"accounts/20240101_cities.down.sql":   "DROP TABLE cities",
				"accounts/20240103_last.tx.down.sql":  "DELETE FROM cities WHERE name = 'Paris'",
				"accounts/ignored/20240109.go.sql.md": "",
			}
			done, err := migratorOf(t, m, texts).Up(ctx)
			var e *manager.MigrationError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "20240102_bad", e.Name)
			assert.Equal(t, []string{"20240101_cities"}, e.Done)
			assert.Equal(t, []string{"20240102_bad", "20240103_last"}, e.Left)
			assert.Equal(t, "group #1 (20240101_cities)", done.String())
			assert.EqualError(t, err, `manager: migrate bind "accounts" up: 20240102_bad failed: `+
				`SQL logic error: no such table: citees (1); applied by this run: 20240101_cities; not applied: 20240102_bad, 20240103_last; `+
				`a .tx.sql migration was rolled back: mend it and try again; undo by hand what another one did before it failed`)
			if row.left == "none" {
				assert.Empty(t, cities(t, m))
			} else {
				assert.Equal(t, []string{row.left}, cities(t, m))
			}

			texts["accounts/"+row.file+".up.sql"] = "INSERT INTO cities VALUES ('Naples')"
			g := migratorOf(t, m, texts)
			done, err = g.Up(ctx)
			require.NoError(t, err, "mended, it goes on where it stopped")
			assert.Equal(t, "group #2 (20240102_bad, 20240103_last)", done.String())

			done, err = g.Down(ctx)
			require.ErrorAs(t, err, &e)
			assert.Equal(t, []string{"20240103_last"}, e.Done)
			assert.Equal(t, []string{"20240102_bad"}, e.Left)
			assert.Equal(t, "group #2 (20240103_last)", done.String())
			assert.Contains(t, err.Error(), `down: 20240102_bad failed: SQL logic error: no such table: citees (1); undone by this run: 20240103_last; still applied: 20240102_bad; `)
			assert.NotContains(t, cities(t, m), "Paris")
		})
	}
}

// TestGoMigrations has models of the bind, and of another one.
func TestGoMigrations(t *testing.T) {
	m, ctx := open(t), t.Context()
	migrations := migrate.NewMigrations()
	add := func(name string, up migrate.MigrationFunc) {
		migrations.Add(migrate.Migration{Name: name, Up: func(ctx context.Context, g *migrate.Migrator, _ *migrate.Migration) error {
			return up(ctx, g.DB())
		}})
	}
	add("1", func(ctx context.Context, db *bun.DB) error {
		_, err := db.NewInsert().Model(&user{Name: "Alice"}).Exec(ctx)
		return err
	})
	add("2", func(ctx context.Context, db *bun.DB) error {
		_, err := db.NewInsert().Model(&entry{Text: "x"}).Exec(ctx)
		return err
	})
	_, err := mustBind(t, m).Migrator(migrations).Up(ctx)
	require.ErrorContains(t, err, `2_ failed: router: model manager_test.entry lives in bind "audit" but was queried on bind "accounts"`)
	n, err := m.NewSelect((*user)(nil)).Count(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

func TestMigratorsAtOnce(t *testing.T) {
	m := open(t)
	errs := make([]error, 8)
	ran := make([]int, 8)
	var wg sync.WaitGroup
	for i := range errs {
		g := migratorOf(t, m, cityFiles)
		wg.Go(func() {
			group, err := g.Up(t.Context())
			errs[i], ran[i] = err, len(group.Migrations)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	sum := 0
	for _, n := range ran {
		sum += n
	}
	assert.Equal(t, 2, sum, "each ran once")
	assert.Equal(t, []string{"Ostia", "Rome"}, cities(t, m))
}

// TestMigrationsRunUnderTheLock holds it: a migration waits, a look at the status does not.
func TestMigrationsRunUnderTheLock(t *testing.T) {
	m := open(t)
	g := migratorOf(t, m, cityFiles)
	l, err := m.Lock(t.Context(), accounts{}, "migrations")
	require.NoError(t, err)
	_, err = g.Up(t.Context(), manager.DryRun())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = g.Up(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var e *manager.MigrationError
	require.ErrorAs(t, err, &e)
	_, err = g.Down(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	s, err := g.Status(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Pending(), 2)
	require.NoError(t, l.Unlock())
}

// TestMigrationThatCannotBeNoted has the note of it refused.
func TestMigrationThatCannotBeNoted(t *testing.T) {
	m := open(t)
	g := migratorOf(t, m, map[string]string{"accounts/1_a.up.sql": "CREATE TABLE cities (name TEXT)\n--bun:split\n" +
		"CREATE TRIGGER no_notes BEFORE INSERT ON bun_migrations BEGIN SELECT RAISE(ABORT, 'no notes'); END"})
	_, err := g.Up(t.Context())
	var e *manager.MigrationError
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Unnoted)
	assert.ErrorContains(t, err, `manager: migrate bind "accounts" up: 1_a ran, and that could not be noted: `)
	assert.ErrorContains(t, err, `not applied: 1_a; it will run again: see that it can`)
}

func TestMigratorOptions(t *testing.T) {
	m, ctx := open(t), t.Context()
	var hooked []string
	g := migratorOf(t, m, map[string]string{"accounts/1_a.up.sql": "CREATE TABLE {{.Name}} (name TEXT)"},
		manager.WithMigrationsTable("my_notes"), manager.WithMigrateOptions(
			migrate.WithTemplateData(map[string]string{"Name": "cities"}),
			migrate.WithTableName("ignored"), migrate.WithMarkAppliedOnSuccess(false),
			migrate.BeforeMigration(func(_ context.Context, _ bun.IConn, m *migrate.Migration) error {
				hooked = append(hooked, m.Name)
				return nil
			})))
	_, err := g.Up(ctx)
	require.NoError(t, err)
	assert.Empty(t, cities(t, m))
	assert.Equal(t, []string{"1"}, hooked)
	var n int
	require.NoError(t, m.NewRaw(accounts{}, "SELECT count(*) FROM my_notes").Scan(ctx, &n))
	assert.Equal(t, 1, n)
}

func TestMigrationsInATransactionAreRefused(t *testing.T) {
	m := open(t)
	g := migratorOf(t, m, cityFiles)
	err := m.InTx(t.Context(), accounts{}, func(ctx context.Context) error {
		_, up := g.Up(ctx)
		_, down := g.Down(ctx)
		create := m.CreateTables(router.AllowCrossBind(ctx), (*shelf)(nil), (*page)(nil))
		for _, err := range []error{up, down, create, m.DropTables(ctx, (*shelf)(nil))} {
			assert.ErrorContains(t, err, "the context has an open transaction on this bind")
		}
		assert.Len(t, tableErrors(create), 1)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"shelves"}, missing(m.Check(t.Context(), (*shelf)(nil), (*page)(nil))), "the other bind's table is made")
}

func TestNoMigrations(t *testing.T) {
	m := open(t)
	_, err := mustBind(t, m).Migrator(migrate.NewMigrations()).Up(t.Context())
	require.EqualError(t, err, `manager: migrate bind "accounts" up: migrate: there are no migrations`)
}

func TestMigrationFiles(t *testing.T) {
	b := mustBind(t, open(t))
	for name, row := range map[string]struct {
		files []string
		want  string
	}{
		"no directory":              {[]string{"acounts/1_a.up.sql", "audit/1_a.up.sql"}, "migrations/accounts: file does not exist (have migrations/acounts, migrations/audit)"},
		"no directories":            {nil, "(have none)"},
		"a wrong name":              {[]string{"accounts/1_a.up.sql", "accounts/2_b.sql"}, "migrations/accounts/2_b.sql: its name must be like 20240101_users.up.sql"},
		"upper case":                {[]string{"accounts/1_A.up.sql"}, "migrations/accounts/1_A.up.sql: its name must be"},
		"no number":                 {[]string{"accounts/a.up.sql"}, "migrations/accounts/a.up.sql: its name must be"},
		"a number twice":            {[]string{"accounts/1_a.up.sql", "accounts/1_b.tx.up.sql"}, "migrations/accounts/1_b.tx.up.sql: its number is that of migrations/accounts/1_a.up.sql"},
		"down without up":           {[]string{"accounts/1_a.down.sql"}, "migrations/accounts/1_a.down.sql: it undoes nothing"},
		"a directory of no bind":    {[]string{"accounts/1_a.up.sql", "acounts/1_a.up.sql"}, `migrations/acounts: there is no bind "acounts" (did you mean "accounts"?): nobody runs these migrations (have accounts`},
		"below one of no bind":      {[]string{"accounts/1_a.up.sql", "old/2023/1_a.up.sql"}, `migrations/old: there is no bind "old"`},
		"in no directory":           {[]string{"accounts/1_a.up.sql", "2_b.up.sql"}, "migrations/2_b.up.sql: it lies in no bind's directory: move it to migrations/<bind key>"},
		"another directory's alone": {[]string{"acounts/1_a.up.sql"}, `migrations/acounts: there is no bind "acounts"`},
		"two of one number":         {[]string{"accounts/1_a.up.sql", "accounts/1_b.down.sql"}, "duplicate migration ID 1"},
	} {
		t.Run(name, func(t *testing.T) {
			texts := make(map[string]string)
			for _, file := range row.files {
				texts[file] = ""
			}
			_, err := manager.MigrationsFrom(files(texts), b)
			require.ErrorContains(t, err, `manager: migrations of bind "accounts": `)
			require.ErrorContains(t, err, row.want)
		})
	}
}

// TestMigrationDirectories leaves alone what is no migration, and the migrations of other binds.
func TestMigrationDirectories(t *testing.T) {
	b := mustBind(t, open(t))
	_, err := manager.MigrationsFrom(files(map[string]string{
		"accounts/1_a.up.sql": "SELECT 1", "audit/1_a.up.sql": "SELECT 1", "README.md": "", "docs/how.md": "", "testdata/x/y.txt": "",
	}), b)
	require.NoError(t, err)
}

func ExampleBind_Migrator() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	accounts, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	// In a program: //go:embed migrations
	sources := fstest.MapFS{
		"migrations/accounts/20240101_teams.tx.up.sql":   {Data: []byte("CREATE TABLE teams (name TEXT)")},
		"migrations/accounts/20240101_teams.tx.down.sql": {Data: []byte("DROP TABLE teams")},
	}
	migrations, err := manager.MigrationsFrom(sources, accounts)
	if err != nil {
		panic(err)
	}
	g := accounts.Migrator(migrations)
	for range 2 {
		group, err := g.Up(ctx)
		fmt.Println(group, err)
	}
	group, err := g.Down(ctx)
	fmt.Println(group, err)
	// Output:
	// group #1 (20240101_teams) <nil>
	// nil <nil>
	// group #1 (20240101_teams) <nil>
}

func ExampleAssumePending() {
	m, done := exampleManager()
	defer done()
	ctx := context.Background()
	accounts, err := m.Bind(Accounts{})
	if err != nil {
		panic(err)
	}
	// As a program of before has left it, which did not tell binds apart: whose the note is, nobody knows. Another bind of
	// the database has migrated first, and taken it over.
	for _, query := range []string{
		"CREATE TABLE bun_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR, group_id INTEGER, migrated_at TIMESTAMP DEFAULT current_timestamp)",
		"INSERT INTO bun_migrations (name, group_id) VALUES ('20240101', 1)",
		"CREATE TABLE bun_migrations_binds (migration_id INTEGER, bind VARCHAR, name VARCHAR, state SMALLINT, PRIMARY KEY (migration_id, bind))",
		"INSERT INTO bun_migrations_binds VALUES (1, 'audit', '20240101', 2)",
	} {
		if _, err := m.NewRaw(Accounts{}, query).Exec(ctx); err != nil {
			panic(err)
		}
	}
	migrations, err := manager.MigrationsFrom(fstest.MapFS{
		"migrations/accounts/20240101_teams.up.sql": {Data: []byte("CREATE TABLE teams (name TEXT)")},
	}, accounts)
	if err != nil {
		panic(err)
	}
	g := accounts.Migrator(migrations)
	_, err = g.Up(ctx)
	var doubted *manager.DoubtedMigrationsError
	fmt.Println(errors.As(err, &doubted), doubted.Holder, doubted.Names)
	group, err := g.Up(ctx, manager.AssumePending()) // a look has shown that there is no table of teams
	fmt.Println(group, err)
	group, err = g.Up(ctx)
	fmt.Println(group, err)
	// Output:
	// true audit [20240101_teams]
	// group #1 (20240101_teams) <nil>
	// nil <nil>
}

// TestMigrationsTables gives the table of notes names as SQL writes them.
func TestMigrationsTables(t *testing.T) {
	for table, claims := range map[string]string{
		"notes": "notes_binds", `"my notes"`: "my notes_binds", "main.notes2": "notes2_binds", `"main"."notes3"`: "notes3_binds",
	} {
		t.Run(table, func(t *testing.T) {
			m, ctx := open(t), t.Context()
			g := migratorOf(t, m, cityFiles, manager.WithMigrationsTable(table))
			_, err := g.Up(ctx)
			require.NoError(t, err)
			group, err := g.Up(ctx)
			require.NoError(t, err)
			assert.True(t, group.IsZero())
			var n int
			require.NoError(t, m.NewRaw(accounts{}, "SELECT count(*) FROM ? WHERE bind = 'accounts' AND state = 1", bun.Ident(claims)).Scan(ctx, &n))
			assert.Equal(t, 2, n)
			group, err = g.Down(ctx)
			require.NoError(t, err)
			assert.Len(t, group.Migrations, 2)
		})
	}
}

// TestMigrationWaitsForAWriter begins a migration while a transaction writes to the same SQLite file.
func TestMigrationWaitsForAWriter(t *testing.T) {
	m, ctx := open(t), t.Context()
	g := migratorOf(t, m, cityFiles)
	done := make(chan error, 1)
	require.NoError(t, m.InTx(ctx, accounts{}, func(ctx context.Context) error {
		_, err := m.NewInsert(&user{Name: "Alice"}).Exec(ctx)
		require.NoError(t, err)
		go func() {
			_, err := g.Up(t.Context())
			done <- err
		}()
		require.Eventually(t, func() bool { // until it has the lock, and wants to write
			l, err := m.Lock(t.Context(), accounts{}, "migrations", manager.TryOnly())
			if err == nil {
				require.NoError(t, l.Unlock())
			}
			return errors.Is(err, manager.ErrLockTimeout)
		}, time.Minute, time.Millisecond)
		return nil
	}))
	require.NoError(t, <-done)
	assert.Equal(t, []string{"Ostia", "Rome"}, cities(t, m))
}
