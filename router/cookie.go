package router

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/internal/seal"
)

// SessionCookie says by which cookies the sessions of a site's clients go from request to request. Its zero value is what
// the function [Middleware] uses. Neither change nor copy it after its method Middleware was called.
//
// Each response that has something to tell sets a cookie of its own, "NAME." and eight characters, which says all
// that those of its request said, and removes these. So no response overwrites what another one says that was under way at the same
// time, in whichever order they arrive, and a client has as many cookies as it had writing requests at once.
// A request that brings four or more, or more than 3,800 bytes of them, has them merged into one by its response, which removes 20 at most.
// Of a request with more than 200 the others are not read, and its reads go to the writer: no browser sends so many.
//
// Each cookie is HttpOnly, SameSite=Lax, and good for a day (Max-Age). A response that sets one is private to its
// client: it says so in its Cache-Control (RFC 9111, section 5.2.2.7), unless that is no-store or private already, and takes public and s-maxage out.
//
// A day is counted by the time at which a cookie was made, which is in it. One that a client keeps for longer, or that is a day ahead of this process's
// clock, is of no use, also where a key opens it: the request's reads go to the writer, since what it said may have been needed.
// Beside a good cookie it counts as none.
type SessionCookie struct {
	// Name begins the names of the cookies; "bindery_session" if it is empty. With the prefix "__Host-" no other host of
	// the site's domain can set or replace them; Secure must be true then, Domain empty, and Path "/" (RFC 6265bis,
	// section 4.1.3).
	Name string
	// Domain has the browser send the cookies to all hosts of a domain. Empty: only to the one that set them.
	Domain string
	// Path has the browser send them with requests below it; "/" if it is empty.
	Path string
	// Secure has the browser send them by TLS alone. They are secure also where it is false, if the request came by TLS to
	// this server: set it where a proxy in front ends TLS.
	Secure bool
	// Keys are 32 random bytes each. With keys the cookies are sealed, by AES-256-GCM: they tell a client neither positions nor
	// names of binds, and none counts that this site did not set. The first key seals, all of them open: to change it, put a new one in
	// front, and take the old one out a day later. All processes that serve a client need the same.
	//
	// Without keys a client can forge its own: its reads are then as stale as without a session, or go to the writer, and nobody
	// else's are touched.
	Keys [][]byte
	// Logger takes what is of no use, at the debug level, and a response that began too early, as a warning. If it is nil,
	// [slog.Default] does.
	Logger *slog.Logger

	seals   seal.Ring // of Keys
	refused atomic.Uint64
}

const (
	defaultCookieName = "bindery_session"
	cookieSuffix      = 8 // characters that tell a client's cookies apart
	// mergeCookies and mergeSize are how many cookies, and how many bytes of them, a client may bring before they are
	// merged: proxies bound the size of a request's header, by 8 kB often.
	mergeCookies = 4
	mergeSize    = maxToken
	// maxCookies is how many of a request's cookies are read, more than a browser keeps for a domain (180 in Chrome), and
	// maxRemoved how many a response removes: a proxy bounds the size of its header, too, and the next response removes more.
	maxCookies = 200
	maxRemoved = 20
)

// Refused returns how many cookies counted as none since the program began: those that no key opened, malformed or
// expired ones beside a good one, and one for each request with too many. It is safe for concurrent use.
func (c *SessionCookie) Refused() uint64 { return c.refused.Load() }

// Middleware returns what gives each request a session, as the function [Middleware] does, by cookies as c says. The error
// says which of its fields cannot be used. What it returns is safe for concurrent use, and for several handlers.
func (c *SessionCookie) Middleware() (func(next http.Handler) http.Handler, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("router: session cookie: %w", err)
	}
	c.seals = nil
	for i, secret := range c.Keys {
		key, err := seal.NewKey(secret)
		if err != nil {
			return nil, fmt.Errorf("router: session cookie: key %d %w", i+1, err)
		}
		c.seals = append(c.seals, key)
	}
	return c.wrap, nil
}

func (c *SessionCookie) check() error {
	host, secure := hasPrefixFold(c.name(), "__Host-"), hasPrefixFold(c.name(), "__Secure-")
	switch {
	case (host || secure) && !c.Secure:
		return fmt.Errorf("a browser refuses the name %q without Secure", c.name())
	case host && (c.Domain != "" || c.path() != "/"):
		return fmt.Errorf("a browser refuses the name %q with a Domain, or another Path than \"/\"", c.name())
	}
	sample := http.Cookie{Name: c.name() + "." + strings.Repeat("A", cookieSuffix), Value: "x", Path: c.path(), Domain: c.Domain}
	if err := sample.Valid(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "http: "))
	}
	return nil
}

// hasPrefixFold compares as browsers do, without regard to case (RFC 6265bis, section 5.7, step 20).
func hasPrefixFold(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

func (c *SessionCookie) name() string {
	if c.Name == "" {
		return defaultCookieName
	}
	return c.Name
}

func (c *SessionCookie) path() string {
	if c.Path == "" {
		return "/"
	}
	return c.Path
}

func (c *SessionCookie) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}

// ours reports whether a cookie of that name is one of the session's: also one that was set before there were several.
func (c *SessionCookie) ours(name string) bool {
	suffix, ok := strings.CutPrefix(name, c.name())
	return ok && (suffix == "" || len(suffix) == 1+cookieSuffix && suffix[0] == '.')
}

