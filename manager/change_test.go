package manager_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// A live manager has a file that a test rewrites: binds accounts and audit, which is the default, on SQLite files.
type live struct {
	*manager.DBManager
	file string
	dir  string
	log  testlog.Buffer
}

func openLive(t *testing.T, opts ...manager.Option) *live {
	t.Helper()
	l := &live{dir: filepath.ToSlash(t.TempDir())}
	l.file = filepath.Join(l.dir, "config.toml")
	l.says(t, l.bind("accounts", ""), l.bind("audit", ""))
	m, err := manager.Open(t.Context(), l.file, append(opts, manager.WithLogger(slog.New(slog.NewTextHandler(&l.log, nil))))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	l.DBManager = m
	require.NoError(t, m.CreateTables(t.Context(), (*user)(nil), (*entry)(nil)))
	return l
}

func (l *live) bind(key, settings string) string {
	return fmt.Sprintf("[binds.%[1]s]\nwriter = 'sqlite://%[2]s/%[1]s.db'\n%[3]s\n", key, l.dir, settings)
}

func (l *live) says(t *testing.T, binds ...string) {
	t.Helper()
	text := "default = 'audit'\n"
	for _, b := range binds {
		text += b
	}
	require.NoError(t, os.WriteFile(l.file, []byte(text), 0o600))
}

func (l *live) mustBind(t *testing.T, b binds.Bound) *manager.Bind {
	t.Helper()
	bind, err := l.Bind(b)
	require.NoError(t, err)
	return bind
}

// doors are the ways to a bind that a program may hold while its configuration changes.
func doors(b *manager.Bind, m *manager.DBManager) map[string]func(context.Context) error {
	db, writer, reader, native, pool := b.DB(), b.Writer(), b.Reader(), b.Native(), b.WriterEngine().DB()
	read := func(db bun.IDB) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := db.NewSelect().Model((*user)(nil)).Count(ctx)
			return err
		}
	}
	return map[string]func(context.Context) error{
		"the manager's builder": func(ctx context.Context) error {
			_, err := m.NewInsert(&user{Name: "new"}).Exec(ctx)
			return err
		},
		"a DB's builder": func(ctx context.Context) error {
			_, err := db.NewInsert().Model(&user{Name: "new"}).Exec(ctx)
			return err
		},
		"a DB's read": read(db), "the writer's read": read(writer), "the reader's read": read(reader), "native": read(native),
		"a DB's RunInTx": func(ctx context.Context) error {
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return read(tx)(ctx) })
		},
		"a reader's transaction": func(ctx context.Context) error {
			return reader.RunInTx(ctx, &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, tx bun.Tx) error { return read(tx)(ctx) })
		},
		"a DB's Conn": func(ctx context.Context) error {
			c, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }() // it was read by
			return read(c)(ctx)
		},
		"a DB's Exec": func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, "UPDATE users SET name = name")
			return err
		},
		"the engine's pool": func(ctx context.Context) error { return pool.PingContext(ctx) },
		"InTx": func(ctx context.Context) error {
			return m.InTx(ctx, accounts{}, func(ctx context.Context) error { return read(db)(ctx) })
		},
		"a lock": func(ctx context.Context) error {
			return m.WithLock(ctx, accounts{}, "harbour", func(context.Context) error { return nil })
		},
	}
}

func TestReloadKeepsWhatIsHeld(t *testing.T) {
	l := openLive(t)
	held, other := l.mustBind(t, accounts{}), l.mustBind(t, audit{})
	was, otherWas := held.WriterEngine(), other.WriterEngine()
	ways := doors(held, l.DBManager)
	stmt, err := held.DB().PrepareContext(t.Context(), "SELECT count(*) FROM users")
	require.NoError(t, err)
	defer func() { assert.NoError(t, stmt.Close()) }()
	for round := range 3 {
		for way, use := range ways {
			require.NoError(t, use(t.Context()), "%s, after %d changes", way, round)
		}
		var n int
		require.NoError(t, stmt.QueryRowContext(t.Context()).Scan(&n))
		l.says(t, l.bind("accounts", fmt.Sprintf("pool = { max_open = %d }\nreaders = ['sqlite://%s/accounts.db']", round+3, l.dir)), l.bind("audit", ""))
		require.NoError(t, l.Reload(t.Context()))
		assert.NotSame(t, was, held.WriterEngine(), "the held bind is the new one")
		assert.Equal(t, round+3, held.ReaderEngines()[0].Pool().MaxOpen)
		assert.Same(t, held.WriterEngine(), l.mustBind(t, accounts{}).WriterEngine())
		assert.Same(t, otherWas, other.WriterEngine(), "what did not change was not touched")
	}
	assert.Equal(t, 2*3, users(t, l.DBManager))
	require.NoError(t, l.Reload(t.Context()))
	assert.Contains(t, l.log.String(), `changed=accounts removed=""`)
}

