package bindtest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// uses are the first things that a pool may be asked for.
var uses = map[string]func(ctx context.Context, e *binds.Engine) error{
	"Ping": func(ctx context.Context, e *binds.Engine) error { return e.Ping(ctx) },
	"Exec": func(ctx context.Context, e *binds.Engine) error {
		_, err := e.DB().ExecContext(ctx, "SELECT 1")
		return err
	},
	"Query": func(ctx context.Context, e *binds.Engine) error { return drain(e.DB().QueryContext(ctx, "SELECT 1")) },
	"BeginTx": func(ctx context.Context, e *binds.Engine) error {
		tx, err := e.DB().BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		return errors.Join(drain(tx.QueryContext(ctx, "SELECT 1")), tx.Commit())
	},
	"Prepare": func(ctx context.Context, e *binds.Engine) error {
		stmt, err := e.DB().PrepareContext(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		return errors.Join(drain(stmt.QueryContext(ctx)), stmt.Close())
	},
	"Conn": func(ctx context.Context, e *binds.Engine) error {
		c, err := e.DB().Conn(ctx)
		if err != nil {
			return err
		}
		return errors.Join(c.PingContext(ctx), c.Close())
	},
}

// A server that is not there gives a ConnectError with the engine's name: nothing was sent.
func (s *suite) deadServer(t *testing.T) {
	if s.Dead == "" {
		return // a memory database cannot be dead: see Harness.Dead
	}
	for _, role := range []binds.Role{binds.Writer, binds.Reader} {
		for _, use := range slices.Sorted(maps.Keys(uses)) {
			t.Run(role.String()+" "+use, func(t *testing.T) {
				e := s.open(t, "bindtest/dead", s.Dead, binds.As(role))
				s.assertConnectError(t, e, uses[use](ctx(t), e))
			})
		}
	}
	t.Run("native", func(t *testing.T) {
		e := s.open(t, "bindtest/dead", s.Dead)
		native, err := e.Native()
		require.NoError(t, err)
		s.assertConnectError(t, e, native.PingContext(ctx(t)))
	})
}

func (s *suite) assertConnectError(t *testing.T, e *binds.Engine, err error) {
	t.Helper()
	require.Error(t, err)
	var connect *binds.ConnectError
	require.ErrorAs(t, err, &connect)
	assert.Equal(t, e.Name(), connect.Engine)
	assert.Contains(t, err.Error(), e.Name())
	assert.Equal(t, binds.NotSent, e.Classify(err), "fault of %v", err)
	s.assertNoSecret(t, err)
}
