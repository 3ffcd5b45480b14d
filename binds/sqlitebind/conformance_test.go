package sqlitebind_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/uptrace/bun/dialect"
	"modernc.org/sqlite"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/bindtest"
	"github.com/bindery-go/bindery/binds/sqlitebind"
)

func TestFileConformance(t *testing.T) {
	dir := t.TempDir()
	h := harness(t)
	h.Writer = "sqlite://" + filepath.Join(dir, "app.db") + "?allow=attach"
	h.Dead = "sqlite://" + filepath.Join(dir, "missing", "app.db")
	h.Faults = append(h.Faults, bindtest.FaultCase{Reason: "a file that cannot be attached", Do: exec("ATTACH '/no/such/dir/x.db' AS x"), Want: binds.Refused})
	for i := range h.Undo {
		h.Undo[i].Pinned = true // mode=ro, which nothing undoes
	}
	bindtest.Run(t, h)
}

func TestMemoryConformance(t *testing.T) {
	h := harness(t)
	h.Writer = "sqlite::memory:?allow=attach"
	bindtest.Run(t, h)
}

const endless = `WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) `

// stepping is as endless, and calls bindtest_step for each of its rows, see steps.
const stepping = `WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + bindtest_step() FROM r) `

// steps counts the rows of stepping statements: how a test of a database in its own process sees one at work.
type steps struct{ made, seen atomic.Int64 }

// step is the SQL function bindtest_step, which is 1.
func (s *steps) step(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	s.made.Add(1)
	return int64(1), nil
}

// running returns 1 where a statement has made steps since the last call.
func (s *steps) running(context.Context) (int, error) {
	if now := s.made.Load(); s.seen.Swap(now) != now {
		return 1, nil
	}
	return 0, nil
}

func harness(t *testing.T) bindtest.Harness {
	file := filepath.Join(t.TempDir(), "other.db")
	work := new(steps)
	return bindtest.Harness{
		Driver:      sqlitebind.New(sqlitebind.WithFunction("bindtest_step", &sqlite.FunctionImpl{Scalar: work.step})),
		Running:     work.running,
		Dialect:     dialect.SQLite,
		Embedded:    true,
		Decimal:     "TEXT", // SQLite's numbers are 64 bits wide
		Slow:        stepping + `SELECT count(*) FROM r`,
		SlowRows:    `SELECT 1 UNION ALL SELECT * FROM (` + stepping + `SELECT count(*) FROM r)`,
		FailsAtZero: "abs(n - 9223372036854775807 - 1)", // a division by zero is NULL here
		Native: func(conn any) error {
			if _, ok := conn.(interface {
				NewBackup(string) (*sqlite.Backup, error)
			}); !ok {
				return fmt.Errorf("%T is no connection of modernc.org/sqlite", conn)
			}
			return nil
		},
		RefusedOnReader: refused(file),
		Undo: []bindtest.Attempt{
			{Reason: "query_only off", SQL: "PRAGMA query_only = 0"},
			{Reason: "query_only off, quoted", SQL: `PRAGMA main."query_only"(off)`},
			{Reason: "query_only off, in disguise", SQL: "/* x */ pragma/**/QUERY_ONLY=No"},
			{Reason: "writable_schema", SQL: "PRAGMA writable_schema = on"},
			{Reason: "BEGIN IMMEDIATE", SQL: "BEGIN IMMEDIATE"},
			{Reason: "a transaction left open", SQL: "BEGIN"},
		},
		Sessions: []bindtest.SessionChange{
			{Reason: "foreign keys", SQL: "PRAGMA foreign_keys = OFF", Seen: "PRAGMA foreign_keys", NoTx: true},
			{Reason: "deferred foreign keys", SQL: "PRAGMA defer_foreign_keys(1)", Seen: "PRAGMA defer_foreign_keys", NoTx: true},
			{Reason: "a temporary table", SQL: "CREATE TEMP TABLE bindtest_temp (id)", Seen: "SELECT count(*) FROM sqlite_temp_master", WriterOnly: true},
			{Reason: "a table in temp", SQL: "CREATE TABLE temp.bindtest_temp (id)", Seen: "SELECT count(*) FROM sqlite_temp_master", WriterOnly: true},
			{Reason: "a database", SQL: "ATTACH ':memory:' AS bindtest", Seen: "SELECT count(*) FROM pragma_database_list WHERE name = 'bindtest'", WriterOnly: true, NoTx: true},
			{Reason: "behind another statement", SQL: "SELECT 1; PRAGMA foreign_keys = OFF", Seen: "PRAGMA foreign_keys", NoTx: true, NoPrepare: true},
		},
		Faults: []bindtest.FaultCase{
			{Reason: "a write in a read-only transaction", Do: writeReadOnly, Want: binds.ReadOnly},
			{Reason: "an isolation level that is not there", Do: begin(sql.LevelLinearizable), Want: binds.Refused},
			{Reason: "a foreign key", Do: exec("CREATE TEMP TABLE p (id INTEGER PRIMARY KEY); CREATE TEMP TABLE c (p REFERENCES p (id));" +
				"INSERT INTO c (p) VALUES (1)"), Want: binds.Refused},
			{Reason: "a CHECK", Do: exec("CREATE TEMP TABLE k (n CHECK (n > 0)); INSERT INTO k VALUES (0)"), Want: binds.Refused},
			{Reason: "a value that is too long", Do: exec("SELECT zeroblob(2000000000)"), Want: binds.Refused},
			{Reason: "a transaction that is lost", Do: lose, Want: binds.Refused},
		},
	}
}

