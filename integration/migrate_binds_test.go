package integration_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// twoBinds are migrations of two binds, with the same numbers but for one.
var twoBinds = fstest.MapFS{}

func init() {
	for name, text := range map[string]string{
		"shop/1_wares.up.sql":      "CREATE TABLE wares (id INTEGER)",
		"shop/1_wares.down.sql":    "DROP TABLE wares",
		"shop/2_ware.up.sql":       "INSERT INTO wares VALUES (1)",
		"shop/2_ware.down.sql":     "DELETE FROM wares",
		"audit/1_entries.up.sql":   "CREATE TABLE entries (id INTEGER)",
		"audit/2_entry.up.sql":     "INSERT INTO entries VALUES (1)",
		"audit/2_entry.down.sql":   "DELETE FROM entries",
		"audit/3_more.up.sql":      "CREATE TABLE more (id INTEGER)",
		"audit/3_more.down.sql":    "DROP TABLE more",
		"audit/1_entries.down.sql": "DROP TABLE entries",
	} {
		twoBinds["migrations/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
}

// sharedDatabase opens a manager whose binds shop and audit lie in one database.
func sharedDatabase(t *testing.T, writer string) *manager.DBManager {
	t.Helper()
	return openManager(t, config(map[string]string{"shop": writer, "audit": writer}, nil, "pool = { max_open = 1 }"))
}

func migrationsOf(t *testing.T, m *manager.DBManager, bind binds.Bound) (*manager.Bind, *migrate.Migrations) {
	t.Helper()
	b, err := m.Bind(bind)
	require.NoError(t, err)
	migrations, err := manager.MigrationsFrom(twoBinds, b)
	require.NoError(t, err)
	return b, migrations
}

func migratorOn(t *testing.T, m *manager.DBManager, bind binds.Bound) *manager.Migrator {
	t.Helper()
	b, migrations := migrationsOf(t, m, bind)
	return b.Migrator(migrations)
}

// bunMigratorOn is what a program of before migrates with: notes that know of no binds.
func bunMigratorOn(t *testing.T, m *manager.DBManager, bind binds.Bound) *migrate.Migrator {
	t.Helper()
	b, migrations := migrationsOf(t, m, bind)
	db := bun.NewDB(b.WriterEngine().DB(), b.Dialect())
	return migrate.NewMigrator(db, migrations, migrate.WithMarkAppliedOnSuccess(true))
}

func runBefore(t *testing.T, m *manager.DBManager, bind binds.Bound) *migrate.MigrationGroup {
	t.Helper()
	g := bunMigratorOn(t, m, bind)
	require.NoError(t, g.Init(t.Context()))
	group, err := g.Migrate(t.Context())
	require.NoError(t, err)
	return group
}

func count(t *testing.T, m *manager.DBManager, table string) (n int) {
	t.Helper()
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	require.NoError(t, b.Writer().NewRaw("SELECT count(*) FROM ?", bun.Safe(table)).Scan(t.Context(), &n))
	return n
}

func upOf(t *testing.T, g *manager.Migrator, opts ...manager.MigrateOption) []string {
	t.Helper()
	plan, err := g.Up(t.Context(), append(opts, manager.DryRun())...)
	require.NoError(t, err)
	group, err := g.Up(t.Context(), opts...)
	require.NoError(t, err)
	assert.Equal(t, plan.String(), group.String(), "as a dry run says")
	names := []string{}
	for _, m := range group.Migrations {
		names = append(names, m.String())
	}
	return names
}

// clearDatabase makes the database as it was.
func clearDatabase(t *testing.T, m *manager.DBManager) {
	t.Helper()
	for _, table := range []string{"wares", "entries", "more", "bun_migrations", "bun_migrations_binds", "bun_migration_locks"} {
		_, err := m.NewRaw(shop{}, "DROP TABLE IF EXISTS ?", bun.Safe(table)).Exec(t.Context())
		require.NoError(t, err)
	}
}

// TestMigrationsOfTwoBinds has two binds in one database, with the same numbers.
func TestMigrationsOfTwoBinds(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			writer, _, cluster := k.uris(t)
			if cluster == nil {
				writer = "sqlite://" + filepath.ToSlash(t.TempDir()) + "/shared.db"
			}
			for name, test := range map[string]func(*testing.T, func() *manager.DBManager){
				"each its own": twoBindsMigrateOneDatabase, "at once": bindsMigrateAtOnce, "an upgrade": migrationsOfBefore,
				"in doubt": migrationsInDoubt, "an index": uniqueNotes,
			} {
				t.Run(name, func(t *testing.T) {
					clearDatabase(t, sharedDatabase(t, writer))
					test(t, func() *manager.DBManager { return sharedDatabase(t, writer) })
				})
			}
		})
	}
}

