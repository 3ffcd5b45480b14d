package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
)

// A leftover is what a statement can leave in a session, as the kinds of databases have it.
type leftover struct {
	set  string // a statement, perhaps one that a dump begins with
	seen string // a query of one value, which another session answers otherwise
}

func leftoverOf(k kind) []leftover {
	switch {
	case k.name == teston.SQLite:
		return []leftover{
			{"PRAGMA foreign_keys=OFF", "SELECT foreign_keys FROM pragma_foreign_keys"},
			{"CREATE TEMP TABLE berths (id INTEGER)", "SELECT count(*) FROM sqlite_temp_master"},
			{"ATTACH ':memory:' AS elsewhere", "SELECT count(*) FROM pragma_database_list WHERE name = 'elsewhere'"},
		}
	case inMySQLFamily(k.name):
		return []leftover{
			{"SET FOREIGN_KEY_CHECKS=0", "SELECT @@foreign_key_checks"},
			{"/*!40014 SET FOREIGN_KEY_CHECKS=0 */", "SELECT @@foreign_key_checks"},
			{"SET @tenant = 7", "SELECT COALESCE(@tenant, '')"},
			{"USE information_schema", "SELECT DATABASE()"},
			{"SELECT GET_LOCK('berth', 5)", "SELECT COALESCE(IS_USED_LOCK('berth') = CONNECTION_ID(), 0)"},
		}
	}
	return []leftover{
		{"SELECT pg_catalog.set_config('search_path', '', false)", "SHOW search_path"},
		{"SET search_path = ''", "SHOW search_path"},
		{"SELECT set_config('app.tenant', '7', false)", "SELECT COALESCE(current_setting('app.tenant', true), '')"},
		{"SET ROLE app", "SHOW role"},
		{"CREATE TEMP TABLE berths (id INTEGER)", "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()"},
		{"SELECT pg_advisory_lock(7)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"},
	}
}

// TestSessions lets nobody find in a connection what somebody else has left in it.
func TestSessions(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			writer, _, _ := k.uris(t)
			if k.name == teston.SQLite {
				writer += "?allow=attach"
			}
			for name, test := range map[string]func(*testing.T, kind, string){
				"a migration": migrationLeavesNoSession, "a dump as a migration": dumpAsMigration, "no connection is free": migrationWaitsForNoPool,
				"a table's hook": tablesLeaveNoSession, "the application": applicationLeavesNoSession, "a transaction's": tenantOfATransaction,
				"nothing is left": usualWorkKeepsConnections,
			} {
				t.Run(name, func(t *testing.T) { test(t, k, writer) })
			}
		})
	}
}

// harbour opens a manager whose pools have so many connections, with a table of piers and one of vessels that lie at them.
func harbour(t *testing.T, writer string, maxOpen int) *manager.DBManager {
	t.Helper()
	m := openManager(t, config(map[string]string{"shop": writer}, nil, fmt.Sprintf("pool = { max_open = %d }", maxOpen)))
	for _, q := range []string{
		"CREATE TABLE IF NOT EXISTS piers (id INTEGER PRIMARY KEY)",
		"CREATE TABLE IF NOT EXISTS vessels (id INTEGER PRIMARY KEY, pier_id INTEGER, FOREIGN KEY (pier_id) REFERENCES piers (id))",
	} {
		_, err := m.NewRaw(shop{}, q).Exec(t.Context())
		require.NoError(t, err)
	}
	return m
}

// assertAsNew checks every connection that the application can get: a row that refers to nothing is refused, the tables are found,
// and what was set is not there.
func assertAsNew(t *testing.T, m *manager.DBManager, l leftover, want string) {
	t.Helper()
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	for range max(b.WriterEngine().DB().Stats().OpenConnections, 1) {
		c, err := b.DB().Conn(t.Context())
		require.NoError(t, err)
		defer func() { assert.NoError(t, c.Close()) }() // of all together: each is another one
		var is string
		assert.NoError(t, c.NewRaw(l.seen).Scan(t.Context(), &is))
		assert.Equal(t, want, is, "the application's session has it")
		_, err = c.NewRaw("INSERT INTO vessels (id, pier_id) VALUES (1, 99)").Exec(t.Context())
		require.Error(t, err, "a row that refers to nothing")
		assert.Contains(t, strings.ToLower(err.Error()), "foreign key")
	}
}

func answer(t *testing.T, m *manager.DBManager, query string) (v string) {
	t.Helper()
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	require.NoError(t, b.Writer().NewRaw(query).Scan(t.Context(), &v))
	return v
}

