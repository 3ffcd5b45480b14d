package integration_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router"
)

// TestAStatementThatNoServerTakes is so much longer than max_allowed_packet that servers reset the connection while it is on its
// way. It is refused before it is sent: no connection breaks, no reader goes, and a transaction goes on.
func TestAStatementThatNoServerTakes(t *testing.T) {
	onKinds(t, []string{teston.MariaDB, teston.MySQL}, "", func(t *testing.T, s *stage) {
		long := strings.Repeat("x", 12<<20)
		retried := s.bind.Stats().Retried
		refused := func(err error) {
			t.Helper()
			var tooLarge *mysqlbind.PacketTooLargeError
			require.ErrorAs(t, err, &tooLarge)
			assert.Greater(t, tooLarge.Size, 12<<20)
			assert.Equal(t, 16<<16-1, tooLarge.Limit)
			require.ErrorContains(t, err, "the server takes 1048575 (max_allowed_packet)")
			require.NotErrorIs(t, err, router.ErrNoWriter)
			require.NotErrorIs(t, err, router.ErrOutcomeUnknown)
		}
		read := func(ctx context.Context) error {
			return s.m.NewRaw(shop{}, "SELECT LENGTH(?)", long).Scan(ctx, new(int64))
		}
		refused(read(t.Context()))
		refused(read(router.OnWriter(t.Context())))
		refused(read(router.NewSession(t.Context())))
		_, err := s.m.NewRaw(shop{}, "UPDATE cells SET v = LENGTH(?)", long).Exec(t.Context())
		refused(err)
		require.NoError(t, s.m.InTx(t.Context(), shop{}, func(ctx context.Context) error {
			_, err := s.m.NewInsert(&cell{ID: 2}).Exec(ctx)
			require.NoError(t, err)
			refused(read(ctx))
			_, err = s.m.NewInsert(&cell{ID: 3}).Exec(ctx)
			return err
		}))
		n, err := s.m.NewSelect((*cell)(nil)).Where("v = 0").Count(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
		assert.Zero(t, s.bind.Stats().Retried-retried)
		assert.NotContains(t, s.log.String(), "is down")
		assert.NotContains(t, s.log.String(), "does not answer")
	}, integration.WithSetting("max_allowed_packet", "1M"))
}
