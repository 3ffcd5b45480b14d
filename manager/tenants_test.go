package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// tenantFile is the configuration of a tenant on a SQLite file.
func tenantFile(t *testing.T, key binds.Key) manager.BindConfig {
	t.Helper()
	return fileIn(filepath.ToSlash(t.TempDir()), key)
}

func fileIn(dir string, key binds.Key) manager.BindConfig {
	return manager.BindConfig{Key: key, Writer: binds.NewURI(fmt.Sprintf("sqlite://%s/%s.db", dir, key))}
}

// tenanted is a manager whose tenants live on files of a directory.
type tenanted struct {
	*manager.DBManager
	dir   string
	asked atomic.Int64 // how often the function was called
}

func openTenanted(t *testing.T, opts ...manager.TenantOption) *tenanted {
	t.Helper()
	l := &tenanted{dir: filepath.ToSlash(t.TempDir())}
	cfg := &manager.Config{Binds: []manager.BindConfig{fileIn(l.dir, "main")}}
	m, err := manager.New(t.Context(), cfg, manager.WithLogger(slog.New(slog.DiscardHandler)), manager.WithTenants(func(_ context.Context, key binds.Key) (manager.BindConfig, error) {
		l.asked.Add(1)
		return fileIn(l.dir, key), nil
	}, opts...))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	l.DBManager = m
	return l
}

func (l *tenanted) open() (keys []binds.Key) {
	for _, b := range l.Tenants() {
		keys = append(keys, b.Key())
	}
	return keys
}

func (l *tenanted) mustOpen(t *testing.T, keys ...binds.Key) {
	t.Helper()
	for _, key := range keys {
		require.NoError(t, l.On(key).CreateTables(t.Context(), (*user)(nil)))
	}
}

func (l *tenanted) awaitOpen(t *testing.T, keys ...binds.Key) {
	t.Helper()
	require.Eventually(t, func() bool { return fmt.Sprint(l.open()) == fmt.Sprint(keys) }, 10*time.Second, time.Millisecond, "open: %v", keys)
}

func TestTenantsAreOpenedOnFirstUse(t *testing.T) {
	m := openTenanted(t)
	assert.Empty(t, m.Tenants())
	var done sync.WaitGroup
	for range 16 {
		done.Go(func() {
			_, err := m.On(binds.Key("a")).NewRaw("SELECT 1").Exec(t.Context())
			assert.NoError(t, err)
		})
	}
	done.Wait()
	assert.Equal(t, int64(1), m.asked.Load(), "once for many callers")
	assert.Equal(t, []binds.Key{"a"}, m.open())
	assert.Len(t, m.Binds(), 1, "those of the configuration")
	b, err := m.Bind(binds.Key("b"))
	require.NoError(t, err)
	assert.Equal(t, binds.Key("b"), b.Key())
	_, err = m.Add(t.Context(), fileIn(m.dir, "b"))
	var exists *manager.BindExistsError
	require.ErrorAs(t, err, &exists)
}