// migrationLeavesNoSession has migrations set something and end in every way there is.
func migrationLeavesNoSession(t *testing.T, k kind, writer string) {
	for _, maxOpen := range []int{1, 4} {
		m := harbour(t, writer, maxOpen)
		b, err := m.Bind(shop{})
		require.NoError(t, err)
		up := func(ctx context.Context, texts map[string]string) error {
			migrations, err := manager.MigrationsFrom(os.DirFS(writeMigrations(t, texts)), b)
			require.NoError(t, err)
			_, err = b.Migrator(migrations, manager.WithMigrationsTable(fmt.Sprintf("notes_%d", maxOpen))).Up(ctx)
			return err
		}
		goUp := func(ctx context.Context, name string, fn migrate.MigrationFunc) error {
			migrations := migrate.NewMigrations()
			migrations.Add(migrate.Migration{Name: name, Up: func(ctx context.Context, g *migrate.Migrator, _ *migrate.Migration) error {
				return fn(ctx, g.DB())
			}})
			_, err := b.Migrator(migrations, manager.WithMigrationsTable(fmt.Sprintf("go_notes_%d", maxOpen))).Up(ctx)
			return err
		}
		for i, l := range leftoverOf(k) {
			t.Run(fmt.Sprintf("max_open %d/%s", maxOpen, strings.ReplaceAll(l.set, "/", "|")), func(t *testing.T) {
				want := answer(t, m, l.seen)
				texts := map[string]string{}
				add := func(n int, name, text string) { texts[fmt.Sprintf("%d_%s.up.sql", 10*i+n, name)] = text }
				add(1, "without_end", l.set)
				require.NoError(t, up(t.Context(), texts), "it takes nothing back")
				assertAsNew(t, m, l, want)

				add(2, "fails", l.set+"\n--bun:split\nINSERT INTO nowhere VALUES (1)")
				require.ErrorContains(t, up(t.Context(), texts), "fails failed: ")
				assertAsNew(t, m, l, want)

				fn := func(ctx context.Context, db *bun.DB) error {
					_, err := db.ExecContext(ctx, l.set)
					require.NoError(t, err)
					var now string
					require.NoError(t, db.NewRaw(l.seen).Scan(ctx, &now))
					assert.NotEqual(t, want, now, "one statement finds what another has set")
					return nil
				}
				require.NoError(t, goUp(t.Context(), fmt.Sprintf("%d1", i+1), fn))
				assertAsNew(t, m, l, want)
				assert.PanicsWithValue(t, "ahoy", func() {
					_ = goUp(t.Context(), fmt.Sprintf("%d2", i+1), func(ctx context.Context, db *bun.DB) error {
						_ = fn(ctx, db)
						panic("ahoy")
					})
				})
				assertAsNew(t, m, l, want)
				ctx, cancel := context.WithCancel(t.Context())
				err := goUp(ctx, fmt.Sprintf("%d3", i+1), func(ctx context.Context, db *bun.DB) error {
					tx, err := db.BeginTx(ctx, nil)
					require.NoError(t, err)
					_, err = tx.ExecContext(ctx, l.set)
					cancel()
					return errors.Join(err, ctx.Err()) // and the transaction is left open
				})
				require.ErrorIs(t, err, context.Canceled)
				assertAsNew(t, m, l, want)
			})
		}
	}
}

// dumpAsMigration ends without a search path, or in another database: what follows, and the notes of it, are where they belong.
func dumpAsMigration(t *testing.T, k kind, writer string) {
	m := harbour(t, writer, 1)
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	set, here := "SELECT pg_catalog.set_config('search_path', '', false)", "SELECT count(*) FROM public.bun_migrations"
	make := "CREATE TABLE public.buoys (id INTEGER)"
	switch {
	case k.name == teston.SQLite:
		set, make = "CREATE TEMP TABLE bun_migrations (id INTEGER)\n--bun:split\nCREATE TEMP TABLE buoys (id INTEGER)", "CREATE TABLE main.buoys (id INTEGER)"
		here = "SELECT count(*) FROM main.bun_migrations"
	case inMySQLFamily(k.name):
		here = "SELECT count(*) FROM " + answer(t, m, "SELECT DATABASE()") + ".bun_migrations"
		make = "CREATE TABLE " + answer(t, m, "SELECT DATABASE()") + ".buoys (id INTEGER)"
		set = "USE information_schema"
	}
	migrations, err := manager.MigrationsFrom(os.DirFS(writeMigrations(t, map[string]string{
		"1_dump.up.sql":  set + "\n--bun:split\n" + make,
		"2_after.up.sql": "INSERT INTO buoys VALUES (7)",
	})), b)
	require.NoError(t, err)
	group, err := b.Migrator(migrations).Up(t.Context())
	require.NoError(t, err)
	assert.Len(t, group.Migrations, 2)
	assert.Equal(t, "2", answer(t, m, here))
	assert.Equal(t, "7", answer(t, m, "SELECT id FROM buoys"))
	s, err := b.Migrator(migrations).Status(t.Context())
	require.NoError(t, err)
	assert.Empty(t, s.Pending())
}

