package sqlitebind

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// If this fails, modernc.org/sqlite has changed its connections: see handleOf.
func TestHandle(t *testing.T) {
	raw, err := New().native.Open(":memory:")
	require.NoError(t, err)
	h, err := handleOf(raw)
	require.NoError(t, err)
	assert.True(t, h.autocommit())
	tx, err := raw.(rawConn).BeginTx(t.Context(), driver.TxOptions{})
	require.NoError(t, err)
	assert.False(t, h.autocommit())
	require.NoError(t, tx.Rollback())
	h.close()
	require.NoError(t, raw.Close())
}

func TestHandleOfAnotherConnection(t *testing.T) {
	for reason, conn := range map[string]any{
		"nothing":             nil,
		"no pointer":          struct{ db uintptr }{1},
		"no such field":       &struct{ d uintptr }{1},
		"a field of its kind": &struct{ db int }{1},
		"a closed connection": &struct{ db uintptr }{0},
	} {
		_, err := handleOf(conn)
		assert.ErrorIs(t, err, errNoHandle, reason)
	}
}
