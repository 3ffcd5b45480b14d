package mysqlbind_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// A writer whose sessions are read-only by default says which variable that is, and counts as a primary.
func TestReadOnlyDefault_isNamed(t *testing.T) {
	table(t, writer(t, ""), "my_frozen", "n INT")
	name := map[bool]string{true: "tx_read_only", false: "transaction_read_only"}[server() == mariaDB]
	before := writer(t, "")
	exec(t, before, "INSERT INTO my_frozen VALUES (1)")
	global(t, name, "1")
	e := writer(t, "")
	var named *binds.ReadOnlyDefaultError
	for _, args := range [][]any{nil, {2}} {
		query := "INSERT INTO my_frozen VALUES (2)"
		if args != nil {
			query = "INSERT INTO my_frozen VALUES (?)"
		}
		_, err := e.DB().ExecContext(bounded(t), query, args...)
		require.ErrorAs(t, err, &named)
		assert.Equal(t, name, named.Setting)
		assert.EqualValues(t, 1792, number(t, err))
		assert.Equal(t, binds.Refused, e.Classify(err), "the server was not demoted")
	}
	tx, err := e.DB().BeginTx(bounded(t), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(bounded(t), "UPDATE my_frozen SET n = 3")
	assert.ErrorAs(t, err, &named)
	require.NoError(t, tx.Rollback())

	tx, err = before.DB().BeginTx(bounded(t), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	_, err = tx.ExecContext(bounded(t), "UPDATE my_frozen SET n = 3")
	assert.Equal(t, binds.ReadOnly, before.Classify(err), "it is the transaction's own")
	require.NoError(t, tx.Rollback())
}

// Global modes that change what is written or read are without effect on values.
func TestModes_valuesAreExact(t *testing.T) {
	modes := "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,IGNORE_SPACE"
	if server() == mariaDB {
		modes += ",EMPTY_STRING_IS_NULL"
	}
	global(t, "sql_mode", "'"+modes+"'")
	table(t, writer(t, ""), "my_modes", "id INT PRIMARY KEY, v VARCHAR(100) NULL, b BLOB NULL")
	for _, params := range []string{"", "?interpolate_params=1"} {
		e := writer(t, params)
		exec(t, e, "DELETE FROM my_modes")
		text, bytes := `a\b'c"d`+"\n`é", []byte("\x00'\\\"\xff")
		for id, v := range map[int]string{1: "", 2: text} {
			_, err := e.DB().ExecContext(bounded(t), "INSERT INTO my_modes VALUES (?, ?, ?)", id, v, bytes)
			require.NoError(t, err)
			var got sql.NullString
			var b []byte
			require.NoError(t, e.DB().QueryRowContext(bounded(t), "SELECT v, b FROM my_modes WHERE id = ?", id).Scan(&got, &b))
			assert.Equal(t, sql.NullString{String: v, Valid: true}, got, "%q with %q", v, params)
			assert.Equal(t, bytes, b)
		}
	}
}
