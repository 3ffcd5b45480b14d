package router

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// file is a SQLite database behind a notice, and what others see in it at each report.
type file struct {
	people
	db  *bun.DB
	dsn string

	others  *sql.DB
	mu      sync.Mutex // guards reports
	reports []string
	notice  *notice
}

func (f *file) Connect(context.Context) (driver.Conn, error) {
	conn, err := new(sqlite.Driver).Open(f.dsn)
	if err != nil {
		return nil, err
	}
	return f.notice.watch(conn, f.notice.age()), nil
}

func (f *file) Driver() driver.Driver { return new(sqlite.Driver) }

func newFile(t *testing.T) *file {
	f := &file{people: newPeople()}
	f.dsn = "file:" + filepath.Join(t.TempDir(), "notes.db") + "?_pragma=journal_mode(WAL)"
	var err error
	f.others, err = sql.Open("sqlite", f.dsn)
	require.NoError(t, err)
	_, err = f.others.Exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
	require.NoError(t, err)
	f.notice = &notice{
		plainRead: func(q string) bool { return sqlkind.Of(dialect.SQLite, q) == sqlkind.Read },
		wrote:     f.wrote,
	}
	f.db = bun.NewDB(sql.OpenDB(f), sqlitedialect.New())
	t.Cleanup(func() {
		assert.NoError(t, f.db.Close())
		assert.NoError(t, f.others.Close())
	})
	return f
}

// wrote notes who wrote, and how many notes another connection sees at that moment.
func (f *file) wrote(s *Session) {
	who := map[*Session]string{SessionFrom(f.alice): "alice", SessionFrom(f.bob): "bob", nil: "nobody"}[s]
	var count int
	if err := f.others.QueryRow("SELECT count(*) FROM notes").Scan(&count); err != nil {
		who = err.Error()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports = append(f.reports, fmt.Sprint(who, count))
}

// seen returns the reports since the last call: "alice1" says that her write was there for others
// to see, with one note in all.
func (f *file) seen() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	reports := strings.Join(f.reports, " ")
	f.reports = nil
	return reports
}

type note struct {
	ID   int64 `bun:",pk,autoincrement"`
	Text string
}

