package pgbind

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// The statement was carried out, but the transaction that it is part of dies with the connection.
func TestInterruptAfterTheAnswer(t *testing.T) {
	plain, err := open(t, cluster.Primary.URI()).Connector().Connect(t.Context())
	require.NoError(t, err)
	c := plain.(*conn)
	defer func() { assert.NoError(t, c.Close()) }()
	_, err = c.BeginTx(t.Context(), driver.TxOptions{})
	require.NoError(t, err)
	c.Interrupt()
	err = c.finish(t.Context(), nil)
	require.Error(t, err)
	assert.Equal(t, binds.Unknown, Driver{}.Classify(err), "%v", err)
}
