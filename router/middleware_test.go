package router_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// site serves a process's row with sessions.
func (p *process) site() http.Handler { return router.Middleware(p.pages()) }

// pages serves a process's row: GET reads it, POST sets it to the query's "value".
func (p *process) pages() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			value, _ := strconv.ParseInt(req.URL.Query().Get("value"), 10, 64)
			if err := p.write(req.Context(), value); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
			return // without a byte
		}
		value, route, err := p.read(req.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Route", route)
		_, _ = io.WriteString(w, strconv.FormatInt(value, 10))
	})
}

// browser is a client with a cookie jar, in front of several processes in turn. It needs no network,
// so that it works in a bubble.
type browser struct {
	*http.Client
	sites []http.Handler
	next  int
}

func newBrowser(t *testing.T, processes ...*process) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := new(browser)
	for _, p := range processes {
		b.sites = append(b.sites, p.site())
	}
	b.Client = &http.Client{Jar: jar, Transport: b}
	return b
}

func (b *browser) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	b.sites[b.next%len(b.sites)].ServeHTTP(rec, req)
	b.next++
	return rec.Result(), nil
}

const siteURL = "http://shop.example/"

func (b *browser) post(t *testing.T, value int64) *http.Response {
	t.Helper()
	resp, err := b.Post(siteURL+"?value="+strconv.FormatInt(value, 10), "", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp
}

func (b *browser) get(t *testing.T) (int64, *http.Response) {
	t.Helper()
	resp, err := b.Get(siteURL)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	value, err := strconv.ParseInt(string(body), 10, 64)
	require.NoError(t, err)
	return value, resp
}

// TestMiddlewareAcrossProcesses has a client write and read by two processes in turn, so that each read
// is served by another process than the write before it.
func TestMiddlewareAcrossProcesses(t *testing.T) {
	for _, lag := range []time.Duration{0, 3 * time.Millisecond, 200 * time.Millisecond, time.Hour} {
		t.Run(lag.String(), func(t *testing.T) {
			twoProcesses(t, 2, func(t *testing.T, a, b *process) {
				for _, r := range a.cluster.Replicas() {
					r.SetLag(lag)
				}
				client := newBrowser(t, a, b)
				readers, reads := 0, 0
				for i := range int64(100) {
					client.post(t, i)
					for range 4 {
						value, resp := client.get(t)
						require.Equal(t, i, value, resp.Header.Get("Route"))
						assert.Empty(t, resp.Cookies(), "nothing was written")
						reads++
						if resp.Header.Get("Route") != fromWriter {
							readers++
						}
						time.Sleep(20 * time.Millisecond)
					}
					client.next++
				}
				t.Logf("lag %v: readers served %d of %d reads", lag, readers, reads)
				if lag < 20*time.Millisecond { // after a write each process looks at the servers once
					assert.GreaterOrEqual(t, readers, reads/2)
				}
			})
		})
	}
}

func TestMiddlewareCookie(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		client := newBrowser(t, p)
		_, resp := client.get(t)
		assert.Empty(t, resp.Cookies(), "nothing was written")
		for scheme, secure := range map[string]bool{"http": false, "https": true} {
			req := httptest.NewRequest(http.MethodPost, scheme+"://shop.example/deep/path?value=1", nil)
			if secure {
				req.TLS = new(tls.ConnectionState)
			}
			rec := httptest.NewRecorder()
			p.site().ServeHTTP(rec, req)
			cookies := rec.Result().Cookies()
			require.Len(t, cookies, 1)
			c := cookies[0]
			assert.Regexp(t, `^bindery_session\.[A-Z2-7]{8}$`, c.Name)
			assert.Equal(t, "/", c.Path)
			assert.Equal(t, 24*60*60, c.MaxAge)
			assert.Equal(t, http.SameSiteLaxMode, c.SameSite)
			assert.True(t, c.HttpOnly)
			assert.Equal(t, secure, c.Secure)
			assert.Empty(t, c.Domain)
		}
	})
}

