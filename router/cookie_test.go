package router_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// given returns the cookies that a response sets, without those that it removes.
func given(resp *http.Response) []*http.Cookie {
	return slices.DeleteFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.MaxAge < 0 })
}

func cookieKey(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// wrapped returns a process's pages with sessions as c says.
func wrapped(t *testing.T, p *process, c *router.SessionCookie) http.Handler {
	t.Helper()
	wrap, err := c.Middleware()
	require.NoError(t, err)
	return wrap(p.pages())
}

// A tab sends a request while others are under way: what answers them is held back, and delivered as the test says.
type tab struct {
	jar  http.CookieJar
	site *url.URL
}

func newTab(t *testing.T) *tab {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	site, err := url.Parse(siteURL)
	require.NoError(t, err)
	return &tab{jar, site}
}

// send has a site answer a request with the cookies that there are. More are a neighbour's.
func (b *tab) send(site http.Handler, method, query string, more ...*http.Cookie) *http.Response {
	req := httptest.NewRequest(method, siteURL+query, nil)
	for _, c := range append(b.jar.Cookies(b.site), more...) {
		req.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	site.ServeHTTP(rec, req)
	return rec.Result()
}

func (b *tab) take(resp *http.Response) { b.jar.SetCookies(b.site, resp.Cookies()) }

// Two writes of one client are answered at the same time, and the older answer arrives last: the next read shows both.
func TestSessionCookie_answersOutOfOrder(t *testing.T) {
	for name, keys := range map[string][][]byte{"open": nil, "sealed": {cookieKey(1)}} {
		t.Run(name, func(t *testing.T) {
			twoProcesses(t, 1, func(t *testing.T, a, b *process) {
				a.cluster.Replicas()[0].SetLag(40 * time.Millisecond)
				siteA, siteB := wrapped(t, a, &router.SessionCookie{Keys: keys}), wrapped(t, b, &router.SessionCookie{Keys: keys})
				client := newTab(t)
				const rounds = 40
				right := 0
				for i := range int64(rounds) {
					older := client.send(siteA, http.MethodPost, fmt.Sprintf("?value=%d", 2*i))
					for range 20 { // others read there meanwhile, so that the replica is known to show it
						time.Sleep(10 * time.Millisecond)
						b.mustRead(t, t.Context())
					}
					newer := client.send(siteA, http.MethodPost, fmt.Sprintf("?value=%d", 2*i+1))
					client.take(newer)
					client.take(older)
					read := client.send(siteB, http.MethodGet, "")
					client.take(read)
					var got int64
					_, err := fmt.Fscan(read.Body, &got)
					require.NoError(t, err)
					if got == 2*i+1 {
						right++
					}
					time.Sleep(200 * time.Millisecond)
				}
				assert.Equal(t, rounds, right, "reads that show the client's latest write")
			})
		})
	}
}

// However many answers were under way at once, the next one leaves one cookie of them, and so do a few large ones.
func TestSessionCookie_merges(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		site, client := p.site(), newTab(t)
		var answers []*http.Response
		for i := range 10 {
			answers = append(answers, client.send(site, http.MethodPost, fmt.Sprint("?value=", i)))
		}
		for _, answer := range answers {
			client.take(answer)
		}
		require.Len(t, client.jar.Cookies(client.site), 10)
		read := client.send(site, http.MethodGet, "")
		require.Len(t, given(read), 1)
		client.take(read)
		require.Len(t, client.jar.Cookies(client.site), 1)
		assert.Empty(t, client.send(site, http.MethodGet, "").Cookies(), "nothing is left to tell")

		nested := router.Middleware(site)
		for _, answer := range answers {
			client.take(answer)
		}
		assert.Len(t, given(client.send(nested, http.MethodGet, "")), 1, "by one of two middlewares")
	})
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		site, client := p.site(), newTab(t)
		for i := range 2 {
			client.take(client.send(site, http.MethodPost, fmt.Sprint("?value=", i)))
		}
		cookies := client.jar.Cookies(client.site)
		require.Len(t, cookies, 1)
		long := &http.Cookie{Name: "bindery_session.LONGLONG", Value: strings.Repeat("x", 3800)}
		assert.Len(t, given(client.send(site, http.MethodGet, "", long)), 1)
		other := &http.Cookie{Name: "bindery_sessions", Value: strings.Repeat("x", 3800)}
		assert.Empty(t, client.send(site, http.MethodGet, "", other).Cookies(), "another program's")
	})
}

