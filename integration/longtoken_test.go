package integration_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// The position of a MySQL server that has seen hundreds of servers come and go is longer than a cookie. A token of
// it is not, and its reads go to a reader once that has what the session wrote, and to the writer before.
func TestTokenOfALongPast(t *testing.T) {
	teston.Only(t, teston.MySQL)
	c := teston.Start(t, teston.MySQL, 1)
	past := "+4e11fa47-71ca-11e1-9e33-c80aa9429562:1-7"
	for i := range 300 {
		past += fmt.Sprintf(",%08x-71ca-11e1-9e33-c80aa9429562:1-%d", i, i+1)
	}
	for _, s := range []*integration.Server{c.Replicas[0], c.Primary} {
		require.NoError(t, s.Exec(t.Context(), "SET GLOBAL gtid_purged = '"+past+"'"))
	}
	conf := config(map[string]string{"shop": c.Primary.URI()}, []string{c.Replicas[0].URI()}, `monitor_interval = "20ms"`)
	one, other := openManager(t, conf), openManager(t, conf)
	_, err := one.NewCreateTable((*scratch)(nil)).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.WaitReplayed(t.Context()))

	token := tokenOfAWrite(t, one, 1)
	require.Eventually(t, func() bool {
		n, route := countResumed(t, other, token)
		assert.EqualValues(t, 1, n, "a session reads its own write in another process")
		return route.Reason() == router.PlainRead
	}, waitFor, time.Millisecond, "no reader serves the session")

	require.NoError(t, c.Replicas[0].PauseReplay(t.Context()))
	token = tokenOfAWrite(t, one, 2)
	for range 50 {
		n, route := countResumed(t, other, token)
		require.EqualValues(t, 2, n)
		require.Equal(t, "shop/writer", route.Engine())
	}
	require.NoError(t, c.Replicas[0].ResumeReplay(t.Context()))
	require.Eventually(t, func() bool {
		n, route := countResumed(t, other, token)
		assert.EqualValues(t, 2, n)
		return route.Reason() == router.PlainRead
	}, waitFor, time.Millisecond)
}

// tokenOfAWrite writes a row in a session of its own.
func tokenOfAWrite(t *testing.T, m *manager.DBManager, id int64) string {
	t.Helper()
	ctx := router.NewSession(t.Context())
	_, err := m.NewInsert(&scratch{ID: id}).Exec(ctx)
	require.NoError(t, err)
	token, err := router.SessionFrom(ctx).Token(ctx)
	require.NoError(t, err)
	require.Greater(t, len(token), 500, "a token that says nothing is known is shorter")
	require.LessOrEqual(t, len(token), 3800)
	return token
}

func countResumed(t *testing.T, m *manager.DBManager, token string) (int64, *router.Route) {
	t.Helper()
	ctx, err := router.ResumeSession(t.Context(), token)
	require.NoError(t, err)
	explained, route := router.Explain(ctx)
	n, err := m.NewSelect((*scratch)(nil)).Count(explained)
	require.NoError(t, err)
	require.NoError(t, router.SessionFrom(ctx).Err())
	return n, route
}