// A bad cookie fails no request and makes no read wrong, and is replaced, or it would keep the
// client's reads on the writer for a day.
func TestMiddlewareBadCookie(t *testing.T) {
	for name, cookie := range map[string]func(t *testing.T, p *process) string{
		"malformed": func(*testing.T, *process) string { return "forged" },
		"foreign": func(t *testing.T, p *process) string {
			elsewhere := newProcess(t, routertest.New(t, 0), nil)
			elsewhere.createTable(t)
			ctx := router.NewSession(t.Context())
			elsewhere.mustWrite(t, ctx, 1)
			return mustToken(t, ctx)
		},
		"expired": func(t *testing.T, p *process) string {
			ctx := router.NewSession(t.Context())
			p.mustWrite(t, ctx, 1)
			token := mustToken(t, ctx)
			time.Sleep(25 * time.Hour)
			settle(t, p)
			return token
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, nil, func(t *testing.T, p *process) {
				client := newBrowser(t, p)
				u, err := url.Parse(siteURL)
				require.NoError(t, err)
				client.Jar.SetCookies(u, []*http.Cookie{{Name: "bindery_session", Value: cookie(t, p), Path: "/"}})
				p.cluster.Replicas()[0].PauseReplay()
				p.mustWrite(t, t.Context(), 7)
				value, resp := client.get(t)
				assert.EqualValues(t, 7, value)
				assert.Equal(t, fromWriter, resp.Header.Get("Route"))
				require.Len(t, given(resp), 1, "replaced")
				require.Len(t, client.Jar.Cookies(u), 1)
				value, resp = client.get(t)
				assert.EqualValues(t, 7, value)
				assert.Empty(t, resp.Cookies())
				p.cluster.Replicas()[0].ResumeReplay()
				time.Sleep(time.Second)
				_, resp = client.get(t)
				assert.Equal(t, fromReader1, resp.Header.Get("Route"), "readers serve the client again")
			})
		})
	}
}

// The writer goes between the write and the answer: the answer comes, soon, and the next process
// reads from the writer once that is back.
func TestMiddlewareWithoutWriter(t *testing.T) {
	for name, trouble := range map[string]func(*routertest.Server) (undo func()){
		"down": func(s *routertest.Server) func() { s.Down(); return s.Up },
		"hung": func(s *routertest.Server) func() { s.Freeze(); return s.Thaw },
	} {
		t.Run(name, func(t *testing.T) {
			twoProcesses(t, 1, func(t *testing.T, a, b *process) {
				a.cluster.Replicas()[0].SetLag(time.Hour)
				undo := func() {}
				client := newBrowser(t, a, b)
				client.sites[0] = router.Middleware(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					assert.NoError(t, a.write(req.Context(), 7))
					undo = trouble(a.cluster.Primary())
				}))
				began := time.Now()
				resp := client.post(t, 7)
				assert.LessOrEqual(t, time.Since(began), 500*time.Millisecond)
				require.Len(t, resp.Cookies(), 1)
				undo()
				time.Sleep(3 * time.Second)
				value, resp := client.get(t) // in b
				assert.EqualValues(t, 7, value)
				require.Len(t, given(resp), 1, "now it is known how far")
				client.next = 1
				_, resp = client.get(t)
				assert.Empty(t, resp.Cookies())
			})
		})
	}
}

// answers are the ways to begin a response.
var answers = map[string]func(w http.ResponseWriter, req *http.Request){
	"nothing":  func(http.ResponseWriter, *http.Request) {},
	"status":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"redirect": func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/next", http.StatusSeeOther) },
	"bytes":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) },
	"string":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") },
	"copy":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("x")) },
	"read from": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
	},
	"flusher":     func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
	"controller":  func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
	"early hints": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusEarlyHints); w.WriteHeader(200) },
	"own cookie":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Del("Set-Cookie"); w.WriteHeader(200) },
	"file":        func(w http.ResponseWriter, req *http.Request) { http.ServeFile(w, req, "middleware.go") },
}

// realSite serves handler behind the middleware on the network.
func realSite(t *testing.T, wrap func(http.Handler) http.Handler, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(wrap(handler))
	t.Cleanup(server.Close)
	t.Cleanup(server.Client().CloseIdleConnections)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return server
}