// What a site did not seal counts as none: the client's reads go to readers. What it sealed says nothing to who has no key.
func TestSessionCookie_sealed(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		cookie := &router.SessionCookie{Keys: [][]byte{cookieKey(1)}}
		site, client := wrapped(t, p, cookie), newTab(t)
		answer := client.send(site, http.MethodPost, "?value=7")
		p.cluster.Replicas()[0].PauseReplay()
		good := given(answer)[0]
		raw, err := base64.RawURLEncoding.DecodeString(good.Value)
		require.NoError(t, err)
		assert.NotContains(t, string(raw), "shop", "the bind's name")
		again := given(client.send(site, http.MethodPost, "?value=7"))[0]
		assert.NotEqual(t, good.Value, again.Value, "equal positions are told apart")
		time.Sleep(time.Second)

		ctx := router.NewSession(t.Context())
		p.mustWrite(t, ctx, 8)
		open := mustToken(t, ctx)
		for name, value := range map[string]string{
			"open": open, "malformed": "forged", "empty": "",
			"tampered": good.Value[:30] + string(good.Value[30]^1) + good.Value[31:],
			"too long": strings.Repeat("A", 4000),
		} {
			before := cookie.Refused()
			bad := &http.Cookie{Name: good.Name, Value: value}
			resp := client.send(site, http.MethodGet, "", bad)
			assert.Equal(t, before+1, cookie.Refused(), name)
			assert.Empty(t, resp.Cookies(), name)
		}

		// Another name's cookies, and other keys'.
		named := &router.SessionCookie{Name: "other", Keys: [][]byte{cookieKey(1)}}
		client.send(wrapped(t, p, named), http.MethodGet, "", &http.Cookie{Name: "other" + strings.TrimPrefix(good.Name, "bindery_session"), Value: good.Value})
		assert.EqualValues(t, 1, named.Refused())
		both := &router.SessionCookie{Keys: [][]byte{cookieKey(2), cookieKey(1)}}
		client.send(wrapped(t, p, both), http.MethodGet, "", good)
		assert.Zero(t, both.Refused(), "an old key opens")
		fresh := given(client.send(wrapped(t, p, both), http.MethodPost, "?value=9"))[0]
		gone := &router.SessionCookie{Keys: [][]byte{cookieKey(2)}}
		client.send(wrapped(t, p, gone), http.MethodGet, "", good)
		assert.EqualValues(t, 1, gone.Refused(), "a key that was taken out")
		client.send(wrapped(t, p, gone), http.MethodGet, "", fresh)
		assert.EqualValues(t, 1, gone.Refused(), "the first key seals")
	})
}

// The need that a sealed cookie carries is met, and one that is refused asks for nothing.
func TestSessionCookie_sealedNeeds(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, b *process) {
		keys := [][]byte{cookieKey(1)}
		a.cluster.Replicas()[0].PauseReplay()
		client := newTab(t)
		client.take(client.send(wrapped(t, a, &router.SessionCookie{Keys: keys}), http.MethodPost, "?value=7"))
		read := client.send(wrapped(t, b, &router.SessionCookie{Keys: keys}), http.MethodGet, "")
		assert.Equal(t, fromWriter, read.Header.Get("Route"))
		read = client.send(wrapped(t, b, &router.SessionCookie{Keys: [][]byte{cookieKey(2)}}), http.MethodGet, "")
		assert.Equal(t, fromReader1, read.Header.Get("Route"))
	})
}

// A cookie from a neighbouring host, which no answer can remove, sends the client to the writer once and not for good.
func TestSessionCookie_neighbours(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		cookie := new(router.SessionCookie)
		site, client := wrapped(t, p, cookie), newTab(t)
		neighbours := &http.Cookie{Name: "bindery_session", Value: "forged"}
		for i, want := range []string{fromWriter, fromReader1, fromReader1} {
			resp := client.send(site, http.MethodGet, "", neighbours)
			client.take(resp)
			assert.Equal(t, want, resp.Header.Get("Route"), "request %d", i+1)
			time.Sleep(time.Second)
		}
		assert.EqualValues(t, 2, cookie.Refused())
	})
}

// A neighbouring host's cookies, however many, have no response set one, and do not keep the site's own from being removed.
func TestSessionCookie_neighboursSealed(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		cookie := &router.SessionCookie{Keys: [][]byte{cookieKey(1)}}
		site, client := wrapped(t, p, cookie), newTab(t)
		var neighbours []*http.Cookie
		for i := range 30 {
			neighbours = append(neighbours, &http.Cookie{Name: fmt.Sprintf("bindery_session.%08d", i), Value: "forged"})
		}
		resp := client.send(site, http.MethodGet, "", neighbours...)
		assert.Empty(t, resp.Cookies())
		assert.Equal(t, fromReader1, resp.Header.Get("Route"))
		assert.EqualValues(t, 30, cookie.Refused())
		for i := range 3 {
			resp := client.send(site, http.MethodPost, fmt.Sprint("?value=", i), neighbours...)
			client.take(resp)
			assert.LessOrEqual(t, len(resp.Cookies()), 21, "a header that a proxy takes")
			assert.Len(t, client.jar.Cookies(client.site), 1, "the one before is removed")
		}
	})
}