func TestSQLiteWritesAreReportedWhereOthersSeeThem(t *testing.T) {
	stop := errors.New("stop")
	insert := func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewInsert().Model(&note{Text: "a"}).Exec(ctx)
		return err
	}
	for reason, row := range map[string]struct {
		run  func(t *testing.T, f *file) error
		want string
	}{
		"insert, its RETURNING included": {func(_ *testing.T, f *file) error { return insert(f.alice, f.db) }, "alice1"},
		"insert without RETURNING": {func(_ *testing.T, f *file) error {
			_, err := f.db.NewInsert().Model(&note{ID: 1}).Returning("NULL").Exec(f.alice)
			return err
		}, "alice1"},
		"insert that fails": {func(t *testing.T, f *file) error {
			_, err := f.db.Exec("INSERT INTO absent VALUES (1)")
			assert.Error(t, err)
			return nil
		}, "nobody0"},
		"rows, read to their end": {func(t *testing.T, f *file) error {
			rows, err := f.db.QueryContext(f.alice, "INSERT INTO notes (text) VALUES ('a'), ('b') RETURNING id")
			require.NoError(t, err)
			assert.Empty(t, f.seen(), "the rows are open")
			for rows.Next() {
				assert.Empty(t, f.seen(), "the rows are open")
			}
			assert.Equal(t, "alice2", f.seen())
			return errors.Join(rows.Err(), rows.Close())
		}, ""},
		"rows, closed after the first": {func(t *testing.T, f *file) error {
			rows, err := f.db.QueryContext(f.alice, "INSERT INTO notes (text) VALUES ('a'), ('b') RETURNING id")
			require.NoError(t, err)
			assert.True(t, rows.Next())
			assert.Empty(t, f.seen(), "the rows are open")
			return rows.Close()
		}, "alice2"},
		"QueryRow": {func(_ *testing.T, f *file) error {
			var id int
			return f.db.QueryRowContext(f.alice, "INSERT INTO notes (text) VALUES ('a') RETURNING id").Scan(&id)
		}, "alice1"},
		"RunInTx": {func(t *testing.T, f *file) error {
			return f.db.RunInTx(f.alice, nil, func(ctx context.Context, tx bun.Tx) error {
				require.NoError(t, insert(ctx, tx))
				require.NoError(t, insert(f.bob, tx))
				assert.Empty(t, f.seen(), "the transaction is open")
				return nil
			})
		}, "alice2 bob2"},
		"RunInTx of plain reads": {func(_ *testing.T, f *file) error {
			return f.db.RunInTx(f.alice, nil, func(ctx context.Context, tx bun.Tx) error {
				return tx.NewSelect().Model(new([]note)).Scan(ctx)
			})
		}, ""},
		"nested": {func(t *testing.T, f *file) error {
			return f.db.RunInTx(f.alice, nil, func(ctx context.Context, tx bun.Tx) error {
				require.NoError(t, insert(ctx, tx))
				require.NoError(t, tx.RunInTx(ctx, nil, insertInTx(insert)))
				require.ErrorIs(t, tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
					return errors.Join(insert(ctx, tx), stop)
				}), stop)
				assert.Empty(t, f.seen(), "the transaction is open")
				return nil
			})
		}, "alice2"},
		"rollback": {func(t *testing.T, f *file) error {
			err := f.db.RunInTx(f.alice, nil, func(ctx context.Context, tx bun.Tx) error {
				return errors.Join(insert(ctx, tx), stop)
			})
			assert.ErrorIs(t, err, stop)
			return nil
		}, "alice0"},
		"panic": {func(t *testing.T, f *file) error {
			assert.Panics(t, func() {
				_ = f.db.RunInTx(f.alice, nil, func(ctx context.Context, tx bun.Tx) error {
					require.NoError(t, insert(ctx, tx))
					panic("oh")
				})
			})
			return nil
		}, "alice0"},
		"Conn": {func(t *testing.T, f *file) error {
			conn, err := f.db.Conn(f.none)
			require.NoError(t, err)
			require.NoError(t, insert(f.alice, conn))
			return conn.Close()
		}, "alice1"},
		"transaction in text": {func(t *testing.T, f *file) error {
			conn, err := f.db.Conn(f.none)
			require.NoError(t, err)
			for _, q := range []string{"BEGIN", "INSERT INTO notes (text) VALUES ('a')", "COMMIT"} {
				_, err := conn.ExecContext(f.alice, q)
				require.NoError(t, err)
			}
			return conn.Close()
		}, "alice0 alice0 alice1"},
		"prepared": {func(t *testing.T, f *file) error {
			stmt, err := f.db.Prepare("INSERT INTO notes (text) VALUES (?)")
			require.NoError(t, err)
			_, err = stmt.ExecContext(f.alice, "a")
			require.NoError(t, err)
			_, err = stmt.ExecContext(f.bob, "b")
			return errors.Join(err, stmt.Close())
		}, "alice1 bob2"},
		"prepared, in a transaction": {func(t *testing.T, f *file) error {
			tx, err := f.db.BeginTx(f.none, nil)
			require.NoError(t, err)
			stmt, err := tx.Prepare("INSERT INTO notes (text) VALUES (?) RETURNING id")
			require.NoError(t, err)
			var id int
			require.NoError(t, stmt.QueryRowContext(f.alice, "a").Scan(&id))
			assert.Empty(t, f.seen(), "the transaction is open")
			return errors.Join(tx.Commit(), stmt.Close())
		}, "alice1"},
		"bare sql.DB": {func(_ *testing.T, f *file) error {
			_, err := f.db.DB.ExecContext(f.bob, "INSERT INTO notes (text) VALUES (?)", "a")
			return err
		}, "bob1"},
		"plain reads": {func(t *testing.T, f *file) error {
			var n int
			require.NoError(t, f.db.QueryRowContext(f.alice, "SELECT count(*) FROM notes WHERE id = ?", 1).Scan(&n))
			require.NoError(t, f.db.NewSelect().Model(new([]note)).Scan(f.alice))
			_, err := f.db.NewSelect().Model((*note)(nil)).Count(f.alice)
			return err
		}, ""},
		"a transaction cancelled": {func(t *testing.T, f *file) error {
			ctx, cancel := context.WithCancel(f.alice)
			tx, err := f.db.BeginTx(ctx, nil)
			require.NoError(t, err)
			require.NoError(t, insert(f.alice, tx))
			assert.Empty(t, f.seen(), "the transaction is open")
			cancel()
			_ = tx.Rollback() // the pool or this, whichever comes first
			require.Eventually(t, func() bool { return f.db.Stats().InUse == 0 }, 5*time.Second, time.Millisecond)
			return nil
		}, "alice0"},
		"rows cancelled": {func(t *testing.T, f *file) error {
			ctx, cancel := context.WithCancel(f.alice)
			rows, err := f.db.QueryContext(ctx, "INSERT INTO notes (text) VALUES ('a'), ('b') RETURNING id")
			require.NoError(t, err)
			require.True(t, rows.Next())
			cancel()
			_ = rows.Close() // it waits for the goroutine that closes them, or is that itself
			return nil
		}, "alice2"},
	} {
		t.Run(reason, func(t *testing.T) {
			f := newFile(t)
			require.NoError(t, row.run(t, f))
			assert.Equal(t, row.want, f.seen())
		})
	}
}

func insertInTx(insert func(context.Context, bun.IDB) error) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error { return insert(ctx, tx) }
}