// realProcess is a process on the real clock.
func realProcess(t *testing.T) *process {
	t.Helper()
	p := newProcess(t, routertest.New(t, 1), nil)
	p.createTable(t)
	return p
}

func TestMiddlewareAnswers(t *testing.T) {
	p := realProcess(t)
	for name, answer := range answers {
		for nested, wrap := range map[string]func(http.Handler) http.Handler{
			"":         router.Middleware,
			", nested": func(h http.Handler) http.Handler { return router.Middleware(router.Middleware(h)) },
			", timed": func(h http.Handler) http.Handler {
				return router.Middleware(http.TimeoutHandler(h, time.Minute, ""))
			},
		} {
			if strings.HasPrefix(nested, ", t") && (name == "flusher" || name == "read from" || name == "early hints") {
				continue // the timeout's own writer knows none of these
			}
			server := realSite(t, wrap, func(w http.ResponseWriter, req *http.Request) {
				assert.NoError(t, p.write(req.Context(), 1))
				answer(w, req)
			})
			for _, method := range []string{http.MethodPost, http.MethodHead} {
				req, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
				require.NoError(t, err)
				if name == "early hints" {
					trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
						assert.Empty(t, h.Get("Set-Cookie"))
						return nil
					}}
					req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
				}
				resp, err := server.Client().Do(req)
				require.NoError(t, err, name)
				require.NoError(t, resp.Body.Close())
				require.Len(t, resp.Cookies(), 1, name+nested+" "+method)
			}
		}
	}
}

// A handler that panics aborts its answer, or whoever recovers it answers: with the cookie.
func TestMiddlewarePanic(t *testing.T) {
	p := realProcess(t)
	recovers := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			defer func() {
				assert.Equal(t, "boom", recover())
				w.WriteHeader(http.StatusInternalServerError)
			}()
			next.ServeHTTP(w, req)
		})
	}
	server := realSite(t, func(h http.Handler) http.Handler { return recovers(router.Middleware(h)) }, func(_ http.ResponseWriter, req *http.Request) {
		assert.NoError(t, p.write(req.Context(), 1))
		panic("boom")
	})
	resp, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)
	assert.Len(t, resp.Cookies(), 1)
}

func TestMiddlewareHijack(t *testing.T) {
	server := realSite(t, router.Middleware, func(w http.ResponseWriter, req *http.Request) {
		assert.NoError(t, http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Minute)))
		assert.NoError(t, http.NewResponseController(w).EnableFullDuplex())
		conn, buf, err := w.(http.Hijacker).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		_, err = buf.WriteString("HTTP/1.1 204 No Content\r\nHijacked: yes\r\n\r\n")
		assert.NoError(t, errors.Join(err, buf.Flush(), conn.Close()))
	})
	resp, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "yes", resp.Header.Get("Hijacked"))

	rec := httptest.NewRecorder()
	router.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, err := http.NewResponseController(w).Hijack()
		assert.ErrorIs(t, err, http.ErrNotSupported)
	})).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
}

// A file reaches the server's own ReadFrom, which sends it without a copy.
func TestMiddlewareReadFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	rec := &readsFrom{ResponseRecorder: httptest.NewRecorder()}
	router.Middleware(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.ServeFile(w, req, path)
	})).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, "content", rec.Body.String())
	assert.True(t, rec.asked)
}

type readsFrom struct {
	*httptest.ResponseRecorder
	asked bool
}

func (r *readsFrom) ReadFrom(src io.Reader) (int64, error) {
	r.asked = true
	return io.Copy(struct{ io.Writer }{r.ResponseRecorder}, bufio.NewReader(src))
}

// Whoever put a session into the request's context finds it in the handler.
func TestMiddlewareKeepsTheSession(t *testing.T) {
	ctx := router.NewSession(context.Background())
	router.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		assert.Same(t, router.SessionFrom(ctx), router.SessionFrom(req.Context()))
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
}

func BenchmarkMiddleware(b *testing.B) {
	h := router.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	rec := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(rec, req)
	}
}
