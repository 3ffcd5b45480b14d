package sqlkind_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

func ownNames(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	names := strings.Fields(string(text))
	require.Greater(t, len(names), 100)
	return names
}

// TestPostgresOwn checks that each function that is called harmless is this server's own, and no mere part of an
// operator or a type: charge is one, an operator's, and a likely name for a user's.
func TestPostgresOwn(t *testing.T) {
	teston.Only(t, teston.Postgres)
	cluster := integration.StartPostgres(t, 0)
	names := ownNames(t, "own_postgres.txt")
	assert.NotContains(t, names, "charge")
	text, err := cluster.Primary.QueryString(t.Context(), `SELECT coalesce(string_agg(name, ' '), '') FROM unnest(string_to_array('`+strings.Join(names, " ")+`', ' ')) AS name
		WHERE NOT EXISTS (SELECT 1 FROM pg_proc WHERE proname = name AND pronamespace = 'pg_catalog'::regnamespace)`)
	require.NoError(t, err)
	assert.Empty(t, text, "no functions of this server's")
}

// TestMySQLOwn checks that no function that is called harmless can be a user's: such a name means the server's own
// function wherever it stands without a schema.
func TestMySQLOwn(t *testing.T) {
	teston.Only(t, teston.MariaDB, teston.MySQL)
	server := teston.StartMySQLFamily(t, 0).Primary
	require.NoError(t, server.Exec(t.Context(), "CREATE DATABASE IF NOT EXISTS shop"))
	for _, name := range ownNames(t, "own_mysql.txt") {
		// A stored function that is not there is error 1305; for an own one the wrong arguments are an error of another kind, or none.
		_, err := server.QueryString(t.Context(), "SELECT "+name+"(1, 2, 3, 4, 5, 6, 7, 8, 9)")
		if err != nil {
			assert.NotContains(t, err.Error(), "does not exist", name)
		}
	}
}

// TestSQLiteOwn checks that each function that is called harmless is SQLite's own.
func TestSQLiteOwn(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	for _, name := range ownNames(t, "own_sqlite.txt") {
		var n int
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM (SELECT name FROM pragma_function_list WHERE builtin UNION
			SELECT name FROM pragma_module_list) WHERE name = ?`, name).Scan(&n))
		assert.Positive(t, n, name)
	}
}