// migrationWaitsForNoPool migrates and makes tables while the application holds all of its connections.
func migrationWaitsForNoPool(t *testing.T, k kind, writer string) {
	m := harbour(t, writer, 1)
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	migrations, err := manager.MigrationsFrom(os.DirFS(writeMigrations(t, wharf)), b)
	require.NoError(t, err)
	held, err := b.DB().Conn(t.Context())
	require.NoError(t, err)
	group, err := b.Migrator(migrations, manager.WithMigrationsTable("wharf_notes")).Up(t.Context())
	require.NoError(t, err)
	assert.Len(t, group.Migrations, 4)
	require.NoError(t, held.Close())
	assert.Equal(t, "4", answer(t, m, "SELECT count(*) FROM steps"))
}

// raft is a model whose hook sets something in the session that makes its table.
type raft struct {
	bun.BaseModel `bun:"table:rafts"`
	shop

	ID int64 `bun:",pk,autoincrement"`
}

var raftSets string

func (*raft) AfterCreateTable(ctx context.Context, q *bun.CreateTableQuery) error {
	_, err := q.DB().ExecContext(ctx, raftSets)
	return err
}

// tablesLeaveNoSession has a model's hook set something.
func tablesLeaveNoSession(t *testing.T, k kind, writer string) {
	m := harbour(t, writer, 1)
	for _, l := range leftoverOf(k) {
		want := answer(t, m, l.seen)
		raftSets = l.set
		require.NoError(t, m.CreateTables(t.Context(), (*raft)(nil)))
		assertAsNew(t, m, l, want)
		require.NoError(t, m.DropTables(t.Context(), (*raft)(nil)))
	}
}

// applicationLeavesNoSession has one user of the writer's pool set something, in every way there is, and the next one look.
func applicationLeavesNoSession(t *testing.T, k kind, writer string) {
	ways := map[string]func(ctx context.Context, b *manager.Bind, m *manager.DBManager, set string) error{
		"the DB": func(ctx context.Context, b *manager.Bind, _ *manager.DBManager, set string) error {
			_, err := b.DB().ExecContext(ctx, set)
			return err
		},
		"a raw query": func(ctx context.Context, _ *manager.Bind, m *manager.DBManager, set string) error {
			_, err := m.NewRaw(shop{}, set).Exec(ctx)
			return err
		},
		"the engine's pool": func(ctx context.Context, b *manager.Bind, _ *manager.DBManager, set string) error {
			_, err := b.WriterEngine().DB().ExecContext(ctx, set)
			return err
		},
		"a connection": func(ctx context.Context, b *manager.Bind, _ *manager.DBManager, set string) error {
			c, err := b.DB().Conn(ctx)
			if err != nil {
				return err
			}
			_, err = c.ExecContext(ctx, set)
			return errors.Join(err, c.Close())
		},
		"a transaction of Bun's": func(ctx context.Context, b *manager.Bind, _ *manager.DBManager, set string) error {
			return b.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.ExecContext(ctx, set)
				return err
			})
		},
		"InTx": func(ctx context.Context, _ *manager.Bind, m *manager.DBManager, set string) error {
			return m.InTx(ctx, shop{}, func(ctx context.Context) error {
				_, err := m.NewRaw(shop{}, set).Exec(ctx)
				return err
			})
		},
	}
	for _, maxOpen := range []int{1, 3} {
		m := harbour(t, writer, maxOpen)
		b, err := m.Bind(shop{})
		require.NoError(t, err)
		for _, l := range leftoverOf(k) {
			want := answer(t, m, l.seen)
			for name, way := range ways {
				t.Run(fmt.Sprintf("max_open %d/%s/%s", maxOpen, strings.ReplaceAll(l.set, "/", "|"), name), func(t *testing.T) {
					if err := way(t.Context(), b, m, l.set); err != nil {
						assert.ErrorContains(t, err, "ATTACH", "what cannot be done in a transaction")
					}
					assertAsNew(t, m, l, want)
				})
			}
		}
	}
}

