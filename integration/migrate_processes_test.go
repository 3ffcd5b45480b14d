package integration_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/manager"
)

// migrateHelper makes the test program a process that runs the migrations of the bind shop below the
// directory that migrateRoot names, as soon as its standard input says so, and says how many it ran.
const (
	migrateHelper = "migrate"
	migrateRoot   = "BINDERY_TEST_MIGRATIONS"
)

func migrateUp() int {
	if err := runMigrations(context.Background(), os.Getenv(siteConfig), os.Getenv(migrateRoot)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runMigrations(ctx context.Context, config, root string) error {
	m, err := manager.Open(ctx, config)
	if err != nil {
		return err
	}
	g, err := shopMigrator(m, root)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	awaitStart()
	group, err := g.Up(ctx)
	fmt.Println(len(group.Migrations))
	return errors.Join(err, m.Close())
}

func shopMigrator(m *manager.DBManager, root string) (*manager.Migrator, error) {
	b, err := m.Bind(shop{})
	if err != nil {
		return nil, err
	}
	migrations, err := manager.MigrationsFrom(os.DirFS(root), b)
	if err != nil {
		return nil, err
	}
	return b.Migrator(migrations), nil
}

// writeMigrations makes a root with the migrations of the bind shop.
func writeMigrations(t *testing.T, texts map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	dir := filepath.Join(root, "migrations", "shop")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return root
}

// wharf is a history in which nothing may run twice: tables are made without IF NOT EXISTS, and each
// migration leaves a row.
var wharf = map[string]string{
	"20240101_ships.up.sql":      "CREATE TABLE ships (name VARCHAR(20) PRIMARY KEY)\n--bun:split\nCREATE TABLE steps (step INT PRIMARY KEY)\n--bun:split\nINSERT INTO steps VALUES (1)",
	"20240101_ships.down.sql":    "DROP TABLE ships\n--bun:split\nDROP TABLE steps",
	"20240102_tons.tx.up.sql":    "ALTER TABLE ships ADD COLUMN tons INT\n--bun:split\nINSERT INTO steps VALUES (2)",
	"20240102_tons.tx.down.sql":  "DELETE FROM steps WHERE step = 2\n--bun:split\nALTER TABLE ships DROP COLUMN tons",
	"20240103_argo.tx.up.sql":    "INSERT INTO ships (name, tons) VALUES ('Argo', 9)\n--bun:split\nINSERT INTO steps VALUES (3)",
	"20240103_argo.tx.down.sql":  "DELETE FROM steps WHERE step = 3",
	"20240104_index.up.sql":      "CREATE INDEX ships_name ON ships (name)\n--bun:split\nINSERT INTO steps VALUES (4)",
	"20240104_index.tx.down.sql": "DELETE FROM steps WHERE step = 4",
}

// TestEightProcessesMigrate has them all run the same migrations at once, with replicas that stand still:
// who read there what is applied would run them again.
func TestEightProcessesMigrate(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			ctx := t.Context()
			writer, readers, cluster := k.uris(t)
			text := config(map[string]string{"shop": writer}, readers, "read_your_writes = 'off'")
			file := filepath.Join(t.TempDir(), "config.toml")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			if cluster != nil {
				for _, r := range cluster.Replicas {
					require.NoError(t, r.PauseReplay(ctx))
				}
			}
			root := writeMigrations(t, wharf)
			outputs, took := race(t, migrateHelper, file, raceProcesses, migrateRoot+"="+root)
			assert.ElementsMatch(t, []string{"4", "0", "0", "0", "0", "0", "0", "0"}, outputs, "one ran all, the others waited and found nothing to do")
			t.Logf("%s: %d processes, migrations run by each: %v, %v", k.name, raceProcesses, outputs, took.Round(time.Millisecond))

			m := openManager(t, text)
			b, err := m.Bind(shop{})
			require.NoError(t, err)
			var steps []int
			require.NoError(t, b.Writer().NewRaw("SELECT step FROM steps ORDER BY step").Scan(ctx, &steps))
			assert.Equal(t, []int{1, 2, 3, 4}, steps, "each ran once")
			g, err := shopMigrator(m, root)
			require.NoError(t, err)
			s, err := g.Status(ctx)
			require.NoError(t, err)
			assert.Empty(t, s.Pending())
			t.Logf("%s:\n%s", k.name, s)
			done, err := g.Down(ctx)
			require.NoError(t, err)
			assert.Len(t, done.Migrations, 4)
			s, err = g.Status(ctx)
			require.NoError(t, err)
			assert.Len(t, s.Pending(), 4)
		})
	}
}

// TestFailedMigrationOnServers says what it leaves: nothing in a transaction where DDL is part of that.
func TestFailedMigrationOnServers(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			ctx := t.Context()
			writer, _, _ := k.uris(t)
			m := openManager(t, config(map[string]string{"shop": writer}, nil, ""))
			g, err := shopMigrator(m, writeMigrations(t, map[string]string{
				"1_a.up.sql":    "CREATE TABLE a (x INT)",
				"2_b.tx.up.sql": "CREATE TABLE b (x INT)\n--bun:split\nINSERT INTO nowhere VALUES (1)",
				"3_c.up.sql":    "CREATE TABLE c (x INT)",
			}))
			require.NoError(t, err)
			_, err = g.Up(ctx)
			var e *manager.MigrationError
			require.ErrorAs(t, err, &e)
			t.Logf("%s: %v", k.name, err)
			assert.Equal(t, "2_b", e.Name)
			assert.Equal(t, []string{"1_a"}, e.Done)
			assert.Equal(t, []string{"2_b", "3_c"}, e.Left)
			b, err := m.Bind(shop{})
			require.NoError(t, err)
			err = b.Writer().NewRaw("SELECT count(*) FROM b").Scan(ctx, new(int))
			if inMySQLFamily(k.name) {
				require.NoError(t, err, "DDL commits")
				assert.Contains(t, e.Error(), "each DDL statement commits here")
			} else {
				require.Error(t, err)
				assert.Contains(t, e.Error(), "was rolled back")
			}
			s, err := g.Status(ctx)
			require.NoError(t, err)
			assert.Equal(t, []string{"2_b", "3_c"}, s.Pending())
			assert.Equal(t, 1, strings.Count(s.String(), "applied"))
		})
	}
}
