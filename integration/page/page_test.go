// Package page tests the manager's status page as an operator sees it, in headless Chromium.
package page

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/pgbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/manager"
)

// A browser has the page open.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex // guards the rest
	faults []string   // exceptions, and what was written to the console
	hosts  map[string]bool
}

// openPage opens a browser's tab on address.
func openPage(t *testing.T, address string) *browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1280, 1000))
		if os.Geteuid() == 0 {
			opts = append(opts, chromedp.NoSandbox) // Chromium refuses root otherwise; it opens our own page alone
		}
		ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
		t.Cleanup(cancel)
		ctx, cancel = chromedp.NewContext(ctx)
		t.Cleanup(cancel)
		b := &browser{t: t, ctx: ctx, hosts: map[string]bool{}}
		require.NoError(t, chromedp.Listen(ctx, b.hear))
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
		require.NoError(t, err)
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(address)))
		return b
	}
	t.Fatal("no browser: install Chromium (on Debian: apt-get install -y --no-install-recommends chromium), or run `make page`")
	return nil
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console.%s", e.Type))
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil {
			b.hosts[u.Host] = true
		}
	}
}

// eval returns the value of an expression in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err)
	return value
}

func (b *browser) text(selector string) string {
	return eval[string](b, fmt.Sprintf("(document.querySelector(%q) || {innerText: ''}).innerText", selector))
}

// row returns what the page says of an engine, its state first.
func (b *browser) row(engine string) (state, text string) {
	selector := fmt.Sprintf("tr[data-engine=%q]", engine)
	state = eval[string](b, fmt.Sprintf("(document.querySelector('%s') || {dataset: {}}).dataset.status || ''", selector))
	return state, b.text(selector)
}

// comes waits until the page says so by itself.
func (b *browser) comes(what string, condition func() bool) {
	b.t.Helper()
	require.Eventually(b.t, condition, 40*time.Second, 200*time.Millisecond, what)
}

// shoot keeps a picture of the page in the directory that BINDERY_SCREENSHOTS names, if any.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("BINDERY_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
}

// The page shows by itself what becomes of the servers: all well, a replica that lags, one that dies, the primary's end, and its own.
func TestPage(t *testing.T) {
	c := integration.StartPostgres(t, 2)
	var readers []manager.ReaderConfig
	for _, s := range c.Replicas {
		readers = append(readers, manager.ReaderConfig{URI: binds.NewURI(s.URI())})
	}
	m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{
		{Key: "shop", Writer: binds.NewURI(c.Primary.URI()), Readers: readers},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	b, err := m.Bind(binds.Key("shop"))
	require.NoError(t, err)
	_, err = b.Writer().NewRaw("CREATE TABLE ticks (at timestamptz)").Exec(t.Context())
	require.NoError(t, err)

	mux := http.NewServeMux()
	mux.Handle("/databases/", http.StripPrefix("/databases", m.Handler()))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	working, stop := context.WithCancel(t.Context())
	var left sync.WaitGroup
	t.Cleanup(left.Wait)
	t.Cleanup(stop)
	left.Go(func() { // a service at work
		for tick := time.NewTicker(50 * time.Millisecond); working.Err() == nil; <-tick.C {
			_, _ = b.DB().NewRaw("INSERT INTO ticks VALUES (now())").Exec(working)
			_ = b.DB().NewRaw("SELECT count(*) FROM ticks").Scan(working, new(int))
		}
	})
	lock, err := m.Lock(t.Context(), binds.Key("shop"), "<b>nightly</b> report")
	require.NoError(t, err)
	t.Cleanup(func() { _ = lock.Unlock() })

	p := openPage(t, server.URL+"/databases/")
	p.comes("all well", func() bool { return p.text("#overall") == "all well" })
	for _, engine := range []string{"shop/writer", "shop/reader-1", "shop/reader-2"} {
		state, text := p.row(engine)
		assert.Equal(t, "ok", state, engine)
		assert.Contains(t, text, "15.", "its version: %s", engine)
	}
	assert.Contains(t, p.text("section.bind"), "<b>nightly</b> report", "as text")
	p.comes("plots", func() bool { return eval[int](p, "document.querySelectorAll('svg polyline').length") == 2 })
	p.shoot("all-well")

	require.NoError(t, c.Replicas[0].DelayReplay(t.Context(), 30*time.Second))
	p.comes("a lag of seconds", func() bool {
		_, text := p.row("shop/reader-1")
		return strings.Contains(text, " s\n") && eval[int](p, "document.querySelectorAll('svg[aria-label*=\"shop/reader-1\"]').length") == 1
	})
	p.comes("it leaves service", func() bool { state, _ := p.row("shop/reader-1"); return state == "not serving" })
	_, text := p.row("shop/reader-1")
	assert.Contains(t, text, "max_lag", "why")
	assert.Equal(t, "all well", p.text("#overall"), "a lag is no fault: reads go elsewhere")
	p.shoot("lagging")

	require.NoError(t, c.Replicas[1].Kill(t.Context()))
	p.comes("a dead replica", func() bool { state, _ := p.row("shop/reader-2"); return state == "down" })
	assert.Equal(t, "ready, but something is wrong", p.text("#overall"))
	assert.Contains(t, p.text("#lines"), "shop/reader-2", "the log")
	p.shoot("dead-replica")

	require.NoError(t, chromedp.Do(p.ctx, chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile)))
	assert.LessOrEqual(t, eval[int](p, "document.documentElement.scrollWidth"), 390, "readable on a phone: nothing is wider")
	p.shoot("phone")
	require.NoError(t, chromedp.Do(p.ctx, chromedp.ResetViewport()))

	require.NoError(t, c.Primary.Kill(t.Context()))
	p.comes("a dead primary", func() bool { return p.text("#overall") == "not ready" })
	assert.Contains(t, p.text("section.bind"), "no writes")
	p.shoot("dead-primary")

	assert.NotContains(t, eval[string](p, "document.documentElement.outerHTML"), password(t, c), "the page shows no password")
	p.mu.Lock()
	assert.Empty(t, p.faults)
	assert.Len(t, p.hosts, 1, "nothing is taken from elsewhere: %v", p.hosts)
	p.mu.Unlock()

	server.CloseClientConnections()
	server.Close()
	p.comes("the program's end", func() bool { return strings.Contains(p.text("#lost"), "No answer from the program") })
	p.shoot("no-answer")
}

func password(t *testing.T, c *integration.Cluster) string {
	t.Helper()
	u, err := url.Parse(c.Primary.URI())
	require.NoError(t, err)
	word, ok := u.User.Password()
	require.True(t, ok && word != "")
	return word
}