// tenantOfATransaction: what ends with the transaction costs no connection.
func tenantOfATransaction(t *testing.T, k kind, writer string) {
	if k.name != teston.Postgres {
		return
	}
	m := harbour(t, writer, 1)
	pid := answer(t, m, "SELECT pg_backend_pid()")
	for _, set := range []string{"SELECT set_config('app.tenant', '7', true)", "SET LOCAL app.tenant = '7'"} {
		require.NoError(t, m.InTx(t.Context(), shop{}, func(ctx context.Context) error {
			_, err := m.NewRaw(shop{}, set).Exec(ctx)
			require.NoError(t, err)
			var tenant string
			require.NoError(t, m.NewRaw(shop{}, "SELECT current_setting('app.tenant')").Scan(ctx, &tenant))
			assert.Equal(t, "7", tenant)
			return nil
		}))
		assert.Empty(t, answer(t, m, "SELECT COALESCE(current_setting('app.tenant', true), '')"))
	}
	assert.Equal(t, pid, answer(t, m, "SELECT pg_backend_pid()"))
}

// usualWorkKeepsConnections: what an application does all day leaves nothing, and costs no connection.
func usualWorkKeepsConnections(t *testing.T, k kind, writer string) {
	if k.name == teston.SQLite {
		return // it has no sessions to be told apart
	}
	ctx := t.Context()
	m := harbour(t, writer, 1)
	session := "SELECT pg_backend_pid()"
	if inMySQLFamily(k.name) {
		session = "SELECT CONNECTION_ID()"
	}
	require.NoError(t, m.CreateTables(ctx, (*part)(nil), (*item)(nil)))
	id := answer(t, m, session)
	for n := range int64(9) {
		_, err := m.NewInsert(&item{ID: n + 1, Name: "pier"}).Exec(ctx)
		require.NoError(t, err)
	}
	p := &part{ItemID: 1}
	work := func(ctx context.Context) error {
		_, insert := m.NewInsert(p).Exec(ctx)
		_, update := m.NewUpdate(p).Set("item_id = item_id + 1").WherePK().Exec(ctx)
		_, bulk := m.NewInsert(&[]part{{ItemID: 3}, {ItemID: 4}}).Exec(ctx)
		var rows []part
		read := m.NewSelect(&rows).Where("item_id IN ?", bun.Tuple([]int{2, 3})).Scan(ctx)
		locked := m.NewSelect(&rows).Where("id > 0").For("UPDATE").Scan(ctx)
		n, count := m.NewSelect((*part)(nil)).Count(ctx)
		assert.NotZero(t, n)
		_, remove := m.NewDelete((*part)(nil)).Where("item_id > ?", 2).Exec(ctx)
		p.ID = 0
		return errors.Join(insert, update, bulk, read, locked, count, remove)
	}
	require.NoError(t, work(ctx))
	require.NoError(t, m.InTx(ctx, shop{}, func(ctx context.Context) error {
		return errors.Join(work(ctx), m.InTx(ctx, shop{}, work))
	}, manager.Isolation(sql.LevelSerializable)))
	undone := errors.New("undone")
	require.ErrorIs(t, m.InTx(ctx, shop{}, func(ctx context.Context) error { return errors.Join(work(ctx), undone) }), undone)
	require.NoError(t, m.InTx(ctx, shop{}, func(ctx context.Context) error {
		return m.NewRaw(shop{}, "SELECT 1").Scan(ctx, new(int))
	}, manager.ReadOnly()))
	require.NoError(t, m.CreateTables(ctx, (*part)(nil)), "it is there")
	require.NoError(t, m.Check(ctx, (*part)(nil)).Err())
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	stmt, err := b.DB().PrepareContext(ctx, "SELECT 1")
	require.NoError(t, err)
	require.NoError(t, stmt.QueryRowContext(ctx).Scan(new(int)))
	require.NoError(t, stmt.Close())
	for _, ddl := range []string{"CREATE TABLE jetties (id INT)", "ALTER TABLE jetties ADD n INT", "TRUNCATE TABLE jetties", "DROP TABLE jetties"} {
		_, err := m.NewRaw(shop{}, ddl).Exec(ctx)
		require.NoError(t, err)
	}
	assert.Equal(t, id, answer(t, m, session))
}