func users(t *testing.T, m *manager.DBManager) int {
	t.Helper()
	n, err := m.NewSelect((*user)(nil)).Count(t.Context())
	require.NoError(t, err)
	return int(n)
}

func TestReloadOfMistakesChangesNothing(t *testing.T) {
	l := openLive(t)
	b := l.mustBind(t, accounts{})
	was := b.WriterEngine()
	for name, row := range map[string]struct {
		binds []string
		want  []string
	}{
		"two mistakes":      {[]string{l.bind("accounts", "max_lag = 'soon'\npolicy = 'best'"), l.bind("audit", "")}, []string{"config.toml:4", "max_lag", "config.toml:5", "policy"}},
		"a scheme":          {[]string{"[binds.accounts]\nwriter = 'nosuchdb://x'\n", l.bind("audit", "")}, []string{"nosuchdb"}},
		"no TOML":           {[]string{"[binds"}, []string{"config.toml:"}},
		"no such server":    {[]string{l.bind("accounts", "max_lag = '1s'"), l.bind("audit", ""), "[binds.gone]\nwriter = 'sqlite:///no/such/directory/x.db'\n"}, []string{"gone/writer"}},
		"another default":   {[]string{l.bind("accounts", "")}, []string{"audit"}},
		"a reader's scheme": {[]string{l.bind("accounts", "readers = ['nosuchdb://x']"), l.bind("audit", "")}, []string{"nosuchdb"}},
	} {
		l.says(t, row.binds...)
		err := l.Reload(t.Context())
		require.Error(t, err, name)
		for _, part := range row.want {
			assert.ErrorContains(t, err, part, name)
		}
		assert.Same(t, was, b.WriterEngine(), name)
		assert.Len(t, l.Binds(), 2, name)
		require.NoError(t, doors(b, l.DBManager)["InTx"](t.Context()))
	}
	require.NoError(t, os.Remove(l.file))
	require.ErrorContains(t, l.Reload(t.Context()), "config.toml")
	l.says(t, l.bind("accounts", ""), l.bind("other", ""))
	require.ErrorContains(t, l.Reload(t.Context()), "unknown bind")
	text, err := os.ReadFile(l.file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(l.file, append([]byte("# default = 'audit'\n"), text[len("default = 'audit'\n"):]...), 0o600))
	require.ErrorIs(t, l.Reload(t.Context()), manager.ErrDefaultBind)

	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{{Key: "x", Writer: binds.NewURI("sqlite::memory:")}}})
	require.NoError(t, err)
	require.ErrorIs(t, m.Reload(t.Context()), manager.ErrNoFile)
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.Reload(t.Context()), manager.ErrClosed)
}

