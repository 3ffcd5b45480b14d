package mysqlbind_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// A login that may read the server's own list of locks sees those whose names it does not know, too. The suite shows what others see.
func TestListLocks_ofTheServer(t *testing.T) {
	teston.Only(t, teston.MariaDB, teston.MySQL)
	c := teston.StartMySQLFamily(t, 0, integration.WithSetting("performance_schema", "ON"),
		integration.WithSetting("performance_schema_instrument", "wait/lock/metadata/sql/mdl=ON"))
	e, err := binds.Open(t.Context(), "shop/writer", c.Primary.AdminURI())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	l, err := e.NamedLock(t.Context(), "monthly report")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	held, err := l.Acquire(t.Context(), time.Second)
	require.NoError(t, err)
	require.True(t, held)

	list, err := e.ListLocks(t.Context())
	require.NoError(t, err)
	require.Len(t, list.Locks, 1)
	assert.Empty(t, list.Locks[0].Name)
	assert.Regexp(t, `^connection \d+, admin on `, list.Locks[0].Holder)
	require.Len(t, list.Limits, 1)
	assert.Contains(t, list.Limits[0], "a hash of each name")
	list, err = e.ListLocks(t.Context(), "monthly report", "another")
	require.NoError(t, err)
	require.Len(t, list.Locks, 1)
	assert.Equal(t, "monthly report", list.Locks[0].Name)
	assert.Empty(t, list.Limits)
}