// A flood of cookies costs a bounded time and a bounded answer, and makes no read wrong.
func TestSessionCookie_flood(t *testing.T) {
	for name, keys := range map[string][][]byte{"open": nil, "sealed": {cookieKey(1)}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, nil, func(t *testing.T, p *process) {
				cookie := &router.SessionCookie{Keys: keys}
				site, client := wrapped(t, p, cookie), newTab(t)
				good := given(client.send(site, http.MethodPost, "?value=7"))[0]
				time.Sleep(time.Second)
				var flood []*http.Cookie
				for i := range 1000 {
					flood = append(flood, &http.Cookie{Name: fmt.Sprintf("bindery_session.%08d", i), Value: "forged"})
				}
				resp := client.send(site, http.MethodGet, "", append(flood, good)...)
				assert.Equal(t, fromWriter, resp.Header.Get("Route"), "what was not read may say anything")
				assert.LessOrEqual(t, len(resp.Cookies()), 21)
				assert.LessOrEqual(t, cookie.Refused(), uint64(201))
				assert.NotZero(t, cookie.Refused())
			})
		})
	}
}

func TestSessionCookie_attributes(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		site := wrapped(t, p, &router.SessionCookie{Name: "__Secure-shop", Domain: "shop.example", Path: "/cart", Secure: true})
		answer := newTab(t).send(site, http.MethodPost, "?value=1", &http.Cookie{Name: "__Secure-shop", Value: "old"})
		require.Len(t, answer.Cookies(), 2)
		for i, c := range answer.Cookies() {
			assert.Equal(t, "shop.example /cart true true", fmt.Sprint(c.Domain, " ", c.Path, " ", c.Secure, " ", c.HttpOnly))
			assert.Equal(t, []int{-1, 24 * 60 * 60}[i], c.MaxAge)
		}
	})
}

func TestSessionCookie_cacheControl(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		for handlers, want := range map[string]string{
			"":                                       "private",
			"max-age=60":                             "private, max-age=60",
			"public, max-age=60, s-maxage=600":       "private, max-age=60",
			"Public,immutable , ,S-MaxAge=1":         "private, immutable",
			"no-store":                               "no-store",
			"max-age=5, private":                     "max-age=5, private",
			`private="Set-Cookie", must-revalidate`:  `private, private="Set-Cookie", must-revalidate`,
			"no-cache":                               "private, no-cache",
			"public, private":                        "private",
			"private, public, s-maxage=9, max-age=5": "private, max-age=5",
			"no-store, public":                       "no-store",
			`no-cache="a, public, b", max-age=3`:     `private, no-cache="a, public, b", max-age=3`,
			`x="\", public", S-Maxage = 5`:           `private, x="\", public"`,
		} {
			rec := httptest.NewRecorder()
			router.Middleware(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				assert.NoError(t, p.write(req.Context(), 1))
				if handlers != "" {
					w.Header().Set("Cache-Control", handlers)
				}
			})).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", nil))
			assert.Equal(t, want, rec.Header().Get("Cache-Control"), handlers)
		}
		rec := httptest.NewRecorder()
		p.site().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Empty(t, rec.Header().Get("Cache-Control"), "without a cookie")
	})
}

func TestSessionCookie_refusesBadFields(t *testing.T) {
	for want, c := range map[string]*router.SessionCookie{
		`key 2 has 16 bytes: give 32 random ones`:                                       {Keys: [][]byte{cookieKey(1), make([]byte, 16)}},
		`a browser refuses the name "__Host-s" without Secure`:                          {Name: "__Host-s"},
		`a browser refuses the name "__host-s" without Secure`:                          {Name: "__host-s"},
		`a browser refuses the name "__SECURE-s" without Secure`:                        {Name: "__SECURE-s"},
		`a browser refuses the name "__HOST-s" with a Domain, or another Path than "/"`: {Name: "__HOST-s", Secure: true, Path: "/x"},
		`a browser refuses the name "__Secure-s" without Secure`:                        {Name: "__Secure-s"},
		`a browser refuses the name "__Host-s" with a Domain, or another Path than "/"`: {Name: "__Host-s", Secure: true, Domain: "shop.example"},
		`invalid Cookie.Name`:   {Name: "a b"},
		`invalid Cookie.Domain`: {Domain: "a b"},
		`invalid byte`:          {Path: "/a;b"},
	} {
		wrap, err := c.Middleware()
		require.ErrorContains(t, err, "router: session cookie: ")
		assert.ErrorContains(t, err, want)
		assert.Nil(t, wrap)
		assert.NotContains(t, err.Error(), string(cookieKey(1)))
	}
}
