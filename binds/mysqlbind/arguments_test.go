package mysqlbind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Where arguments are written into the text they go to placeholders, in every sql_mode that changes how a text is read.
func TestInterpolateParams_findsThePlaceholders(t *testing.T) {
	for _, mode := range []string{"", "&sql_mode=ANSI_QUOTES", "&sql_mode=PIPES_AS_CONCAT"} {
		e := writer(t, "?interpolate_params=1"+mode)
		for query, want := range map[string]string{
			"SELECT CONCAT(?, '') -- it's here":               `a'b\c"?`,
			"SELECT CONCAT(?, '') -- ? it's here\n":           `a'b\c"?`,
			"SELECT CONCAT(?, '?')":                           `a'b\c"??`,
			"/* it's ? */ SELECT CONCAT(?, '') # ?":           `a'b\c"?`,
			"SELECT `?` FROM (SELECT CONCAT(?, '') AS `?`) t": `a'b\c"?`,
			"SELECT /*! CONCAT(?, '') */":                     `a'b\c"?`,
			"SELECT CONCAT(?, 5 --1)":                         `a'b\c"?6`,
		} {
			var got string
			require.NoError(t, e.DB().QueryRowContext(bounded(t), query, `a'b\c"?`).Scan(&got), "%s %s", mode, query)
			assert.Equal(t, want, got, "%s %s", mode, query)
		}
		for _, query := range []string{"SELECT '?'", "SELECT 1 /* ? */", "SELECT 1 -- ?"} {
			_, err := e.DB().ExecContext(bounded(t), query, "a")
			assert.Error(t, err, "an argument without a placeholder: %s %s", mode, query)
		}
		_, err := e.DB().ExecContext(bounded(t), "SELECT ?; SELECT 2", "a")
		assert.EqualValues(t, 1064, number(t, err), "one statement")
		assert.ErrorContains(t, err, "SELECT 2", "it says where the second begins")
	}
}