func TestAddAndRemove(t *testing.T) {
	l := openLive(t)
	ctx := t.Context()
	uri := binds.NewURI("sqlite://" + l.dir + "/nowhere.db")
	_, err := l.Bind(nowhere{})
	var unknown *binds.UnknownBindError
	require.ErrorAs(t, err, &unknown)
	_, err = l.Add(ctx, manager.BindConfig{Key: "nowhere", Policy: "best"})
	require.ErrorContains(t, err, "policy")
	require.ErrorContains(t, err, "needs a writer")
	_, err = l.Add(ctx, manager.BindConfig{Key: "accounts", Writer: uri})
	var exists *manager.BindExistsError
	require.ErrorAs(t, err, &exists)

	b, err := l.Add(ctx, manager.BindConfig{Key: "nowhere", Writer: uri})
	require.NoError(t, err)
	assert.Equal(t, binds.Key("nowhere"), l.Binds()[2].Key())
	_, err = l.NewRaw(nowhere{}, "CREATE TABLE t (n INTEGER)").Exec(ctx)
	require.NoError(t, err)

	// A transaction goes on, nested ones included; nothing else begins.
	removed := make(chan error, 1)
	inserts := func(ctx context.Context) error {
		_, err := l.NewRaw(nowhere{}, "INSERT INTO t VALUES (1)").Exec(ctx)
		return err
	}
	after := false
	require.NoError(t, l.InTx(ctx, nowhere{}, func(tx context.Context) error {
		require.NoError(t, inserts(tx))
		go func() { removed <- l.Remove(ctx, nowhere{}) }()
		require.Eventually(t, func() bool { _, err := l.Bind(nowhere{}); return err != nil }, 5*time.Second, time.Millisecond)
		for name, use := range map[string]func() error{
			"a builder":      func() error { return inserts(ctx) },
			"a held DB":      func() error { return b.DB().NewRaw("SELECT 1").Scan(ctx, new(int)) },
			"a held reader":  func() error { return b.Reader().NewRaw("SELECT 1").Scan(ctx, new(int)) },
			"a held Conn":    func() error { _, err := b.DB().Conn(ctx); return err },
			"the bind":       func() error { _, err := l.Bind(nowhere{}); return err },
			"a transaction":  func() error { return l.InTx(ctx, nowhere{}, func(context.Context) error { return nil }) },
			"another remove": func() error { return l.Remove(ctx, nowhere{}) },
			"a lock":         func() error { _, err := l.Lock(ctx, nowhere{}, "x"); return err },
		} {
			var gone *router.RemovedBindError
			require.ErrorAs(t, use(), &gone, name)
			assert.Equal(t, binds.Key("nowhere"), gone.Bind)
		}
		require.NoError(t, inserts(tx))
		require.NoError(t, l.AfterCommit(tx, nowhere{}, func(context.Context) { after = true }))
		assert.Empty(t, removed, "it waits")
		return l.InTx(tx, nowhere{}, inserts)
	}))
	assert.True(t, after)
	require.NoError(t, <-removed)
	assert.Len(t, l.Binds(), 2)

	_, err = l.Add(ctx, manager.BindConfig{Key: "nowhere", Writer: uri})
	require.NoError(t, err)
	var n int
	require.NoError(t, l.NewRaw(nowhere{}, "SELECT count(*) FROM t").Scan(ctx, &n))
	assert.Equal(t, 3, n)
	require.ErrorIs(t, l.Remove(ctx, audit{}), manager.ErrDefaultBind)
	require.ErrorIs(t, l.Remove(ctx, binds.Key("")), manager.ErrDefaultBind)
	require.ErrorAs(t, l.Remove(ctx, binds.Key("never")), &unknown)
	require.NoError(t, l.Reload(ctx), "the file does not have it")
	assert.Len(t, l.Binds(), 2)
}

func TestTransactionsOutliveAReload(t *testing.T) {
	l := openLive(t)
	ctx := t.Context()
	require.NoError(t, l.InTx(ctx, accounts{}, func(tx context.Context) error {
		_, err := l.NewInsert(&user{Name: "before"}).Exec(tx)
		require.NoError(t, err)
		l.says(t, l.bind("accounts", "max_lag = '7s'"), l.bind("audit", ""))
		require.NoError(t, l.Reload(ctx))
		_, err = l.NewInsert(&user{Name: "after"}).Exec(tx)
		require.NoError(t, err)
		n, err := l.NewSelect((*user)(nil)).Count(tx)
		require.NoError(t, err)
		assert.EqualValues(t, 2, n, "one transaction")
		err = l.InTx(tx, accounts{}, func(nested context.Context) error {
			_, err := l.NewInsert(&user{Name: "undone"}).Exec(nested)
			require.NoError(t, err)
			return assert.AnError
		})
		require.ErrorIs(t, err, assert.AnError)
		_, err = l.mustBind(t, accounts{}).DB().ExecContext(tx, "DELETE FROM users")
		var past *router.PastTxError
		require.ErrorAs(t, err, &past, "it is known to be the same bind's")
		assert.NotContains(t, l.log.String(), "bind closed", "it waits")
		return nil
	}))
	assert.Equal(t, 2, users(t, l.DBManager))
	require.Eventually(t, func() bool {
		return strings.Contains(l.log.String(), "bind closed: all that had begun on it has ended")
	}, 5*time.Second, time.Millisecond)
}

