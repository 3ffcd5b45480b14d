package scale

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/bench/internal/proxy"
	"github.com/bindery-go/bindery/bench/internal/report"
	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

func TestRun(t *testing.T) {
	s, err := Run(t.Context(), &report.Run{Quick: true})
	require.NoError(t, err)
	require.Len(t, s.Tables, 3)
	for _, table := range s.Tables {
		require.NotEmpty(t, table.Rows)
		for _, row := range table.Rows {
			assert.NotContains(t, row, "", "%s: %v", table.Title, row)
		}
	}
	opening, routing, idling := s.Tables[0], s.Tables[1], s.Tables[2]
	assert.Len(t, opening.Rows, len(openers)*2)
	assert.Len(t, routing.Rows, 3)
	assert.Len(t, idling.Rows, 2*len(idlers)+len(others))
	for _, row := range idling.Rows {
		primary, replicas, all := row[2], row[3], row[4]
		switch {
		case strings.HasSuffix(row[0], neverRead):
			assert.Equal(t, "0", all, row[0])
		case strings.HasPrefix(row[0], "bindery"):
			assert.NotEqual(t, "0", primary, "its monitor was not counted: %s", row[0])
			assert.NotEqual(t, "0", replicas, "its monitor was not counted: %s", row[0])
		}
	}
	for _, bar := range s.Bars {
		if bar.Want == "0" { // the others are about speed, and allocations, which the race detector adds to
			assert.True(t, bar.Met, "%s: %s", bar.What, bar.Got)
		}
	}
}

func TestOpenersOpenWhatTheySay(t *testing.T) {
	for _, o := range openers {
		t.Run(o.name, func(t *testing.T) {
			got, err := o.measure(t.Context(), 7)
			require.NoError(t, err)
			pools := 3
			if strings.HasSuffix(o.name, "primary + 2") {
				pools++ // the writer's server may become a reader
			}
			assert.Equal(t, 7*pools, got.held.pools)
			assert.Equal(t, got.held.pools, got.held.goroutines)
			assert.Zero(t, got.touched)
			assert.Positive(t, got.held.heap)
		})
	}
}

func TestWhatIsTouchedIsCounted(t *testing.T) {
	rude := opener{"rude", func(dir string, _ int, addr string) (opening, error) {
		return opening{open: func(ctx context.Context) (func() error, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			defer func() { _ = conn.Close() }()
			_, err = conn.Read(make([]byte, 1)) // ends when the door has counted
			require.Error(t, err)
			return func() error { return nil }, os.WriteFile(filepath.Join(dir, "b0.db"), nil, 0o600)
		}}, nil
	}}
	got, err := rude.measure(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, 2, got.touched)
}

func TestGoroutinesOfTheLibraryAreCounted(t *testing.T) {
	stop := make(chan struct{})
	lavish := opener{"lavish", func(string, int, string) (opening, error) {
		return opening{open: func(context.Context) (func() error, error) {
			ended := make(chan struct{})
			go func() { defer close(ended); <-stop }()
			return func() error { close(stop); <-ended; return nil }, nil
		}}, nil
	}}
	got, err := lavish.measure(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, 1, got.held.goroutines)
	assert.Zero(t, got.held.pools)
}

func TestGoroutineThatEndsMeanwhileHidesNone(t *testing.T) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); <-stop }()
	then, err := look()
	require.NoError(t, err)
	close(stop)
	<-ended
	pool := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN("postgres://app:secret@127.0.0.1:1/b?sslmode=disable")))
	now, err := look()
	require.NoError(t, err)
	require.NoError(t, pool.Close())
	held := now.since(then)
	assert.Equal(t, []int{1, 1}, []int{held.goroutines, held.pools})
}

func TestReadsThatWereAskedForDoNotCount(t *testing.T) {
	c := new(counted)
	for range 3 {
		p, err := proxy.New("127.0.0.1:1", dialect.PG)
		require.NoError(t, err)
		c.proxies = append(c.proxies, p)
	}
	c.begin()
	c.asked.Add(2)
	c.end(time.Minute)
	assert.Equal(t, []float64{0, -120}, []float64{c.primary, c.replica}, "an hour has sixty minutes")
	require.NoError(t, c.close())
}

func TestBarsOfOpening(t *testing.T) {
	row := func(n int, open time.Duration, held footprint, touched int) cost {
		return cost{"SQLite files", n, opened{open: open, held: held, touched: touched}}
	}
	s := new(report.Section)
	judgeOpening(s, []cost{
		row(100, 100*time.Millisecond, footprint{goroutines: 300, pools: 300}, 0),
		row(1000, 3*time.Second, footprint{goroutines: 3001, pools: 3000}, 2),
		{byHand, 1000, opened{open: time.Hour, held: footprint{goroutines: 7}, touched: 9}},
	}, effort{binds: []int{100, 1000}})
	var got []string
	for _, bar := range s.Bars {
		got = append(got, fmt.Sprint(bar.Got, " ", bar.Met))
	}
	assert.Equal(t, []string{"3.00 s false", "3.00× false", "1 false", "2 false"}, got)
}

func TestModelsAreDistinctAndNumbered(t *testing.T) {
	all := thousand()
	require.Len(t, all, 1000)
	key, err := binds.KeyOf((*bound[d4, d0, d7])(nil))
	require.NoError(t, err)
	assert.Equal(t, binds.Key("b407"), key)
	key, err = binds.KeyOf((*plain[d4, d0, d7])(nil))
	require.NoError(t, err)
	assert.Empty(t, key)

	s, err := openScene(t.Context(), 1000, 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.end()) }()
	assert.Len(t, s.calls, 1000)
}

func TestModelsAreReadOnTheirOwnBinds(t *testing.T) {
	for name, binds := range map[string]int{"b0/": 1, "b11/": 12} {
		s, err := openScene(t.Context(), 12, binds)
		require.NoError(t, err)
		defer func() { require.NoError(t, s.end()) }()
		ctx, route := router.Explain(t.Context())
		require.NoError(t, s.calls[11].read(ctx, s.calls[11].bindery))
		assert.True(t, strings.HasPrefix(route.String(), name), route.String())
		ctx, route = router.Explain(t.Context())
		require.NoError(t, s.calls[11].read(ctx, s.calls[11].bare))
		assert.Empty(t, route.Decisions(), "bindery has no part in it")
	}
}