func TestMaxTenants(t *testing.T) {
	m := openTenanted(t, manager.Max(2), manager.OpenWithin(time.Second))
	m.mustOpen(t, "a", "b")
	m.mustOpen(t, "a")
	m.mustOpen(t, "c")
	assert.Equal(t, []binds.Key{"a", "c"}, m.open(), "the one not used for longest was closed")

	uses := map[string]func() (release func()){
		"a transaction": func() func() {
			begun, end := make(chan struct{}), make(chan struct{})
			var done sync.WaitGroup
			done.Go(func() {
				assert.NoError(t, m.InTx(t.Context(), binds.Key("a"), func(ctx context.Context) error {
					close(begun)
					<-end
					_, err := m.On(binds.Key("a")).NewInsert(&user{Name: "late"}).Exec(ctx)
					return err
				}))
			})
			<-begun
			return func() { close(end); done.Wait() }
		},
		"a lock": func() func() {
			l, err := m.Lock(t.Context(), binds.Key("a"), "l")
			require.NoError(t, err)
			return func() { assert.NoError(t, l.Unlock()) }
		},
		"rows": func() func() {
			rows, err := m.On(binds.Key("a")).NewSelect(nil).TableExpr("(SELECT 1 UNION SELECT 2)").Rows(t.Context())
			require.NoError(t, err)
			return func() {
				n := 0
				for rows.Next() {
					n++
				}
				assert.Equal(t, 2, n)
				assert.NoError(t, rows.Close())
			}
		},
		"a Conn": func() func() {
			c, err := m.On(binds.Key("a")).DB().Conn(t.Context())
			require.NoError(t, err)
			return func() {
				assert.NoError(t, c.PingContext(t.Context()))
				assert.NoError(t, c.Close())
			}
		},
		"a reader's Conn": func() func() {
			b, err := m.Bind(binds.Key("a"))
			require.NoError(t, err)
			c, err := b.Reader().Conn(t.Context())
			require.NoError(t, err)
			return func() {
				assert.NoError(t, c.PingContext(t.Context()))
				assert.NoError(t, c.Close())
			}
		},
		"a native Conn": func() func() {
			b, err := m.Bind(binds.Key("a"))
			require.NoError(t, err)
			c, err := b.Native().Conn(t.Context())
			require.NoError(t, err)
			return func() {
				assert.NoError(t, c.PingContext(t.Context()))
				assert.NoError(t, c.Close())
			}
		},
	}
	for what, use := range uses {
		t.Run(what, func(t *testing.T) {
			m.mustOpen(t, "a")
			release := use()
			m.mustOpen(t, "b", "c", "d")
			assert.Contains(t, m.open(), binds.Key("a"), "it is in use")
			other, err := m.Lock(t.Context(), binds.Key("d"), "l")
			require.NoError(t, err)
			var full *manager.TenantsInUseError
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			err = m.InTx(ctx, binds.Key("e"), func(context.Context) error { return nil })
			require.ErrorAs(t, err, &full, "within the caller's time")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, binds.Key("e"), full.Key)
			assert.Equal(t, 2, full.Max)
			cancel()
			require.ErrorAs(t, m.On(binds.Key("e")).Err(), &full, "within OpenWithin")
			assert.Contains(t, full.Error(), `tenant "e": all 2 tenants that may be open are in use`)
			opened := make(chan error)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				opened <- m.OnContext(ctx, binds.Key("e")).Err()
			}()
			require.NoError(t, other.Unlock())
			require.NoError(t, <-opened, "it waits for one that is free")
			release()
			m.mustOpen(t, "b", "c")
			assert.NotContains(t, m.open(), binds.Key("a"), "it is not in use any more")
		})
	}
}

func TestIdleTenantsAreClosed(t *testing.T) {
	m := openTenanted(t, manager.Idle(30*time.Millisecond))
	m.mustOpen(t, "a", "b")
	l, err := m.Lock(t.Context(), binds.Key("b"), "l")
	require.NoError(t, err)
	m.awaitOpen(t, "b")
	require.NoError(t, l.Unlock())
	m.awaitOpen(t)
	m.mustOpen(t, "a")
	assert.Equal(t, []binds.Key{"a"}, m.open())
}