func TestDrainIsBounded(t *testing.T) {
	l := openLive(t, manager.WithDrain(50*time.Millisecond))
	ctx := t.Context()
	tx, err := l.mustBind(t, accounts{}).DB().BeginTx(ctx, nil)
	require.NoError(t, err)
	lock, err := l.Lock(ctx, accounts{}, "harbour")
	require.NoError(t, err)
	l.says(t, l.bind("accounts", "max_lag = '7s'"), l.bind("audit", ""))
	began := time.Now()
	require.NoError(t, l.Reload(ctx))
	<-lock.Context().Done()
	require.ErrorIs(t, context.Cause(lock.Context()), manager.ErrLockLost)
	assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	require.ErrorIs(t, lock.Unlock(), manager.ErrLockLost)
	require.Eventually(t, func() bool { return strings.Contains(l.log.String(), "what had not ended in time was broken off") }, 5*time.Second, time.Millisecond)
	_ = tx.Rollback()
	require.NoError(t, l.WithLock(ctx, accounts{}, "harbour", func(context.Context) error { return nil }))
}

func TestMemoryOutlivesAReload(t *testing.T) {
	l := openLive(t)
	ctx := t.Context()
	memory := "[binds.scratch]\nwriter = 'sqlite::memory:'\n"
	l.says(t, l.bind("accounts", ""), l.bind("audit", ""), memory)
	require.NoError(t, l.Reload(ctx))
	_, err := l.NewRaw(binds.Key("scratch"), "CREATE TABLE t (n INTEGER)").Exec(ctx)
	require.NoError(t, err)
	l.says(t, l.bind("accounts", ""), l.bind("audit", ""), memory+"max_lag = '3s'\n")
	require.NoError(t, l.Reload(ctx))
	_, err = l.NewRaw(binds.Key("scratch"), "INSERT INTO t VALUES (1)").Exec(ctx)
	require.NoError(t, err)
}

