package manager_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

func TestDrain(t *testing.T) {
	l := openLive(t)
	readers := fmt.Sprintf("readers = ['sqlite://%[1]s/accounts.db', 'sqlite://%[1]s/accounts.db']\npolicy = 'round_robin'", l.dir)
	l.says(t, l.bind("accounts", readers), l.bind("audit", ""))
	require.NoError(t, l.Reload(t.Context()))
	served := func() map[string]int {
		by := make(map[string]int)
		for _, hint := range []func(context.Context) context.Context{func(ctx context.Context) context.Context { return ctx }, router.OnReader, router.NewSession} {
			for range 4 {
				ctx, route := router.Explain(hint(t.Context()))
				_, err := l.NewSelect((*user)(nil)).Count(ctx)
				require.NoError(t, err)
				by[route.Engine()]++
			}
		}
		return by
	}
	assert.Equal(t, map[string]int{"accounts/reader-1": 6, "accounts/reader-2": 6}, served())
	require.NoError(t, l.Drain("accounts/reader-2"))
	require.NoError(t, l.Drain("accounts/reader-2"), "it is already")
	assert.Equal(t, map[string]int{"accounts/reader-1": 12}, served())
	report := l.Check(t.Context())
	require.NoError(t, report.Err())
	drained := report.Binds[0].Engines[2]
	assert.Equal(t, []any{"accounts/reader-2", true, false, manager.StatusDrained, "it was taken out of service by Drain"},
		[]any{drained.Engine, drained.Drained, drained.Serving, drained.Status(), drained.NotServing})
	assert.Contains(t, report.String(), "drained")

	l.says(t, l.bind("accounts", readers+"\nmax_lag = '7s'"), l.bind("audit", ""))
	require.NoError(t, l.Reload(t.Context()))
	assert.Equal(t, map[string]int{"accounts/reader-1": 12}, served(), "it stays so")
	require.NoError(t, l.Drain("accounts/reader-1"))
	assert.Equal(t, map[string]int{"accounts/writer": 12}, served(), "nobody is left")
	err := l.mustBind(t, accounts{}).Reader().RunInTx(t.Context(), &sql.TxOptions{ReadOnly: true}, func(context.Context, bun.Tx) error { return nil })
	require.ErrorIs(t, err, router.ErrDrained)
	require.NoError(t, l.Undrain("accounts/reader-1"))
	require.NoError(t, l.Undrain("accounts/reader-2"))
	assert.Equal(t, map[string]int{"accounts/reader-1": 6, "accounts/reader-2": 6}, served())

	var wrong *manager.DrainError
	require.ErrorAs(t, l.Drain("accounts/writer"), &wrong)
	require.ErrorAs(t, l.Drain("nobody/reader-1"), &wrong)
	assert.Equal(t, []string{"accounts/reader-1", "accounts/reader-2", "audit/reader-1"}, wrong.Have)
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Drain("accounts/reader-1"), manager.ErrClosed)
}

// A reader under maintenance does not come back because the file's list was changed beside it.
func TestDrainFollowsTheReadersURI(t *testing.T) {
	l := openLive(t)
	reader := func(name string) string { return fmt.Sprintf("'sqlite://%s/accounts.db?%s'", l.dir, name) }
	a, b, c := reader("cache_size=-1001"), reader("cache_size=-1002"), reader("cache_size=-1003")
	says := func(readers ...string) {
		l.says(t, l.bind("accounts", "readers = ["+strings.Join(readers, ", ")+"]"), l.bind("audit", ""))
		require.NoError(t, l.Reload(t.Context()))
	}
	drained := func() (names []string) {
		for _, e := range l.Check(t.Context()).Binds[0].Engines {
			if e.Drained {
				names = append(names, e.Engine)
			}
		}
		return names
	}
	says(a, b)
	require.NoError(t, l.Drain("accounts/reader-2"))
	for _, row := range []struct {
		readers []string
		drained string
	}{
		{[]string{b, a}, "accounts/reader-1"}, {[]string{a, c, b}, "accounts/reader-3"}, {[]string{a, b}, "accounts/reader-2"},
		{[]string{b}, "accounts/reader-1"}, {[]string{b, b}, "accounts/reader-1"},
	} {
		says(row.readers...)
		assert.Equal(t, []string{row.drained}, drained(), row.readers)
	}
	says(a, c)
	assert.Empty(t, drained())
}
