package routertest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

// TestSteady tells a connection that broke alone from a server that is not well.
func TestSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 0)
		w := writer(t, c)
		steady := func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			return w.Steady(ctx)
		}
		assert.True(t, steady(), "nothing is known against it")
		_ = probe(t, w)
		conn, err := w.Connector().Connect(t.Context())
		require.NoError(t, err)
		conn.(binds.Interrupter).Interrupt()
		assert.True(t, steady(), "another connection broke alone")

		c.Primary().Down()
		c.Primary().Up()
		assert.False(t, steady(), "all broke")
		assert.False(t, steady(), "though a new one is well")
		time.Sleep(2 * time.Second)
		assert.False(t, steady(), "until then")
		time.Sleep(time.Nanosecond)
		assert.True(t, steady())

		c.Primary().Down()
		assert.False(t, steady(), "it is away")
		time.Sleep(time.Hour)
		assert.False(t, steady())
		c.Primary().Up()
		assert.False(t, steady(), "it was a moment ago")
		time.Sleep(3 * time.Second)
		assert.True(t, steady())

		c.Primary().Freeze()
		began := time.Now()
		assert.False(t, steady())
		assert.Equal(t, 100*time.Millisecond, time.Since(began))
		c.Primary().Thaw()
	})
}