// TestWhatIsHeldOpensATenantAgain uses all that a program may hold of a tenant, each after it was closed.
func TestWhatIsHeldOpensATenantAgain(t *testing.T) {
	m := openTenanted(t, manager.Idle(-1))
	m.mustOpen(t, "a")
	key := binds.Key("a")
	held, err := m.Bind(key)
	require.NoError(t, err)
	on := m.On(key)
	db, writer, reader, native := held.DB(), held.Writer(), held.Reader(), held.Native()
	query := on.NewSelect((*user)(nil))
	stmt, err := on.DB().PrepareContext(t.Context(), "SELECT count(*) FROM users")
	require.NoError(t, err)
	defer func() { assert.NoError(t, stmt.Close()) }()
	raw := func(db *bun.DB) func(context.Context) error {
		return func(ctx context.Context) error {
			if _, err := db.NewRaw("SELECT count(*) FROM users").Exec(ctx); err != nil {
				return err
			}
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewRaw("SELECT count(*) FROM users").Exec(ctx)
				return err
			})
		}
	}
	ways := map[string]func(context.Context) error{
		"DB": raw(db), "Writer": raw(writer), "Reader": raw(reader), "Native": raw(native), "On.DB": raw(on.DB()),
		"Conn": func(ctx context.Context) error {
			c, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			return errors.Join(c.PingContext(ctx), c.Close())
		},
		"a query": func(ctx context.Context) error { _, err := query.Count(ctx); return err },
		"On":      func(ctx context.Context) error { _, err := on.NewInsert(&user{Name: "x"}).Exec(ctx); return err },
		"InTx": func(ctx context.Context) error {
			return on.InTx(ctx, func(ctx context.Context) error { _, err := query.Count(ctx); return err })
		},
		"Lock": func(ctx context.Context) error {
			return on.WithLock(ctx, "l", func(context.Context) error { return nil })
		},
		"a statement": func(ctx context.Context) error { var n int; return stmt.QueryRowContext(ctx).Scan(&n) },
		"the Bind":    func(ctx context.Context) error { return raw(held.DB())(ctx) },
		"Migrator":    func(ctx context.Context) error { _, err := held.Migrator(oneMigration()).Status(ctx); return err },
		"an engine":   func(ctx context.Context) error { return held.WriterEngine().Ping(ctx) },
	}
	for round := range 3 {
		for way, use := range ways {
			require.NoError(t, m.Remove(t.Context(), key))
			require.Empty(t, m.open())
			require.NoError(t, use(t.Context()), "%s, %d", way, round)
			require.Equal(t, []binds.Key{key}, m.open(), way)
		}
	}
	again, err := m.Bind(key)
	require.NoError(t, err)
	assert.Same(t, again.WriterEngine(), held.WriterEngine(), "the held bind is the present one")
	n, err := on.NewSelect((*user)(nil)).Count(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 3, int(n))
}

// TestClosedTenantsCostNothing counts what is left of tenants that are closed and that nobody holds.
func TestClosedTenantsCostNothing(t *testing.T) {
	m := openTenanted(t, manager.Max(4))
	m.mustOpen(t, "warm")
	before := runtime.NumGoroutine()
	for i := range 40 {
		m.mustOpen(t, binds.Key(fmt.Sprintf("t%d", i)))
	}
	assert.Len(t, m.open(), 4)
	require.Eventually(t, func() bool {
		runtime.GC()
		return runtime.NumGoroutine() < before+4*8
	}, 10*time.Second, 10*time.Millisecond, "their pools are closed")
}

func TestWrongTenants(t *testing.T) {
	missing := errors.New("no such customer")
	asked := map[binds.Key]int{}
	var mu sync.Mutex
	dir := filepath.ToSlash(t.TempDir())
	cfg := &manager.Config{Binds: []manager.BindConfig{fileIn(dir, "main")}}
	m, err := manager.New(t.Context(), cfg, manager.WithTenants(func(_ context.Context, key binds.Key) (manager.BindConfig, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[key]++
		b := fileIn(dir, key)
		switch key {
		case "missing":
			return b, missing
		case "other":
			b.Key = "another"
		case "bad":
			b.Policy = "unheard_of"
			b.Writer = binds.NewURI("nosuch://app:s3cret@db/x")
		case "dead":
			b.Writer = binds.NewURI("sqlite:///no/such/directory/x.db")
		case "panics":
			panic("s3cret")
		case "nameless":
			b.Key = ""
		}
		return b, nil
	}))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	for key, text := range map[binds.Key]string{
		"missing": `tenant "missing": no such customer`, "other": "asked for another key", "bad": "unheard_of", "dead": "directory",
		"panics": "panic in the function of WithTenants", "1bad;key": "is no bind key",
	} {
		var failed *manager.TenantError
		for range 2 {
			err := m.On(key).NewSelect((*user)(nil)).Scan(t.Context())
			require.ErrorAs(t, err, &failed, key)
			assert.Equal(t, key, failed.Key)
			assert.ErrorContains(t, err, text)
			assert.NotContains(t, err.Error(), "s3cret")
		}
		want := 2
		if key == "1bad;key" {
			want = 0
		}
		assert.Equal(t, want, asked[key], "%s: a failed one is not kept", key)
	}
	require.ErrorIs(t, m.On(binds.Key("missing")).Err(), missing)
	require.NoError(t, m.On(binds.Key("nameless")).Err())
	assert.Len(t, m.Tenants(), 1)
}

