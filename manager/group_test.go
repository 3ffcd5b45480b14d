package manager_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

func tenantKeys(n int) (keys []binds.Bound) {
	for i := range n {
		keys = append(keys, binds.Key(fmt.Sprintf("t%02d", i)))
	}
	return keys
}

func TestGroup(t *testing.T) {
	const all, atOnce, most = 12, 3, 4
	m := openTenanted(t, manager.Max(most))
	var calls []int
	shown := map[binds.Key]error{}
	progress := manager.Progress(func(done, of int, key binds.Key, err error) {
		calls = append(calls, done)
		shown[key] = err
		assert.Equal(t, all, of)
	})
	g := m.Group(tenantKeys(all), manager.AtOnce(atOnce), progress)
	require.NoError(t, g.CreateTables(t.Context(), (*user)(nil)))
	for i, n := range calls {
		assert.Equal(t, i+1, n)
	}
	assert.Len(t, shown, all)

	var now, high atomic.Int64
	odd := errors.New("odd")
	err := g.InTx(t.Context(), func(ctx context.Context, on manager.On) error {
		high.Store(max(high.Load(), now.Add(1)))
		defer now.Add(-1)
		_, err := on.NewInsert(&user{Name: string(on.Key())}).Exec(ctx)
		if on.Key()[2]%2 == 1 {
			return odd
		}
		return err
	})
	require.ErrorIs(t, err, odd)
	assert.LessOrEqual(t, high.Load(), int64(atOnce))
	failed := map[binds.Key]bool{}
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		var e *manager.BindError
		require.ErrorAs(t, err, &e)
		failed[e.Bind] = true
	}
	assert.Len(t, failed, all/2)
	require.NoError(t, g.Each(t.Context(), func(ctx context.Context, on manager.On) error {
		n, err := on.NewSelect((*user)(nil)).Count(ctx)
		assert.Equal(t, !failed[on.Key()], n == 1, on.Key())
		return err
	}))

	groups, err := g.Migrator(oneMigration()).Up(t.Context())
	require.NoError(t, err)
	states, err := g.Migrator(oneMigration()).Status(t.Context())
	require.NoError(t, err)
	for i, key := range tenantKeys(all) {
		assert.Len(t, groups[i].Migrations, 1)
		assert.Equal(t, key.BindKey(), states[i].Bind)
		assert.Empty(t, states[i].Pending())
	}
	_, err = g.Migrator(oneMigration()).Down(t.Context())
	require.NoError(t, err)
	require.NoError(t, g.DropTables(t.Context(), (*user)(nil)))
	require.ErrorIs(t, g.Each(t.Context(), nil), router.ErrNilFunc)
	var unknown *manager.TenantError
	err = m.Group([]binds.Bound{binds.Key("main"), binds.Key("9")}).CreateTables(t.Context(), (*user)(nil))
	require.ErrorAs(t, err, &unknown)
	assert.ErrorContains(t, err, `on bind "9"`)
}

func TestGroupEndsWithItsContext(t *testing.T) {
	m := openTenanted(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	begun := 0
	err := m.Group(tenantKeys(5), manager.AtOnce(1)).Each(ctx, func(context.Context, manager.On) error {
		if begun++; begun == 2 {
			cancel(enough)
		}
		return nil
	})
	var left *manager.NotBegunError
	require.ErrorAs(t, err, &left)
	assert.Equal(t, []binds.Key{"t02", "t03", "t04"}, left.Binds)
	require.ErrorIs(t, err, enough)
	assert.Equal(t, 2, begun)
}

func TestGroupLock(t *testing.T) {
	m := openTenanted(t)
	keys := tenantKeys(4)
	back := []binds.Bound{keys[3], keys[1], keys[2], keys[0]}
	var order []binds.Key
	l, err := m.Group(back, manager.Progress(func(_, _ int, key binds.Key, _ error) { order = append(order, key) })).Lock(t.Context(), "all")
	require.NoError(t, err)
	assert.Equal(t, []binds.Key{"t00", "t01", "t02", "t03"}, order)
	assert.Len(t, l.Locks(), 4)
	_, err = m.Lock(t.Context(), keys[2], "all", manager.TryOnly())
	require.ErrorIs(t, err, manager.ErrLockTimeout)
	_, err = m.Group(keys[:3]).Lock(t.Context(), "all", manager.TryOnly())
	var on *manager.BindError
	require.ErrorAs(t, err, &on)
	assert.Equal(t, binds.Key("t00"), on.Bind)
	require.NoError(t, l.Context().Err())
	require.NoError(t, l.Unlock())
	require.NoError(t, l.Unlock())
	require.Error(t, l.Context().Err())

	// One that is held elsewhere frees those before it.
	held, err := m.Lock(t.Context(), keys[2], "all")
	require.NoError(t, err)
	_, err = m.Group(keys).Lock(t.Context(), "all", manager.TryOnly())
	require.ErrorAs(t, err, &on)
	assert.Equal(t, binds.Key("t02"), on.Bind)
	require.NoError(t, m.Group(keys[:2]).WithLock(t.Context(), "all", func(ctx context.Context) error { return ctx.Err() }, manager.TryOnly()))
	require.NoError(t, held.Unlock())
	var twice *router.DuplicateBindError
	_, err = m.Group([]binds.Bound{keys[1], keys[1]}).Lock(t.Context(), "all")
	require.ErrorAs(t, err, &twice)

	var inside atomic.Int64
	var done sync.WaitGroup
	for i := range 4 {
		group := m.Group(keys)
		if i%2 == 0 {
			group = m.Group(back)
		}
		done.Go(func() {
			assert.NoError(t, group.WithLock(t.Context(), "all", func(context.Context) error {
				assert.Equal(t, int64(1), inside.Add(1))
				inside.Add(-1)
				return nil
			}))
		})
	}
	done.Wait()
}