func refused(file string) []bindtest.Statement {
	const trace = "SELECT count(*) FROM sqlite_master"
	return []bindtest.Statement{
		{Reason: "INSERT", SQL: "INSERT INTO bindtest_belt (id, n) VALUES (2, 2)"},
		{Reason: "INSERT RETURNING", SQL: "INSERT INTO bindtest_belt (id, n) VALUES (2, 2) RETURNING id"},
		{Reason: "REPLACE", SQL: "REPLACE INTO bindtest_belt (id, n) VALUES (1, 2)"},
		{Reason: "upsert", SQL: "INSERT INTO bindtest_belt (id, n) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET n = 2"},
		{Reason: "UPDATE", SQL: "UPDATE bindtest_belt SET n = 2"},
		{Reason: "UPDATE of no row", SQL: "UPDATE bindtest_belt SET n = 2 WHERE id = 77"},
		{Reason: "DELETE", SQL: "DELETE FROM bindtest_belt"},
		{Reason: "DELETE of no row", SQL: "DELETE FROM bindtest_belt WHERE false"},
		{Reason: "a CTE before DML", SQL: "WITH v AS (SELECT 2 AS n) INSERT INTO bindtest_belt (id, n) SELECT n, n FROM v"},
		{Reason: "CREATE TABLE", SQL: "CREATE TABLE bindtest_made (id INTEGER)", Trace: trace},
		{Reason: "CREATE TABLE AS", SQL: "CREATE TABLE bindtest_made AS SELECT 1", Trace: trace},
		{Reason: "CREATE TEMP TABLE", SQL: "CREATE TEMP TABLE bindtest_made (id INTEGER)", Trace: "SELECT count(*) FROM sqlite_temp_master"},
		{Reason: "CREATE INDEX", SQL: "CREATE INDEX bindtest_made ON bindtest_belt (n)", Trace: trace},
		{Reason: "CREATE VIEW", SQL: "CREATE VIEW bindtest_made AS SELECT 1", Trace: trace},
		{Reason: "ALTER TABLE", SQL: "ALTER TABLE bindtest_belt ADD COLUMN m", Trace: "SELECT count(*) FROM pragma_table_info('bindtest_belt')"},
		{Reason: "DROP TABLE", SQL: "DROP TABLE bindtest_belt"},
		{Reason: "REINDEX", SQL: "REINDEX bindtest_belt", Setup: []string{"CREATE INDEX IF NOT EXISTS bindtest_n ON bindtest_belt (n)"}},
		{Reason: "ANALYZE", SQL: "ANALYZE", Trace: trace},
		{Reason: "VACUUM", SQL: "VACUUM", NoTx: true, Faults: []binds.Fault{binds.ReadOnly, binds.Refused}},
		{Reason: "VACUUM INTO", SQL: "VACUUM INTO '" + file + "'", NoTx: true, Faults: []binds.Fault{binds.Refused}},
		{Reason: "ATTACH", SQL: "ATTACH '" + file + "' AS other", Faults: []binds.Fault{binds.Refused},
			Trace: "SELECT count(*) FROM pragma_database_list WHERE name = 'other'"},
		{Reason: "PRAGMA user_version", SQL: "PRAGMA user_version = 7", Trace: "PRAGMA user_version"},
		{Reason: "PRAGMA application_id", SQL: "PRAGMA application_id = 7", Trace: "PRAGMA application_id"},
	}
}

func exec(query string) func(context.Context, *binds.Engine) error {
	return func(ctx context.Context, e *binds.Engine) error {
		return pinned(ctx, e, func(c *sql.Conn) error {
			_, err := c.ExecContext(ctx, query)
			_, _ = c.ExecContext(ctx, "DROP TABLE IF EXISTS temp.c; DROP TABLE IF EXISTS temp.p; DROP TABLE IF EXISTS temp.k")
			return err
		})
	}
}

func pinned(ctx context.Context, e *binds.Engine, do func(*sql.Conn) error) error {
	c, err := e.DB().Conn(ctx)
	if err != nil {
		return err
	}
	err = do(c)
	if closing := c.Close(); err == nil {
		err = closing
	}
	return err
}

func begin(level sql.IsolationLevel) func(context.Context, *binds.Engine) error {
	return func(ctx context.Context, e *binds.Engine) error {
		_, err := e.DB().BeginTx(ctx, &sql.TxOptions{Isolation: level})
		return err
	}
}

func writeReadOnly(ctx context.Context, e *binds.Engine) error {
	tx, err := e.DB().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO bindtest_fault (id, n) VALUES (5, 5)")
	_ = tx.Rollback() // the statement's error counts
	return err
}

// lose ends a transaction behind database/sql's back.
func lose(ctx context.Context, e *binds.Engine) error {
	tx, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "ROLLBACK"); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO bindtest_fault (id, n) VALUES (6, 6)")
	_ = tx.Rollback() // the statement's error counts
	return err
}