func TestCloseWithTenants(t *testing.T) {
	m := openTenanted(t)
	m.mustOpen(t, "a")
	on := m.On(binds.Key("a"))
	require.NoError(t, m.Close())
	_, err := on.NewInsert(&user{}).Exec(t.Context())
	require.Error(t, err)
	require.ErrorIs(t, m.On(binds.Key("b")).Err(), manager.ErrClosed)
	_, err = m.Bind(binds.Key("a"))
	require.ErrorIs(t, err, manager.ErrClosed)
}

// TestRemoveATenantInUse breaks off what is not done in time.
func TestRemoveATenantInUse(t *testing.T) {
	m := openTenanted(t)
	m.mustOpen(t, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.NoError(t, m.InTx(t.Context(), binds.Key("a"), func(txCtx context.Context) error {
		require.ErrorIs(t, m.Remove(ctx, binds.Key("a")), context.DeadlineExceeded)
		_, err := m.On(binds.Key("a")).NewInsert(&user{Name: "in time"}).Exec(txCtx)
		return err
	}))
	asked := m.asked.Load()
	require.NoError(t, m.Remove(t.Context(), binds.Key("a")))
	assert.Empty(t, m.open())
	m.mustOpen(t, "a")
	assert.Equal(t, asked+1, m.asked.Load(), "its configuration is asked for anew")
	require.NoError(t, m.Remove(t.Context(), binds.Key("never")))
	require.ErrorIs(t, m.Remove(t.Context(), binds.Key("main")), manager.ErrDefaultBind)
}

// TestTenantsUnderLoad has more tenants in use than may be open, from 16 goroutines.
func TestTenantsUnderLoad(t *testing.T) {
	const most, all, each = 5, 24, 40
	m := openTenanted(t, manager.Max(most), manager.Idle(5*time.Millisecond))
	keys := make([]binds.Key, all)
	held := make([]manager.On, all)
	for i := range keys {
		keys[i] = binds.Key(fmt.Sprintf("t%d", i))
		m.mustOpen(t, keys[i])
		held[i] = m.On(keys[i])
	}
	var wrote [all]atomic.Int64
	var most64 atomic.Int64
	var done sync.WaitGroup
	for worker := range 16 {
		done.Go(func() {
			ctx, cancel := context.WithTimeout(router.NewSession(t.Context()), time.Minute)
			defer cancel()
			for i := range each {
				n := (worker*7 + i*5) % all
				on := held[n]
				if i%2 == 0 {
					on = m.OnContext(ctx, keys[n])
				}
				insert := func(ctx context.Context) error {
					_, err := on.NewInsert(&user{Name: "x"}).Exec(ctx)
					return err
				}
				var err error
				switch i % 4 {
				case 0:
					err = on.InTx(ctx, insert)
				case 1:
					var inserted error
					err = on.WithLock(ctx, "l", func(ctx context.Context) error {
						inserted = insert(ctx)
						return inserted
					})
					if errors.Is(err, manager.ErrLockLost) { // a machine that is too busy to look at it in time
						err = inserted
					}
				case 2:
					err = insert(ctx)
				case 3:
					err = on.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
						_, err := tx.NewInsert().Model(&user{Name: "x"}).Exec(ctx)
						return err
					})
				}
				if !assert.NoError(t, err) {
					return
				}
				least := wrote[n].Add(1)
				count, err := on.NewSelect((*user)(nil)).Count(ctx)
				if !assert.NoError(t, err) || !assert.GreaterOrEqual(t, int64(count), least) {
					return
				}
				if open := int64(len(m.Tenants())); open > most64.Load() {
					most64.Store(open)
				}
			}
		})
	}
	done.Wait()
	assert.LessOrEqual(t, most64.Load(), int64(most))
	for i := range keys {
		n, err := m.On(keys[i]).NewSelect((*user)(nil)).Count(t.Context())
		require.NoError(t, err)
		assert.Equal(t, wrote[i].Load(), int64(n), keys[i])
	}
}

func oneMigration() *migrate.Migrations {
	migrations := migrate.NewMigrations()
	migrations.Add(migrate.Migration{Name: "1", Up: func(context.Context, *migrate.Migrator, *migrate.Migration) error { return nil }})
	return migrations
}