// arrived is what came with a request.
type arrived struct {
	names   []string // of its cookies that this site may have set, each once
	refused []string // of those that no key opens: they may be a neighbouring host's, which cannot be removed
	size    int      // of those in names
}

func (a *arrived) add(list *[]string, name string) {
	if !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

// mustMerge reports whether the response has to set one in the place of all. What no key opens asks for nothing: a neighbouring host
// could have each response set a cookie.
func (a *arrived) mustMerge() bool {
	return len(a.names) >= mergeCookies || len(a.names) > 1 && a.size > mergeSize
}

// removed returns the names of the cookies that the response removes, first those that another request would merge again.
func (a *arrived) removed() []string {
	list := a.names[:len(a.names):len(a.names)]
	for _, name := range a.refused {
		if !slices.Contains(a.names, name) {
			list = append(list, name)
		}
	}
	return list[:min(len(list), maxRemoved)]
}

// resume returns the request's context with a session that needs what its cookies say.
func (c *SessionCookie) resume(req *http.Request) (context.Context, arrived) {
	ctx, _ := ResumeSession(req.Context(), "") // "" cannot be wrong
	s := SessionFrom(ctx)
	var came arrived
	var good bool
	var bad []error
	var nothing token
	n := 0
	for _, cookie := range req.Cookies() {
		if !c.ours(cookie.Name) {
			continue
		}
		if n++; n > maxCookies {
			c.refuse(ctx, errFlood)
			s.resume(token{rest: true}) // what the others say is not known
			break
		}
		t, err := c.open(cookie.Value)
		if errors.Is(err, errNotSealed) {
			came.add(&came.refused, cookie.Name)
			c.refuse(ctx, err)
			continue
		}
		came.add(&came.names, cookie.Name)
		came.size += len(cookie.Name) + len(cookie.Value)
		switch {
		case err != nil:
			bad, nothing = append(bad, err), t
		default:
			good = true
			s.resume(t)
		}
	}
	for _, err := range bad {
		// A response to it alone has set a good one, and said there that nothing is known: so whoever brings both has the
		// other from elsewhere, a neighbouring host say, or from long ago.
		if good {
			c.refuse(ctx, err)
			continue
		}
		s.resume(nothing)
		c.logger().DebugContext(ctx, "router: a session cookie is of no use: its reads go to the writer", "error", err)
	}
	return ctx, came
}

func (c *SessionCookie) refuse(ctx context.Context, err error) {
	c.refused.Add(1)
	c.logger().DebugContext(ctx, "router: a session cookie counts as none", "error", err)
}

var (
	errNotSealed = errors.New("router: no key opens it")
	errFlood     = fmt.Errorf("router: the request has more than %d of them", maxCookies)
)

// open returns what a cookie says. Beside an error of its token it returns that nothing is known.
func (c *SessionCookie) open(value string) (token, error) {
	if c.seals == nil {
		return decodeToken(value, time.Now())
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(value) > maxToken {
		return token{}, errNotSealed
	}
	plain, err := c.seals.Open(b, []byte(c.name()))
	if err != nil {
		return token{}, errNotSealed
	}
	return decodeTokenBytes(plain, time.Now())
}

// write returns a cookie's value.
func (c *SessionCookie) write(t *token) string {
	if c.seals == nil {
		return t.encode()
	}
	return base64.RawURLEncoding.EncodeToString(c.seals.Seal(nil, t.bytes(seal.Overhead), []byte(c.name())))
}

// set adds the session's cookie to a response, in the place of those that came.
func (c *SessionCookie) set(header http.Header, req *http.Request, t *token, came arrived) {
	add := func(name, value string, maxAge int) {
		cookie := http.Cookie{
			Name: name, Value: value, Domain: c.Domain, Path: c.path(), MaxAge: maxAge,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.Secure || req.TLS != nil,
		}
		header.Add("Set-Cookie", cookie.String())
	}
	for _, name := range came.removed() {
		add(name, "", -1)
	}
	add(c.name()+"."+rand.Text()[:cookieSuffix], c.write(t), int(tokenLife/time.Second))
	keepPrivate(header)
}

// keepPrivate has no cache but the client's own keep a response.
func keepPrivate(header http.Header) {
	const field = "Cache-Control"
	var directives []string
	private := false
	for _, line := range header.Values(field) {
		for directive := range directivesOf(line) {
			name, value, _ := strings.Cut(strings.ToLower(directive), "=")
			switch name = strings.TrimSpace(name); {
			case name == "public", name == "s-maxage", name == "":
				continue
			case name == "no-store", name == "private" && value == "":
				private = true
			}
			directives = append(directives, directive)
		}
	}
	if !private {
		directives = append([]string{"private"}, directives...)
	}
	header.Set(field, strings.Join(directives, ", "))
}

// directivesOf cuts a list at the commas that are not within quotes.
func directivesOf(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, begin := false, 0
		for i := 0; i < len(list); i++ {
			switch c := list[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted:
				if !yield(strings.TrimSpace(list[begin:i])) {
					return
				}
				begin = i + 1
			}
		}
		yield(strings.TrimSpace(list[begin:]))
	}
}
