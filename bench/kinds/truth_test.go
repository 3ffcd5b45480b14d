package kinds

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/integration"
)

// TestPostgresSaysTheSame runs what the libraries sent on a real standby.
func TestPostgresSaysTheSame(t *testing.T) {
	c := integration.StartPostgres(t, 1)
	require.NoError(t, c.Primary.Exec(t.Context(), postgresSchema))
	require.NoError(t, c.WaitReplayed(t.Context()))
	primary, standby := openPostgres(t, c.Primary), openPostgres(t, c.Replicas[0])

	compare(t, databases()[0], standby, func(err error) bool {
		var e pgdriver.Error
		// read_only_sql_transaction, object_not_in_prerequisite_state, internal_error: the last is how
		// PostgreSQL before version 16 refuses a transaction number
		return errors.As(err, &e) && slices.Contains([]string{"25006", "55000", "XX000"}, e.Field('C'))
	})
	t.Run("a named lock of a standby excludes nobody", func(t *testing.T) {
		takeLock(t, standby, "SELECT pg_try_advisory_lock(42)::int")
		takeLock(t, primary, "SELECT pg_try_advisory_lock(42)::int")
	})
}

// TestMariaDBSaysTheSame runs what the libraries sent on a real replica.
func TestMariaDBSaysTheSame(t *testing.T) {
	c := integration.StartMariaDB(t, 1)
	for _, statement := range mariadbSchema {
		require.NoError(t, c.Primary.Exec(t.Context(), statement), statement)
	}
	require.NoError(t, c.WaitReplayed(t.Context()))
	primary, replica := openMariaDB(t, c.Primary), openMariaDB(t, c.Replicas[0])

	compare(t, databases()[1], replica, func(err error) bool {
		var e *mysql.MySQLError
		return errors.As(err, &e) && e.Number == 1290 // ER_OPTION_PREVENTS_STATEMENT: --read-only
	})
	t.Run("a named lock of a replica excludes nobody", func(t *testing.T) {
		takeLock(t, replica, "SELECT GET_LOCK('report', 0)")
		takeLock(t, primary, "SELECT GET_LOCK('report', 0)")
	})
	t.Run("a row lock of a replica excludes nobody", func(t *testing.T) {
		lockRow(t, replica, "SELECT id FROM items WHERE id = 1 LOCK IN SHARE MODE")
		lockRow(t, primary, "SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT")
	})
	t.Run("an administrator's procedure writes on a replica", func(t *testing.T) {
		const version = "SELECT version FROM items WHERE id = 1"
		_, err := replica.ExecContext(t.Context(), "CALL archive()")
		require.NoError(t, err)
		assert.Equal(t, "7", answerOn(t, replica, version))
		assert.Equal(t, "1", answerOn(t, primary, version), "the servers have parted")
	})
	t.Run("a replica knows nothing of the last insert", func(t *testing.T) {
		_, err := primary.ExecContext(t.Context(), "INSERT INTO items (name) VALUES ('x')")
		require.NoError(t, err)
		assert.Equal(t, "0", answerOn(t, replica, "SELECT LAST_INSERT_ID()"))
	})
}

func openPostgres(t *testing.T, s *integration.Server) *sql.DB {
	return pool(t, pgdriver.NewConnector(pgdriver.WithDSN(s.URI())))
}

func openMariaDB(t *testing.T, s *integration.Server) *sql.DB {
	u, err := url.Parse(s.URI())
	require.NoError(t, err)
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	cfg.MultiStatements, cfg.InterpolateParams = true, true
	connector, err := mysql.NewConnector(cfg)
	require.NoError(t, err)
	return pool(t, connector)
}

// pool returns a pool that keeps no connection: each statement has a new one, which finds no locks and no settings
// of those before.
func pool(t *testing.T, c driver.Connector) *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxIdleConns(-1)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// compare runs, on a replica, what each library sent for each statement. A replica must run what any
// server may run and what only looks as if it worked there, and refuse the rest.
func compare(t *testing.T, d database, replica *sql.DB, refuses func(error) bool) {
	sent := make([]map[string]note, len(d.statements))
	for _, library := range libraries {
		results, err := ask(t.Context(), library, d)
		require.NoError(t, err)
		for i, res := range results {
			if sent[i] == nil {
				sent[i] = map[string]note{}
			}
			for _, n := range res.notes {
				sent[i][fmt.Sprint(n.text, n.args)] = n
			}
		}
	}
	for i, s := range d.statements {
		for _, n := range sent[i] {
			err := runOn(t.Context(), replica, n)
			switch {
			case s.primary == nil || s.silent:
				assert.NoError(t, err, "%s (%s): %s", s.name, s.by, n.text)
			default:
				assert.True(t, refuses(err), "%s (%s): %s: %v", s.name, s.by, n.text, err)
			}
		}
	}
}

func runOn(ctx context.Context, db *sql.DB, n note) error {
	var args []any
	for _, a := range n.args {
		args = append(args, a)
	}
	_, err := db.ExecContext(ctx, n.text, args...)
	return err
}

func answerOn(t *testing.T, db *sql.DB, query string) (answer string) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&answer))
	return answer
}

// lockRow runs a locking read in a transaction that stays open until the test ends.
func lockRow(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() }) // the end of the test's context may have done it
	require.NoError(t, tx.QueryRowContext(t.Context(), query).Scan(new(int64)))
}

// takeLock takes a named lock, which must be free, on a connection that is kept until the test ends.
func takeLock(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	var got int
	require.NoError(t, conn.QueryRowContext(t.Context(), query).Scan(&got))
	assert.Equal(t, 1, got)
}