// twoBindsMigrateOneDatabase has each bind run its own, and undo its own.
func twoBindsMigrateOneDatabase(t *testing.T, open func() *manager.DBManager) {
	ctx := t.Context()
	m := open()
	a, b := migratorOn(t, m, shop{}), migratorOn(t, m, audit{})
	assert.Equal(t, []string{"1_wares", "2_ware"}, upOf(t, a))
	assert.Equal(t, []string{"1_entries", "2_entry", "3_more"}, upOf(t, b))
	assert.Equal(t, []int{1, 1}, []int{count(t, m, "wares"), count(t, m, "entries")})
	assert.Empty(t, upOf(t, a))
	assert.Empty(t, upOf(t, b))
	s, err := a.Status(ctx)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(s.String(), "group 1\n"), s)
	assert.NotContains(t, s.String(), "unknown")

	group, err := b.Down(ctx)
	require.NoError(t, err)
	assert.Len(t, group.Migrations, 3)
	assert.Equal(t, 1, count(t, m, "wares"))
	assert.Empty(t, upOf(t, a), "the other bind's are applied still")
	assert.Equal(t, []string{"1_entries", "2_entry", "3_more"}, upOf(t, b))
	group, err = a.Down(ctx)
	require.NoError(t, err)
	assert.Len(t, group.Migrations, 2)
	assert.Equal(t, 1, count(t, m, "entries"))
	assert.Equal(t, 3, count(t, m, "bun_migrations"))
	assert.Equal(t, 3, count(t, m, "bun_migrations_binds"), "nothing is left of what was undone")
}