// Sixteen goroutines use every door while the binds change.
func TestReloadUnderLoad(t *testing.T) {
	l := openLive(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	for range 16 {
		ways := doors(l.mustBind(t, accounts{}), l.DBManager)
		delete(ways, "a lock") // one at a time would do nothing else
		running.Go(func() {
			for ctx.Err() == nil {
				for way, use := range ways {
					if err := use(context.WithoutCancel(ctx)); !assert.NoError(t, err, way) {
						return
					}
				}
			}
		})
	}
	for round := range 20 {
		l.says(t, l.bind("accounts", fmt.Sprintf("pool = { max_open = %d }", round%3+2)), l.bind("audit", ""))
		require.NoError(t, l.Reload(t.Context()))
	}
	stop()
	running.Wait()
}

func TestCloseWithATransaction(t *testing.T) {
	l := openLive(t)
	err := l.InTx(t.Context(), accounts{}, func(tx context.Context) error {
		_, err := l.NewInsert(&user{Name: "kept"}).Exec(tx)
		require.NoError(t, err)
		db := l.mustBind(t, accounts{}).DB()
		closed := make(chan error, 1)
		go func() { closed <- l.Close() }()
		require.NoError(t, <-closed, "Close does not wait for it")
		_, err = l.NewInsert(&user{Name: "late"}).Exec(tx)
		require.ErrorIs(t, err, manager.ErrClosed)
		_, err = db.NewInsert().Model(&user{Name: "late"}).Exec(tx)
		return err
	})
	require.NoError(t, err, "its connection is its own until it ends")
	m, err := manager.Open(t.Context(), l.file)
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	assert.Equal(t, 2, users(t, m))
}

// A change leaves nothing behind, whatever a program holds of the bind: no goroutine, no file, and nothing of the binds between the first and the last.
func TestReloadsLeaveNothing(t *testing.T) {
	l := openLive(t)
	held := l.mustBind(t, accounts{})
	ways := doors(held, l.DBManager)
	var former []weak.Pointer[binds.Engine]
	reload := func(round int) {
		readers := []string{"", fmt.Sprintf("readers = ['sqlite://%s/accounts.db']", l.dir), fmt.Sprintf("readers = ['sqlite://%[1]s/accounts.db', 'sqlite://%[1]s/accounts.db']", l.dir)}[round%3]
		l.says(t, l.bind("accounts", fmt.Sprintf("pool = { max_open = %d }\n%s", round%5+3, readers)), l.bind("audit", ""))
		require.NoError(t, l.Reload(t.Context()))
		former = append(former, weak.Make(held.WriterEngine()))
		for way, use := range ways {
			require.NoError(t, use(t.Context()), "%s, after %d changes", way, round)
		}
		for way, use := range doors(l.mustBind(t, accounts{}), l.DBManager) {
			require.NoError(t, use(t.Context()), "%s, after %d changes", way, round)
		}
	}
	for round := range 4 {
		reload(round)
	}
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for round := range 21 {
		reload(round + 4)
	}
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 }, 5*time.Second, time.Millisecond, "of %d, and this one", goroutines)
	assert.Eventually(t, func() bool { return openFiles(t) <= files }, 5*time.Second, time.Millisecond, "of %d", files)
	assert.Eventually(t, func() bool {
		runtime.GC()
		for _, e := range former[:len(former)-3] { // the latest may be kept by a reader's pool that has no reader now
			if e.Value() != nil {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond)
}

// openFiles counts the files that this process has open, where that can be known.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// Who waits for a connection of a bind that is changed gets one of the new engine's, though those of the old one are in use: its server may hang.
func TestWhoWaitsGoesToTheNewEngine(t *testing.T) {
	l := openLive(t)
	b := l.mustBind(t, accounts{})
	tx, err := b.DB().BeginTx(t.Context(), nil) // the only connection
	require.NoError(t, err)
	reader, err := b.Reader().Conn(t.Context())
	require.NoError(t, err)
	waits := map[string]func() error{
		"InTx":           func() error { return l.InTx(t.Context(), accounts{}, func(context.Context) error { return nil }) },
		"a Conn":         func() error { c, err := b.DB().Conn(t.Context()); return errors.Join(err, c.Close()) },
		"a builder":      func() error { return b.Writer().NewRaw("SELECT 1").Scan(t.Context(), new(int)) },
		"a reader's":     func() error { return b.Reader().NewRaw("SELECT 1").Scan(t.Context(), new(int)) },
		"a reader's own": func() error { c, err := b.Reader().Conn(t.Context()); return errors.Join(err, c.Close()) },
	}
	ended := make(chan error, len(waits))
	for way, use := range waits {
		go func() {
			if err := use(); err != nil {
				ended <- fmt.Errorf("%s: %w", way, err)
				return
			}
			ended <- nil
		}()
	}
	require.Eventually(t, func() bool { return b.Stats().PoolWaiting >= 2 }, 5*time.Second, time.Millisecond)
	l.says(t, "[binds.accounts]\nwriter = 'sqlite://"+l.dir+"/elsewhere.db'\npool = { max_open = 1 }\n", l.bind("audit", ""))
	require.NoError(t, l.Reload(t.Context()))
	for range waits {
		require.NoError(t, <-ended)
	}
	assert.Equal(t, 1, b.ReaderEngines()[0].Stats().MaxOpenConnections, "the bound is the new one's")
	_, err = tx.ExecContext(t.Context(), "INSERT INTO users (name) VALUES ('old')")
	require.NoError(t, err, "what had begun goes on")
	require.NoError(t, tx.Commit())
	require.NoError(t, reader.Close())
	require.ErrorContains(t, b.Writer().NewRaw("SELECT count(*) FROM users").Scan(t.Context(), new(int)), "no such table", "its connection is not used again")
}