// TestBuildersOfClosedTenants: whose a builder is, is known while its tenant is closed.
func TestBuildersOfClosedTenants(t *testing.T) {
	m := openTenanted(t)
	m.mustOpen(t, "a", "b")
	part := m.On(binds.Key("b")).NewSelect((*user)(nil)).Column("id")
	own := m.On(binds.Key("a")).NewSelect((*user)(nil)).Column("id")
	require.NoError(t, m.Remove(t.Context(), binds.Key("b")))
	require.NoError(t, m.Remove(t.Context(), binds.Key("a")))
	runtime.GC()
	var wrong *router.WrongBindError
	_, err := m.On(binds.Key("a")).NewSelect((*user)(nil)).Where("id IN (?)", part).Count(t.Context())
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, binds.Key("b"), wrong.ModelBind)
	_, err = m.On(binds.Key("a")).NewSelect((*user)(nil)).Where("id IN (?)", own).Count(t.Context())
	require.NoError(t, err, "one from before it was closed is the tenant's own")
}

// TestStatementsOnTheirWay closes a tenant between the moment when a statement got its connection and the moment when it is sent.
func TestStatementsOnTheirWay(t *testing.T) {
	m := openTenanted(t)
	m.mustOpen(t, "a")
	key := binds.Key("a")
	on := m.On(key)
	for range 2 {
		b, err := m.Bind(key)
		require.NoError(t, err)
		write := b.Router().Placed().ResolveConn(t.Context(), on.NewInsert(&user{}))
		read := b.Router().Placed().ResolveConn(t.Context(), on.NewSelect((*user)(nil)))
		require.NoError(t, m.Remove(t.Context(), key))
		_, err = write.ExecContext(t.Context(), "INSERT INTO users (name) VALUES ('late')")
		require.NoError(t, err)
		require.NoError(t, m.Remove(t.Context(), key))
		rows, err := read.QueryContext(t.Context(), "SELECT name FROM users")
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Close())
		require.NoError(t, m.Remove(t.Context(), key))
		var n int
		require.NoError(t, read.QueryRowContext(t.Context(), "SELECT count(*) FROM users").Scan(&n))
		assert.Positive(t, n)
	}
}

// TestCallsKeepTheirTenant: what is called with a tenant keeps it open, also while it has no connection.
func TestCallsKeepTheirTenant(t *testing.T) {
	m := openTenanted(t, manager.Idle(time.Millisecond))
	require.NoError(t, m.Group(tenantKeys(1)).Each(t.Context(), func(ctx context.Context, on manager.On) error {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, m.Remove(short, on.Key()), context.DeadlineExceeded)
		assert.Len(t, m.Tenants(), 1)
		return nil
	}))
	m.awaitOpen(t)
}

// TestReloadBesideTenants: what the file says leaves tenants as they are, and goes before one of the same key.
func TestReloadBesideTenants(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	l := openLive(t, manager.WithTenants(func(_ context.Context, key binds.Key) (manager.BindConfig, error) { return fileIn(dir, key), nil }))
	require.NoError(t, l.On(binds.Key("extra")).CreateTables(t.Context(), (*user)(nil)))
	require.NoError(t, l.On(binds.Key("other")).CreateTables(t.Context(), (*user)(nil)))
	l.says(t, l.bind("accounts", ""), l.bind("audit", ""), l.bind("extra", ""))
	require.NoError(t, l.Reload(t.Context()))
	assert.Len(t, l.Tenants(), 2, "they are as they were")
	b, err := l.Bind(binds.Key("extra"))
	require.NoError(t, err)
	assert.Contains(t, l.Binds(), b, "the file goes before")
	n, err := l.On(binds.Key("other")).NewSelect((*user)(nil)).Count(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
	require.NoError(t, l.Remove(t.Context(), binds.Key("other")))
	assert.Len(t, l.Tenants(), 1)
}

// A Bun DB that is asked for first while its tenant is closed is one of those that are closed with it, or opens it again.
func TestReaderOfATenantThatIsClosed(t *testing.T) {
	l := openTenanted(t)
	for i := range 50 {
		key := binds.Key(fmt.Sprint("t", i))
		b, err := l.Bind(key)
		require.NoError(t, err)
		var left sync.WaitGroup
		left.Go(func() { assert.NoError(t, l.Remove(t.Context(), key)) })
		left.Go(func() { assert.NoError(t, b.Reader().NewRaw("SELECT 1").Scan(t.Context(), new(int))) })
		left.Go(func() { assert.NoError(t, b.Native().NewRaw("SELECT 1").Scan(t.Context(), new(int))) })
		left.Wait()
	}
}