// bindsMigrateAtOnce has two binds, and two processes' managers for each, migrate at once.
func bindsMigrateAtOnce(t *testing.T, open func() *manager.DBManager) {
	m, other := open(), open()
	var wg sync.WaitGroup
	ran, errs := make([]int, 4), make([]error, 4)
	for i, g := range []*manager.Migrator{migratorOn(t, m, shop{}), migratorOn(t, m, audit{}), migratorOn(t, other, shop{}), migratorOn(t, other, audit{})} {
		wg.Go(func() {
			group, err := g.Up(t.Context())
			ran[i], errs[i] = len(group.Migrations), err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	assert.Equal(t, []int{2, 3}, []int{ran[0] + ran[2], ran[1] + ran[3]})
	assert.Equal(t, []int{1, 1}, []int{count(t, m, "wares"), count(t, m, "entries")})
}

// migrationsOfBefore upgrades a database whose notes know of no binds, while programs of before run beside.
func migrationsOfBefore(t *testing.T, open func() *manager.DBManager) {
	ctx := t.Context()
	m, other := open(), open()
	assert.Len(t, runBefore(t, m, audit{}).Migrations, 3)
	s, err := migratorOn(t, m, audit{}).Status(ctx)
	require.NoError(t, err)
	assert.Empty(t, s.Pending(), "a look takes nothing over")

	var wg sync.WaitGroup
	groups, errs := make([]*migrate.MigrationGroup, 2), make([]error, 2)
	for i, on := range []*manager.DBManager{m, other} {
		g := migratorOn(t, on, audit{})
		wg.Go(func() { groups[i], errs[i] = g.Up(ctx) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...), "two processes upgrade at once")
	assert.True(t, groups[0].IsZero() && groups[1].IsZero(), "nothing runs again")
	assert.Equal(t, 1, count(t, m, "entries"))

	// A program of before goes on, and one that knows more than it is no trouble to it.
	assert.Empty(t, runBefore(t, m, audit{}).Migrations)
	b, migrations := migrationsOf(t, m, audit{})
	migrations.Add(migrate.Migration{Name: "4", Comment: "new", Up: func(context.Context, *migrate.Migrator, *migrate.Migration) error { return nil }})
	group, err := b.Migrator(migrations).Up(ctx)
	require.NoError(t, err)
	assert.Equal(t, "group #2 (4_new)", group.String())
	missing, err := bunMigratorOn(t, m, audit{}).MissingMigrations(ctx)
	require.NoError(t, err)
	assert.Len(t, missing, 1)
	assert.Empty(t, runBefore(t, m, audit{}).Migrations)

	// What it undoes and does again is the bind's as before.
	g := bunMigratorOn(t, m, audit{})
	_, err = m.NewRaw(shop{}, "DROP TABLE more").Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, g.MarkUnapplied(ctx, &migrate.Migration{ID: 3}))
	assert.Equal(t, []string{"3_more"}, upOf(t, migratorOn(t, m, audit{})))
	group, err = b.Migrator(migrations).Down(ctx)
	require.NoError(t, err)
	assert.Equal(t, "group #3 (3_more)", group.String())
}

// migrationsInDoubt has two binds of one database that both had the numbers before notes knew of binds: the shop ran its
// own, the audit was passed over but for the third. Nobody can tell that from the notes.
func migrationsInDoubt(t *testing.T, open func() *manager.DBManager) {
	ctx := t.Context()
	m := open()
	a, b := migratorOn(t, m, shop{}), migratorOn(t, m, audit{})
	upgrade := func() {
		clearDatabase(t, m)
		assert.Len(t, runBefore(t, m, shop{}).Migrations, 2)
		assert.Len(t, runBefore(t, m, audit{}).Migrations, 1, "1 and 2 are passed over")
	}
	doubted := func(g *manager.Migrator, bind, holder binds.Key, opts ...manager.MigrateOption) {
		for _, dry := range []bool{true, false} {
			if dry {
				opts = append(opts, manager.DryRun())
			} else {
				opts = opts[:len(opts)-1]
			}
			group, err := g.Up(ctx, opts...)
			var e *manager.DoubtedMigrationsError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, []binds.Key{bind, holder}, []binds.Key{e.Bind, e.Holder})
			assert.Len(t, e.Names, 2)
			assert.True(t, group.IsZero())
		}
	}

	upgrade()
	assert.Empty(t, upOf(t, a), "whose they are migrates first")
	doubted(b, "audit", "shop")
	s, err := b.Status(ctx)
	require.NoError(t, err)
	assert.Empty(t, s.Pending())
	assert.Contains(t, s.String(), "1_entries  in doubt: noted before notes knew of binds\n")
	assert.Equal(t, []string{"1_entries", "2_entry"}, upOf(t, b, manager.AssumePending()))
	assert.Empty(t, upOf(t, b))
	assert.Empty(t, upOf(t, a))
	assert.Equal(t, []int{1, 1}, []int{count(t, m, "wares"), count(t, m, "entries")})

	upgrade()
	assert.Empty(t, upOf(t, b), "whose they are not migrates first")
	doubted(a, "shop", "audit")
	assert.Equal(t, []string{"1_entries", "2_entry"}, upOf(t, b, manager.AssumePending("1", "2_entry")), "the notes are given up")
	assert.Empty(t, upOf(t, a), "and go to whose they are")
	assert.Empty(t, upOf(t, b))
	assert.Equal(t, []int{1, 1}, []int{count(t, m, "wares"), count(t, m, "entries")})

	upgrade()
	assert.Empty(t, upOf(t, b))
	_, err = a.Up(ctx, manager.AssumeApplied("9"))
	require.ErrorContains(t, err, `whether "9" is applied is not in doubt`)
	assert.Empty(t, upOf(t, a, manager.AssumeApplied()), "they are there: noted, not run")
	assert.Empty(t, upOf(t, a))
	group, err := a.Down(ctx)
	require.NoError(t, err)
	assert.Len(t, group.Migrations, 2, "and undone as what has run")
	assert.Empty(t, upOf(t, b), "the other bind keeps its notes")
}

// uniqueNotes has the index that Bun's WithUpsert makes: a number is noted once, whosever it is.
func uniqueNotes(t *testing.T, open func() *manager.DBManager) {
	m := open()
	assert.Len(t, upOf(t, migratorOn(t, m, shop{})), 2)
	_, err := m.NewRaw(shop{}, "CREATE UNIQUE INDEX bun_migrations_name_unique ON bun_migrations (name)").Exec(t.Context())
	if err != nil {
		t.Log(err)
		_, err = m.NewRaw(shop{}, "CREATE UNIQUE INDEX bun_migrations_name_unique ON bun_migrations (name(100))").Exec(t.Context())
	}
	require.NoError(t, err)
	_, err = migratorOn(t, m, audit{}).Up(t.Context())
	require.ErrorContains(t, err, "another bind has noted a migration 1, and the table's index on name")
	_, err = m.NewRaw(shop{}, "SELECT 1 FROM entries").Exec(t.Context())
	require.Error(t, err, "it was found before anything ran")
	b, migrations := migrationsOf(t, m, audit{})
	group, err := b.Migrator(migrations, manager.WithMigrationsTable("audit_notes")).Up(t.Context())
	require.NoError(t, err)
	assert.Len(t, group.Migrations, 3)
}
