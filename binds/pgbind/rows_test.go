package pgbind

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// The server describes the columns before it computes a row: an error in between is the query's.
func TestQuery_hasTheErrorBeforeTheFirstRow(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	const first, second = "SELECT 1 / (n - 1) FROM generate_series(1, 3) AS n", "SELECT 1 / (n - 2) FROM generate_series(1, 3) AS n"
	_, err := e.DB().QueryContext(t.Context(), first)
	assert.Equal(t, binds.Refused, e.Classify(err), "%v", err)
	stmt, err := e.DB().PrepareContext(t.Context(), first)
	require.NoError(t, err)
	_, err = stmt.QueryContext(t.Context())
	assert.Equal(t, binds.Refused, e.Classify(err), "%v", err)
	require.NoError(t, stmt.Close())

	rows, err := e.DB().QueryContext(t.Context(), second)
	require.NoError(t, err, "there is a row before it")
	var got []int
	for rows.Next() {
		var n int
		require.NoError(t, rows.Scan(&n))
		got = append(got, n)
	}
	assert.Equal(t, []int{-1}, got)
	assert.Equal(t, binds.Refused, e.Classify(rows.Err()), "%v", rows.Err())
	assert.Equal(t, "1", value(t, e, "SELECT 1"), "the connection is good")
}

func TestQuery_ofNoRow(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	rows, err := e.DB().QueryContext(t.Context(), "SELECT 1 AS a, 2 AS b WHERE false")
	require.NoError(t, err)
	columns, err := rows.Columns()
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, columns)
	assert.False(t, rows.Next())
	require.NoError(t, rows.Err())
	assert.Equal(t, "1", value(t, e, "SELECT 1"))
}

// A session that an administrator ends while its statement computes the first row: nothing of the result was seen.
func TestQuery_endedBeforeTheFirstRow(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	pid := value(t, e, pidQuery)
	done := make(chan error, 1)
	go func() {
		rows, err := e.DB().QueryContext(t.Context(), "SELECT pg_sleep(60)")
		if err == nil {
			err = rows.Close()
			assert.Fail(t, "the query returned without its first row")
		}
		done <- err
	}()
	eventually(t, "1", active)
	require.NoError(t, terminate(t.Context(), pid))
	assert.Equal(t, binds.Unknown, e.Classify(<-done))
}
