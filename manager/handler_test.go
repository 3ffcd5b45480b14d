package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// status is what the tests read of status.json.
type status struct {
	At        time.Time
	OK, Ready bool
	Errors    []string
	LagStep   float64 `json:"lag_step_seconds"`
	Tenants   *int
	Binds     []struct {
		Bind   string
		Report struct {
			Ready         bool
			MissingTables []struct{ Table string } `json:"missing_tables"`
			Engines       []struct {
				Engine, Version string
				LagSeconds      *float64 `json:"lag_seconds"`
			}
		}
		Engines []struct {
			Status string
			Pool   struct{ Max, Idle int }
			Lags   []*float64
		}
		Decisions map[string]int
		Locks     []struct {
			Name  string
			Since time.Time
		}
		Migrations *struct {
			Applied          int
			Latest, Error    string
			Pending, Doubted []string
		}
	}
	Log []struct{ Level, Text string }
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func statusOf(t *testing.T, h http.Handler) (s status) {
	t.Helper()
	w := get(t, h, "/status.json")
	require.Equal(t, http.StatusOK, w.Code)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &s), w.Body.String())
	return s
}

func TestHandlerServesProbesAndThePage(t *testing.T) {
	m := open(t)
	h := m.Handler()
	for path, want := range map[string]struct {
		code int
		kind string
		text string
	}{
		"/live":        {http.StatusOK, "text/plain", "ok\n"},
		"/ready":       {http.StatusOK, "application/json", `"ready":true`},
		"/status.json": {http.StatusOK, "application/json", `"bind":"audit"`},
		"/":            {http.StatusOK, "text/html", `<script src="page.js"`},
		"/page.js":     {http.StatusOK, "text/javascript", "status.json"},
		"/page.css":    {http.StatusOK, "text/css", "prefers-color-scheme"},
		"/other":       {http.StatusNotFound, "text/plain", "not found"},
	} {
		w := get(t, h, path)
		assert.Equal(t, want.code, w.Code, path)
		assert.Contains(t, w.Header().Get("Content-Type"), want.kind, path)
		assert.Contains(t, w.Body.String(), want.text, path)
		assert.Equal(t, []string{"no-store", "nosniff"}, []string{w.Header().Get("Cache-Control"), w.Header().Get("X-Content-Type-Options")}, path)
	}
	page := get(t, h, "/")
	assert.Contains(t, page.Header().Get("Content-Security-Policy"), "default-src 'none'")
	for _, file := range []string{"/", "/page.js", "/page.css"} {
		text := strings.ReplaceAll(get(t, h, file).Body.String(), "http://www.w3.org/2000/svg", "") // a name, not an address
		assert.NotContains(t, text, "://", "the page takes nothing from elsewhere: %s", file)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/status.json", nil))
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
	w = httptest.NewRecorder()
	http.StripPrefix("/databases", h).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/databases/ready", nil))
	assert.Equal(t, http.StatusOK, w.Code)
}

// A service that cannot do its work is alive, and not ready.
func TestHandlerTellsWhatIsNotReady(t *testing.T) {
	m := open(t)
	h := m.Handler(manager.CheckModels((*user)(nil), (*unmade)(nil)))
	assert.Equal(t, http.StatusServiceUnavailable, get(t, h, "/ready").Code)
	assert.NotContains(t, get(t, h, "/ready").Body.String(), "unmades", "anybody may see it")
	s := statusOf(t, h)
	assert.Equal(t, []bool{false, false}, []bool{s.OK, s.Ready})
	require.Len(t, s.Binds[0].Report.MissingTables, 1)
	assert.Equal(t, "unmades", s.Binds[0].Report.MissingTables[0].Table)

	h = m.Handler()
	require.NoError(t, m.Close())
	assert.Equal(t, []int{http.StatusOK, http.StatusServiceUnavailable}, []int{get(t, h, "/live").Code, get(t, h, "/ready").Code})
	s = statusOf(t, h)
	assert.Empty(t, s.Binds)
	assert.Equal(t, []string{manager.ErrClosed.Error()}, s.Errors)
}

type unmade struct {
	accounts
	ID int64 `bun:",pk"`
}

// What an operator looks for is there: locks and for how long, migrations, the log, connections.
func TestHandlerShowsLocksMigrationsAndTheLog(t *testing.T) {
	m := open(t, manager.WithLogger(slog.New(slog.DiscardHandler)))
	files := fstest.MapFS{
		"migrations/accounts/20240101_first.up.sql":  {Data: []byte("CREATE TABLE first (id int)")},
		"migrations/accounts/20240102_second.up.sql": {Data: []byte("CREATE TABLE second (id int)")},
	}
	b, err := m.Bind(accounts{})
	require.NoError(t, err)
	migrations, err := manager.MigrationsFrom(fstest.MapFS{"migrations/accounts/20240101_first.up.sql": files["migrations/accounts/20240101_first.up.sql"]}, b)
	require.NoError(t, err)
	_, err = b.Migrator(migrations).Up(t.Context())
	require.NoError(t, err)
	before := time.Now()
	first, second := lock(t, m, "nightly report"), lock(t, m, "invoices")
	require.NoError(t, second.Unlock())

	s := statusOf(t, m.Handler(manager.ShowMigrations(files)))
	assert.Equal(t, []bool{true, true}, []bool{s.OK, s.Ready})
	require.Len(t, s.Binds, 2)
	assert.Equal(t, []string{"accounts", "audit"}, []string{s.Binds[0].Bind, s.Binds[1].Bind})
	require.Len(t, s.Binds[0].Locks, 1)
	assert.Equal(t, "nightly report", s.Binds[0].Locks[0].Name)
	assert.WithinRange(t, s.Binds[0].Locks[0].Since, before.Round(0), time.Now())
	require.NotNil(t, s.Binds[0].Migrations)
	assert.Equal(t, 1, s.Binds[0].Migrations.Applied)
	assert.Equal(t, "20240101_first", s.Binds[0].Migrations.Latest)
	assert.Equal(t, []string{"20240102_second"}, s.Binds[0].Migrations.Pending)
	assert.Empty(t, s.Binds[0].Migrations.Error)
	assert.Nil(t, s.Binds[1].Migrations, "it has none")
	assert.Equal(t, 1, s.Binds[0].Engines[0].Pool.Idle)
	assert.Equal(t, 1, s.Binds[0].Engines[0].Pool.Max, "SQLite's writer has one connection")
	assert.Equal(t, "ok", s.Binds[0].Engines[1].Status)
	require.NoError(t, first.Unlock())

	bad := statusOf(t, m.Handler(manager.ShowMigrations(fstest.MapFS{"migrations/accounts/first.sql": {Data: []byte("SELECT 1")}})))
	assert.Contains(t, bad.Binds[0].Migrations.Error, "first.sql")
}

// Statements are counted by the reason for which they ran where they ran, those in transactions and of binds that came later included; of tenants, how many are open.
func TestHandlerCountsDecisions(t *testing.T) {
	m := open(t, manager.WithTenants(func(context.Context, binds.Key) (manager.BindConfig, error) {
		return manager.BindConfig{Writer: binds.NewURI("sqlite::memory:")}, nil
	}))
	ctx := t.Context()
	require.NoError(t, m.NewSelect((*user)(nil)).Limit(1).Scan(ctx, new([]user)), "before anybody counts")
	h := m.Handler()
	for range 3 {
		require.NoError(t, m.NewSelect((*user)(nil)).Limit(1).Scan(ctx, new([]user)))
	}
	require.NoError(t, m.NewSelect((*user)(nil)).Limit(1).Scan(router.OnWriter(ctx), new([]user)))
	_, err := m.NewInsert(&user{Name: "Alice"}).Exec(ctx)
	require.NoError(t, err)
	_, err = m.NewRaw(accounts{}, "SELECT nonsense").Exec(ctx)
	require.Error(t, err)
	require.NoError(t, m.InTx(ctx, accounts{}, func(ctx context.Context) error {
		return m.NewSelect((*user)(nil)).Limit(1).Scan(ctx, new([]user))
	}))
	s := statusOf(t, h)
	assert.Equal(t, map[string]int{"plain_read": 3, "hint_writer": 1, "write_query": 1, "transaction": 1}, s.Binds[0].Decisions)
	require.NotNil(t, s.Tenants)
	assert.Zero(t, *s.Tenants)

	_, err = m.Add(ctx, manager.BindConfig{Key: "late", Writer: binds.NewURI("sqlite::memory:")})
	require.NoError(t, err)
	get(t, h, "/ready")
	statusOf(t, m.Handler())
	require.NoError(t, m.NewRaw(binds.Key("late"), "SELECT 1").Scan(ctx, new(int)))
	require.NoError(t, m.NewRaw(binds.Key("tenant"), "SELECT 1").Scan(ctx, new(int)))
	s = statusOf(t, m.Handler())
	assert.Equal(t, map[string]int{"no_reader": 1}, s.Binds[2].Decisions, "a database in memory has none")
	assert.Equal(t, 1, *s.Tenants)
}

// The lags of the last five minutes are there, also of the time when nobody looked; while a reader is down, nothing is known of them.
func TestHandlerRemembersLags(t *testing.T) {
	inCheckerBubble(t, func(t *testing.T, m *manager.DBManager, c *routertest.Cluster) {
		h := m.Handler()
		b, err := m.Bind(binds.Key("shop"))
		require.NoError(t, err)
		_, err = b.Writer().NewRaw("CREATE TABLE ticks (id INTEGER PRIMARY KEY)").Exec(t.Context())
		require.NoError(t, err)
		busy, stop := context.WithCancel(t.Context())
		var working sync.WaitGroup
		defer working.Wait()
		defer stop()
		working.Go(func() {
			for busy.Err() == nil {
				_, _ = b.DB().NewRaw("INSERT INTO ticks DEFAULT VALUES").Exec(busy)
				_ = b.DB().NewRaw("SELECT 1").Scan(busy, new(int)) // who is read from is looked at
				time.Sleep(500 * time.Millisecond)
			}
		})
		steps := func(n int) { time.Sleep(time.Duration(n) * 2 * time.Second) }
		lags := func() (list []float64, unknown int) {
			for _, l := range statusOf(t, h).Binds[0].Engines[1].Lags {
				if l == nil {
					unknown++
					continue
				}
				list = append(list, *l)
			}
			return list, unknown
		}
		steps(10)
		list, unknown := lags()
		assert.InDelta(t, 10, len(list), 1)
		assert.Zero(t, unknown)
		for _, l := range list {
			assert.Less(t, l, 0.6, "at most two looks late")
		}
		replica := c.Replicas()[0]
		replica.SetLag(3 * time.Second)
		steps(20)
		list, _ = lags()
		assert.InDelta(t, 3, list[len(list)-1], 0.6)

		replica.Down()
		steps(10)
		_, unknown = lags()
		assert.InDelta(t, 10, unknown, 2)
		replica.Up()
		replica.SetLag(0)
		steps(160)
		list, unknown = lags()
		assert.Len(t, list, 150, "five minutes")
		assert.Zero(t, unknown)
		assert.Nil(t, statusOf(t, h).Binds[0].Engines[0].Lags, "a writer has none")
	})
}

// However many pages are open, the servers are asked once in two seconds; without any, not at all.
func TestHandlerAsksRarely(t *testing.T) {
	inCheckerBubble(t, func(t *testing.T, m *manager.DBManager, c *routertest.Cluster) {
		h := m.Handler()
		time.Sleep(time.Minute)
		assert.Zero(t, asked(c), "nobody looks")
		for range 100 {
			get(t, h, "/status.json")
			get(t, h, "/ready")
			time.Sleep(100 * time.Millisecond)
		}
		assert.InDelta(t, 5, asked(c), 1, "ten seconds")
	})
}

// The log's latest hundred lines are kept, whatever the program's logger writes.
func TestHandlerKeepsTheLatestLines(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	c := routertest.New(t, 1)
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{{
		Key: "shop", Writer: binds.NewURI(c.WriterURI()), Readers: []manager.ReaderConfig{{URI: binds.NewURI(c.ReaderURIs()[0])}}, SlowQuery: 1,
	}}}, manager.WithDrivers(c.Drivers()), manager.WithLogger(logger))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	h := m.Handler()
	require.NoError(t, m.NewRaw(binds.Key("shop"), "SELECT 1 /* a remark */").Scan(t.Context(), new(int)))
	log := statusOf(t, h).Log
	require.NotEmpty(t, log)
	last := log[len(log)-1]
	assert.Equal(t, "WARN", last.Level)
	assert.Contains(t, last.Text, "bind=shop")
	assert.NotContains(t, last.Text, "time=")
	assert.NotContains(t, last.Text, "level=")
	for i := range 150 {
		require.NoError(t, m.Drain("shop/reader-1"), i)
		require.NoError(t, m.Undrain("shop/reader-1"), i)
	}
	log = statusOf(t, h).Log
	assert.Len(t, log, 100)
	assert.Contains(t, fmt.Sprint(log[98:]), "shop/reader-1")
}
