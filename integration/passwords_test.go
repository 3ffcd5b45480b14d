package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// secret is in every password below; nothing may show it.
const secret = "hunter2"

// hostilePasswords are put into URIs as they are, as a user who forgot to escape them would.
var hostilePasswords = map[string]string{
	"harmless":             secret,
	"at sign":              "p@" + secret,
	"at sign at the end":   secret + "@",
	"colon":                "p:" + secret,
	"slash":                "p/" + secret,
	"slash after a number": "12/" + secret,
	"question mark":        "p?" + secret,
	"as a parameter":       "p?password=" + secret,
	"hash":                 "p#" + secret,
	"percent":              "p%" + secret,
	"percent escape":       "p%zz" + secret,
	"percent at the end":   secret + "%",
	"ampersand":            "p&" + secret + "=1",
	"blank":                "p " + secret,
	"newline":              "p\n" + secret,
	"quote":                `p"` + secret,
	"bracket":              "p[" + secret,
	"backslash":            `p\` + secret,
	"everything":           `@:/?#[]%&=+ ` + secret,
	"not ASCII":            "pä" + secret + "€",
	"NUL":                  "p\x00" + secret,
}

// uriForms are the ways in which a URI can hold a password, well or badly.
var uriForms = map[string]string{
	"user info":            "%s://app:%s@127.0.0.1:1/app",
	"a malformed port":     "%s://app@127.0.0.1:%s/app",
	"a port and user info": "%s://app:%s@127.0.0.1:port/app",
	"a parameter":          "%s://app@127.0.0.1:1/app?password=%s",
	"an unknown parameter": "%s://app@127.0.0.1:1/app?passwrd=%s",
	"opaque":               "%s:app:%s@127.0.0.1/app",
	"a driver's DSN":       "app%.0[1]s:%[2]s@tcp(127.0.0.1:1)/app",
	"the host":             "%s://%s",
	"an IPv6 host":         "%s://app:%s@[::1]:1/app",
	"the path":             "%s://127.0.0.1:1/%s",
	"the scheme":           "%s-%s://127.0.0.1",
}

// TestPasswordsShowNowhere takes every hostile URI through parse, open, ping and check, and looks
// into every error, log line and printed value on the way.
func TestPasswordsShowNowhere(t *testing.T) {
	t.Chdir(t.TempDir()) // a SQLite URI among them may name a file here
	parsed, opened := 0, 0
	walked := make(map[string]bool) // a password may need no escape
	for _, scheme := range []string{"postgres", "mariadb", "sqlite", "nosuchdb"} {
		for form, text := range uriForms {
			for reason, password := range hostilePasswords {
				for how, pw := range map[string]string{"raw": password, "escaped": url.PathEscape(password), "query-escaped": url.QueryEscape(password)} {
					uri := fmt.Sprintf(text, scheme, pw)
					if walked[uri] {
						continue
					}
					walked[uri] = true
					shown := new(shownText)
					if walk(t, uri, shown) {
						opened++
					}
					parsed++
					// A host, a path or a scheme that the user asks for by that name is no password, and
					// what follows "sqlite:" is a file's name.
					if form == "the host" || form == "the path" || form == "the scheme" || scheme == "sqlite" && form == "opaque" {
						continue
					}
					require.Empty(t, shown.secrets, strings.Join([]string{scheme, form, reason, how}, ", "))
				}
			}
		}
	}
	t.Logf("%d URIs, %d of them well-formed and taken through ping and check", parsed, opened)
	require.Greater(t, opened, 100)
}

// shownText takes all that is shown, a whole text at a time, and looks for the secret in each. It is safe for concurrent use.
type shownText struct {
	keeps bool // all texts, not only those with the secret

	mu      sync.Mutex // guards the rest
	secrets []string
	all     strings.Builder
}

func (s *shownText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Contains(p, []byte(secret)) {
		s.secrets = append(s.secrets, string(p))
	}
	if s.keeps {
		_, _ = s.all.Write(p) // it never fails
	}
	return len(p), nil
}

// walk writes everything that a URI makes the library show to out, and reports whether it is one that can be opened.
func walk(t *testing.T, uri string, out *shownText) (opened bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := manager.WithLogger(slog.New(slog.NewJSONHandler(out, nil)))
	show := func(values ...any) {
		for _, v := range values {
			_, _ = fmt.Fprintf(out, "%v\n%+v\n%#v\n%s\n%q\n", v, v, v, v, v)
			if b, err := json.Marshal(v); err == nil {
				_, _ = out.Write(b)
			}
			slog.New(slog.NewTextHandler(out, nil)).Info("value", "v", v)
		}
	}
	file := filepath.Join(t.TempDir(), "config.toml")
	toml := fmt.Sprintf("[binds.shop]\nwriter = %s\nreaders = [%[1]s]\n", tomlString(uri))
	require.NoError(t, os.WriteFile(file, []byte(toml), 0o600))
	_, err := manager.LoadConfig(file)
	show(err)
	e, err := binds.Open(ctx, "shop/writer", uri)
	show(err)
	if err == nil {
		show(e, struct{ e *binds.Engine }{e})
		require.NoError(t, e.Close())
	}

	cfg := &manager.Config{Binds: []manager.BindConfig{{
		Key: "shop", Writer: binds.NewURI(uri), Readers: []manager.ReaderConfig{{URI: binds.NewURI(uri)}}, Lazy: true,
	}}}
	show(cfg, *cfg, struct{ c manager.Config }{*cfg})
	m, err := manager.New(ctx, cfg, log)
	show(err)
	if err != nil {
		return false
	}
	defer func() { _ = m.Close() }()
	b, err := m.Bind(shop{})
	require.NoError(t, err)
	show(m, b.WriterEngine(), b, b.ReaderEngines(), b.DB(), b.WriterEngine().DB(), b.WriterEngine().Connector(),
		struct{ m *manager.DBManager }{m}, b.DB().Driver())
	report := m.Check(ctx)
	show(report, *report, report.Err())
	// A statement waits for a writer that cannot be reached as long as its caller does: not long.
	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	show(m.NewRaw(shop{}, "SELECT 1").Scan(short, new(int)))
	_, err = m.NewRaw(shop{}, "UPDATE x SET y = 1").Exec(short)
	show(err)
	show(b.Reader().RunInTx(short, nil, func(context.Context, bun.Tx) error { return nil }))
	cfg.Binds[0].Lazy = false
	_, err = manager.New(ctx, cfg, log)
	show(err)
	return true
}

func tomlString(s string) string {
	b, err := json.Marshal(s) // TOML's basic strings escape as JSON's do
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestRefusedLoginShowsNoPassword logs in with a wrong password that the server gets to see.
func TestRefusedLoginShowsNoPassword(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			u, err := url.Parse(c.Primary.URI())
			require.NoError(t, err)
			u.User = url.UserPassword("app", secret)
			got := &shownText{keeps: true}
			require.True(t, walk(t, u.String(), got))
			assert.Empty(t, got.secrets)
			assert.Contains(t, got.all.String(), `connect \"shop/writer\"`)
			assert.Regexp(t, "password|denied", got.all.String(), "the server's own words come through")
		})
	}
}
