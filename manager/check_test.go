package manager_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router/routertest"
)

func TestCheck(t *testing.T) {
	m, ctx := open(t), t.Context()
	r := m.Check(ctx, (*user)(nil), (*page)(nil), new(lost), 7)
	var table *manager.MissingTableError
	require.ErrorAs(t, r.Err(), &table)
	assert.Equal(t, manager.MissingTableError{Bind: "audit", Model: table.Model, Table: "pages"}, *table)
	var unknown *binds.UnknownBindError
	require.ErrorAs(t, r.Err(), &unknown)
	version := r.Binds[0].Engines[0].Version
	assert.Regexp(t, `^3\.\d+\.\d+$`, version)
	assert.Equal(t, `ENGINE             STATUS  SERVER  VERSION  FRESHNESS  LAG
accounts/writer    ok      -       `+version+`   shared     -
accounts/reader-1  ok      -       `+version+`   shared     0s
audit/writer       ok      -       `+version+`   shared     -
audit/reader-1     ok      -       `+version+`   shared     0s
manager: check bind "audit": the table "pages" of model manager_test.page is missing: call CreateTables, or run the migrations
manager: table of model manager_test.lost: binds: unknown bind "nowhere" (have "accounts", "audit")
manager: table of model int in bind "audit": it has no table: pass (*Model)(nil)
`, r.String())
	require.NoError(t, m.Check(ctx, (*user)(nil)).Err())
}

func TestReportAsJSON(t *testing.T) {
	r := open(t).Check(t.Context(), (*page)(nil))
	r.At = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range r.Binds {
		for j := range r.Binds[i].Engines {
			r.Binds[i].Engines[j].Version = "3"
		}
	}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{"at": "2026-01-02T03:04:05Z", "ok": false, "ready": false, "errors": [], "binds": [
		{"bind": "accounts", "driver": "SQLite", "ok": true, "ready": true, "writes": true, "reads": true, "missing_tables": [], "columns": [], "warnings": [], "errors": [], "engines": [
			{"engine": "accounts/writer", "role": "writer", "reachable": true, "version": "3", "freshness": "shared"},
			{"engine": "accounts/reader-1", "role": "reader", "reachable": true, "version": "3", "freshness": "shared", "serving": true, "lag_seconds": 0}]},
		{"bind": "audit", "driver": "SQLite", "ok": false, "ready": false, "writes": true, "reads": true, "missing_tables": [{"table": "pages", "model": "manager_test.page"}], "columns": [], "warnings": [], "errors": [], "engines": [
			{"engine": "audit/writer", "role": "writer", "reachable": true, "version": "3", "freshness": "shared"},
			{"engine": "audit/reader-1", "role": "reader", "reachable": true, "version": "3", "freshness": "shared", "serving": true, "lag_seconds": 0}]}]}`,
		string(text))
	for _, v := range []any{*r, r.Binds[1], struct{ R manager.Report }{*r}} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		assert.Contains(t, string(text), `"missing_tables":[{"table":"pages"`, "%T", v)
	}
	assert.Equal(t, r.String(), fmt.Sprint(*r))
}

func TestCheckOfAClosedManager(t *testing.T) {
	m := open(t)
	require.NoError(t, m.Close())
	r := m.Check(t.Context(), (*page)(nil))
	require.ErrorIs(t, r.Err(), manager.ErrClosed)
	assert.Equal(t, "manager: the manager is closed\n", r.String())
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"ok":false,"ready":false,"binds":[],"errors":["manager: the manager is closed"]`)
}

func TestCheckOfAMissingFile(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{
		{Key: "a", Writer: binds.NewURI("sqlite://" + dir + "/no/such/dir/a.db"), Lazy: true},
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	r := m.Check(t.Context(), (*setting)(nil))
	var connect *binds.ConnectError
	require.ErrorAs(t, r.Err(), &connect)
	assert.Empty(t, r.Binds[0].Missing, "nothing is known of tables")
	assert.Contains(t, r.String(), "a/writer    down    -")
}

// TestCheckOfABusyWriter has a transaction keep the only connection that writes.
func TestCheckOfABusyWriter(t *testing.T) {
	m := open(t)
	tx, err := mustBind(t, m).Writer().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, m.Check(t.Context()).Err())
	require.NoError(t, tx.Rollback())
}

// onCluster opens a manager on servers in memory.
func onCluster(t *testing.T, c *routertest.Cluster) *manager.DBManager {
	t.Helper()
	b := manager.BindConfig{Key: "accounts", Writer: binds.NewURI(c.WriterURI()), Lazy: true}
	for _, uri := range c.ReaderURIs() {
		b.Readers = append(b.Readers, manager.ReaderConfig{URI: binds.NewURI(uri)})
	}
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{b}}, manager.WithDrivers(c.Drivers()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// TestCheckWaitsForNobody has servers hang, on a clock that tells how long a check takes.
func TestCheckWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 3)
		m := onCluster(t, c)
		began := time.Now()
		require.NoError(t, m.Check(t.Context()).Err())
		assert.Less(t, time.Since(began), 100*time.Millisecond)

		c.Replicas()[0].Freeze()
		c.Replicas()[1].Freeze()
		began = time.Now()
		r := m.Check(t.Context())
		assert.Equal(t, 3*time.Second, time.Since(began), "the two that hang are waited for at once")
		for i, dead := range []bool{false, true, true, false} {
			assert.Equal(t, dead, r.Binds[0].Engines[i].Err != nil, r.Binds[0].Engines[i].Engine)
		}
		assert.Less(t, r.Binds[0].Engines[3].Lag, 100*time.Millisecond, "of the reader that answers")
		c.Replicas()[0].Thaw()
		c.Replicas()[1].Thaw()
	})
}

func TestCheckFindsWrongRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 2)
		c.MoveWriter(c.Replicas()[0])
		c.Balance(1, c.Primary())
		r := onCluster(t, c).Check(t.Context())
		for i, name := range []string{"accounts/writer", "accounts/reader-2"} {
			e := &r.Binds[0].Engines[2*i]
			var role *manager.RoleError
			require.ErrorAs(t, e.RoleErr, &role)
			assert.Equal(t, name, role.Engine)
			require.ErrorIs(t, r.Err(), e.RoleErr)
		}
		require.NoError(t, r.Binds[0].Engines[1].Err)
		require.NoError(t, r.Binds[0].Engines[1].RoleErr)
	})
}

// TestReady looks at what binds can serve, where Err looks at each server.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 2)
		m := onCluster(t, c)
		r := m.Check(t.Context())
		require.NoError(t, r.Ready())
		require.NoError(t, r.Err())

		c.Replicas()[0].Down()
		r = m.Check(t.Context())
		require.Error(t, r.Err(), "a server is down")
		require.NoError(t, r.Ready(), "and the bind can do without it")

		c.Replicas()[0].Up()
		c.Replicas()[1].SetLag(time.Hour)
		b, err := m.Bind(binds.Key("accounts"))
		require.NoError(t, err)
		for range 3 {
			_, err = b.DB().NewRaw("CREATE TABLE IF NOT EXISTS t (id INTEGER)").Exec(t.Context())
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
			require.NoError(t, b.DB().NewRaw("SELECT 1").Scan(t.Context(), new(int)))
		}
		time.Sleep(time.Second)
		r = m.Check(t.Context())
		require.NoError(t, r.Ready())
		assert.Contains(t, r.Binds[0].Engines[2].NotServing, "it trails by ")
		assert.Contains(t, r.String(), "no plain reads go there: it trails by ")

		c.Primary().Down()
		time.Sleep(time.Second)
		r = m.Check(t.Context())
		var not *manager.NotReadyError
		require.ErrorAs(t, r.Ready(), &not)
		assert.Equal(t, "writes", not.Work)
		assert.True(t, r.Binds[0].Reads, "the readers go on")
		var connect *binds.ConnectError
		require.ErrorAs(t, not, &connect)

		c.Replicas()[0].Down()
		c.Replicas()[1].Down()
		time.Sleep(time.Second)
		r = m.Check(t.Context())
		assert.False(t, r.Binds[0].Reads)
		assert.ErrorContains(t, r.Ready(), "cannot serve reads now")
	})
}
