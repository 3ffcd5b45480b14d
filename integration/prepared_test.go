package integration_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/teston"
)

// preparer is a DB, a transaction or a connection of database/sql or Bun, as far as it prepares.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// columnsOf returns the columns that a statement gives, and the values of its first row as text, "" for NULL.
func columnsOf(t *testing.T, stmt *sql.Stmt, args ...any) (columns, values []string) {
	t.Helper()
	rows, err := stmt.QueryContext(t.Context(), args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err = rows.Columns()
	require.NoError(t, err)
	require.True(t, rows.Next(), "%v", rows.Err())
	texts, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range texts {
		into[i] = &texts[i]
	}
	require.NoError(t, rows.Scan(into...))
	require.False(t, rows.Next())
	require.NoError(t, rows.Err())
	for _, text := range texts {
		values = append(values, text.String)
	}
	return columns, values
}

// TestPreparedAfterDDL prepares statements, changes the table, and runs them: they show, and write, what the table is now.
func TestPreparedAfterDDL(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bench) {
		pool := b.bind(t).WriterEngine().DB()
		exec := func(queries ...string) {
			t.Helper()
			for _, query := range queries {
				_, err := pool.ExecContext(t.Context(), query)
				require.NoError(t, err, query)
			}
		}
		hold := "?"
		if b.kind.name == teston.Postgres {
			hold = "$1"
		}
		table := func() {
			t.Helper()
			exec("DROP TABLE IF EXISTS shapes", "CREATE TABLE shapes (id INT PRIMARY KEY, v INT)", "INSERT INTO shapes VALUES (1, 5)")
		}
		prepare := func(by preparer, query string) *sql.Stmt {
			t.Helper()
			stmt, err := by.PrepareContext(t.Context(), query)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, stmt.Close()) })
			return stmt
		}
		all := "SELECT * FROM shapes WHERE id = " + hold
		for name, by := range map[string]preparer{"sql.DB": pool, "bun.DB": b.bind(t).DB().DB, "bun's writer": b.bind(t).Writer().DB} {
			t.Run(name, func(t *testing.T) {
				table()
				stmt := prepare(by, all)
				columns, values := columnsOf(t, stmt, 1)
				assert.Equal(t, []string{"id", "v"}, columns)
				assert.Equal(t, []string{"1", "5"}, values)
				exec("ALTER TABLE shapes ADD COLUMN w INT DEFAULT 7")
				for range 3 {
					columns, values = columnsOf(t, stmt, 1)
					assert.Equal(t, []string{"id", "v", "w"}, columns)
					assert.Equal(t, []string{"1", "5", "7"}, values)
				}
				exec("ALTER TABLE shapes DROP COLUMN v", "ALTER TABLE shapes ADD COLUMN v VARCHAR(9) DEFAULT 'last'")
				columns, values = columnsOf(t, stmt, 1)
				assert.Equal(t, []string{"id", "w", "v"}, columns)
				assert.Equal(t, []string{"1", "7", "last"}, values)
				exec("ALTER TABLE shapes RENAME COLUMN w TO u")
				columns, _ = columnsOf(t, stmt, 1)
				assert.Equal(t, []string{"id", "u", "v"}, columns)
			})
		}
		t.Run("many connections", func(t *testing.T) {
			table()
			stmt := prepare(pool, all)
			var open []*sql.Rows
			for range min(3, max(1, b.bind(t).WriterEngine().Pool().MaxOpen)) {
				rows, err := stmt.QueryContext(t.Context(), 1)
				require.NoError(t, err)
				open = append(open, rows)
			}
			for _, rows := range open {
				require.NoError(t, rows.Close())
			}
			exec("ALTER TABLE shapes ADD COLUMN w INT DEFAULT 7")
			for range 6 {
				_, values := columnsOf(t, stmt, 1)
				assert.Equal(t, []string{"1", "5", "7"}, values)
			}
		})
		t.Run("a write runs once", func(t *testing.T) {
			if b.kind.name == teston.MySQL {
				t.Skip("MySQL has no RETURNING")
			}
			table()
			stmt := prepare(pool, "INSERT INTO shapes (id, v) VALUES ("+hold+", 1) RETURNING *")
			columnsOf(t, stmt, 2)
			exec("ALTER TABLE shapes ADD COLUMN w INT DEFAULT 7")
			columns, values := columnsOf(t, stmt, 3)
			assert.Equal(t, []string{"id", "v", "w"}, columns)
			assert.Equal(t, []string{"3", "1", "7"}, values)
			exec("ALTER TABLE shapes ADD COLUMN x INT")
			_, err := stmt.ExecContext(t.Context(), 4)
			require.NoError(t, err)
			var n int
			require.NoError(t, pool.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM shapes").Scan(&n))
			assert.Equal(t, 4, n)
			assert.Zero(t, b.bind(t).Stats().Unknown)
		})
		t.Run("a parameter's type", func(t *testing.T) {
			if b.kind.name == teston.SQLite {
				t.Skip("SQLite changes no column's type")
			}
			table()
			insert, find := prepare(pool, "INSERT INTO shapes (id, v) VALUES (2, "+hold+")"), prepare(pool, "SELECT id FROM shapes WHERE v = "+hold)
			columnsOf(t, find, 5)
			alter := map[bool]string{true: "ALTER TABLE shapes ALTER COLUMN v TYPE VARCHAR(9)", false: "ALTER TABLE shapes MODIFY v VARCHAR(9)"}
			exec(alter[b.kind.name == teston.Postgres])
			_, err := insert.ExecContext(t.Context(), "text")
			require.NoError(t, err)
			_, values := columnsOf(t, find, "text")
			assert.Equal(t, []string{"2"}, values)
			exec("DELETE FROM shapes WHERE id = 2")
			alter = map[bool]string{true: "ALTER TABLE shapes ALTER COLUMN v TYPE INT USING v::int", false: "ALTER TABLE shapes MODIFY v INT"}
			exec(alter[b.kind.name == teston.Postgres])
			_, err = insert.ExecContext(t.Context(), 9)
			require.NoError(t, err)
			_, values = columnsOf(t, find, 9)
			assert.Equal(t, []string{"2"}, values)
		})
		t.Run("a table that is gone", func(t *testing.T) {
			table()
			stmt := prepare(pool, all)
			columnsOf(t, stmt, 1)
			exec("DROP TABLE shapes")
			_, err := stmt.QueryContext(t.Context(), 1)
			if err == nil { // SQLite's driver reads no row before it is asked to
				t.Fatal("there is no such table")
			}
			table()
			_, values := columnsOf(t, stmt, 1)
			assert.Equal(t, []string{"1", "5"}, values)
		})
		t.Run("in a transaction", func(t *testing.T) {
			table()
			stmt := prepare(pool, all)
			columnsOf(t, stmt, 1)
			exec("ALTER TABLE shapes ADD COLUMN w INT DEFAULT 7")
			inTx := func() error {
				tx, err := pool.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				defer func() { require.NoError(t, tx.Rollback()) }()
				rows, err := tx.StmtContext(t.Context(), stmt).QueryContext(t.Context(), 1)
				if err != nil {
					return err
				}
				columns, err := rows.Columns()
				require.NoError(t, err)
				assert.Equal(t, []string{"id", "v", "w"}, columns)
				return rows.Close()
			}
			err := inTx()
			if b.kind.name == teston.Postgres {
				require.ErrorContains(t, err, "0A000", "the error has broken the transaction")
				err = inTx()
			}
			require.NoError(t, err, "the next one")
			_, values := columnsOf(t, stmt, 1)
			assert.Equal(t, []string{"1", "5", "7"}, values)
		})
		t.Run("forgotten by the server", func(t *testing.T) {
			if b.kind.name != teston.Postgres {
				t.Skip("no statement of theirs makes them forget one")
			}
			table()
			conn, err := pool.Conn(t.Context())
			require.NoError(t, err)
			defer func() { require.NoError(t, conn.Close()) }()
			stmt := prepare(conn, all)
			for _, forget := range []string{"DEALLOCATE ALL", "DISCARD ALL"} {
				_, err := conn.ExecContext(t.Context(), forget)
				require.NoError(t, err)
				_, values := columnsOf(t, stmt, 1)
				assert.Equal(t, []string{"1", "5"}, values)
			}
			_, err = conn.ExecContext(t.Context(), "BEGIN; DEALLOCATE ALL")
			require.NoError(t, err)
			_, err = stmt.QueryContext(t.Context(), 1)
			require.ErrorContains(t, err, "26000")
			_, err = conn.ExecContext(t.Context(), "ROLLBACK")
			require.NoError(t, err)
			_, values := columnsOf(t, stmt, 1)
			assert.Equal(t, []string{"1", "5"}, values)
		})
		t.Run("refused by the server", func(t *testing.T) { // as by a table cache that is too small: 1615, 1243
			if !inMySQLFamily(b.kind.name) {
				t.Skip("these errors are MySQL's")
			}
			require.NoError(t, b.cluster.Primary.Exec(t.Context(), "SET GLOBAL log_bin_trust_function_creators = 1"))
			for _, number := range []string{"1615", "1243"} {
				table()
				exec("CREATE TRIGGER refuse BEFORE INSERT ON shapes FOR EACH ROW IF @told IS NULL THEN SET @told = 1; " +
					"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = " + number + "; END IF")
				for _, begin := range []string{"", "BEGIN"} {
					conn, err := pool.Conn(t.Context())
					require.NoError(t, err)
					stmt, err := conn.PrepareContext(t.Context(), "INSERT INTO shapes (id) VALUES (?)")
					require.NoError(t, err)
					for _, query := range []string{"SET @told = NULL", begin} {
						if query != "" {
							_, err = conn.ExecContext(t.Context(), query)
							require.NoError(t, err)
						}
					}
					_, err = stmt.ExecContext(t.Context(), 10+len(begin))
					require.NoError(t, err, number)
					_, err = conn.ExecContext(t.Context(), "COMMIT")
					require.NoError(t, err)
					require.NoError(t, stmt.Close())
					require.NoError(t, conn.Close())
				}
				var n int
				require.NoError(t, pool.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM shapes WHERE id >= 10").Scan(&n))
				assert.Equal(t, 2, n)
			}
		})
		t.Run("on a reader", func(t *testing.T) {
			if b.cluster == nil {
				return
			}
			table()
			require.NoError(t, b.cluster.WaitReplayed(t.Context()))
			reader := b.bind(t).ReaderEngines()[0].DB()
			stmt := prepare(reader, all)
			columnsOf(t, stmt, 1)
			exec("ALTER TABLE shapes ADD COLUMN w INT DEFAULT 7")
			require.NoError(t, b.cluster.WaitReplayed(t.Context()))
			_, values := columnsOf(t, stmt, 1)
			assert.Equal(t, []string{"1", "5", "7"}, values)
		})
	})
}
