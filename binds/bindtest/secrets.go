package bindtest

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"}

// A password appears nowhere: in no printed value, no JSON, no error.
func (s *suite) secrets(t *testing.T) {
	t.Run("values", s.secretValues)
	t.Run("malformed URIs", s.secretMalformed)
	t.Run("a refused login", s.secretLogin)
	t.Run("errors of statements", func(t *testing.T) {
		w := s.writer(t)
		s.assertNoSecret(t, second(w.DB().ExecContext(ctx(t), "SELEC 1")))
		require.NoError(t, w.Close())
		s.assertNoSecret(t, w.Ping(ctx(t)))
	})
}

func (s *suite) secretValues(t *testing.T) {
	for _, uri := range append([]string{s.Writer, s.Dead, s.Login}, s.Readers...) {
		if uri == "" {
			continue
		}
		e := s.open(t, "bindtest/secret", uri)
		src, err := s.Driver.Open(ctx(t), uri)
		require.NoError(t, err)
		writes, reads := connectorOf(t, src, binds.Writer), connectorOf(t, src, binds.Reader)
		for what, v := range map[string]any{
			"the engine":              e,
			"a struct with an engine": struct{ E *binds.Engine }{e},
			"a slice of engines":      []any{e},
			"the pool":                e.DB(),
			"the pool's driver":       e.DB().Driver(),
			"the driver":              s.Driver,
			"the source":              src,
			"a struct with a source":  struct{ s binds.Source }{src},
			"the writer's connector":  writes,
			"the reader's connector":  reads,
		} {
			for _, verb := range verbs {
				s.assertHides(t, fmt.Sprintf(verb, v), what+" in "+verb)
			}
			if text, err := json.Marshal(v); err == nil {
				s.assertHides(t, string(text), what+" in JSON")
			} else {
				s.assertNoSecret(t, err)
			}
		}
	}
}

// connectorOf asks for a connector and closes it as an engine would.
func connectorOf(t *testing.T, src binds.Source, role binds.Role) driver.Connector {
	c := src.Connector(role)
	if closer, ok := c.(io.Closer); ok {
		t.Cleanup(func() { assert.NoError(t, closer.Close()) })
	}
	return c
}

// secretMalformed opens URIs with the mistakes that people make. They may be refused or not.
func (s *suite) secretMalformed(t *testing.T) {
	join := "?"
	if strings.Contains(s.Writer, "?") {
		join = "&"
	}
	for reason, uri := range map[string]string{
		"a bad escape at the end":    s.Writer + "%zz",
		"a bad escape in a value":    s.Writer + join + "x=%zz",
		"a fragment":                 s.Writer + "#x",
		"a blank":                    strings.Replace(s.Writer, "://", ":// ", 1),
		"one slash":                  strings.Replace(s.Writer, "://", ":/", 1),
		"no slash":                   strings.Replace(s.Writer, "://", ":", 1),
		"no scheme":                  strings.TrimPrefix(s.Writer, s.Writer[:strings.Index(s.Writer, ":")+1]),
		"two at signs":               strings.Replace(s.Writer, "@", "@@", 1),
		"a slash before the host":    strings.Replace(s.Writer, "@", "/@", 1),
		"a question before the host": strings.Replace(s.Writer, "@", "?@", 1),
		"a hash before the host":     strings.Replace(s.Writer, "@", "#@", 1),
		"a bad escape in the user":   strings.Replace(s.Writer, "@", "%@", 1),
		"a control character":        strings.Replace(s.Writer, "@", "\x01@", 1),
		"a bracket":                  strings.Replace(s.Writer, "@", "[@", 1),
		"a port that is no number":   strings.Replace(s.Writer, "@", ":port@", 1),
		"an unknown parameter":       s.Writer + join + "pasword=x",
		"a parameter twice":          s.Writer + join + "x=1&x=2",
	} {
		t.Run(reason, func(t *testing.T) {
			e, err := s.drivers.Open(ctx(t), "bindtest/malformed", uri)
			if err != nil {
				s.assertNoSecret(t, err)
				return
			}
			closed(t, e)
			c, cancel := context.WithCancel(ctx(t))
			cancel() // what opens by luck need not connect
			s.assertNoSecret(t, e.Ping(c))
		})
	}
}

func (s *suite) secretLogin(t *testing.T) {
	if s.Login == "" {
		return // an embedded database asks for no password
	}
	e := s.open(t, "bindtest/login", s.Login)
	err := e.Ping(ctx(t))
	s.assertConnectError(t, e, err)
}

func (s *suite) assertNoSecret(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, verb := range verbs {
		s.assertHides(t, fmt.Sprintf(verb, err), "the error in "+verb)
	}
	text, _ := json.Marshal(err) // what cannot be marshalled shows nothing
	s.assertHides(t, string(text), "the error in JSON")
}

// assertHides does not repeat the text where it fails.
func (s *suite) assertHides(t *testing.T, text, what string) {
	t.Helper()
	for i, secret := range s.Secrets {
		hex := fmt.Sprintf("%x", secret)
		if strings.Contains(text, secret) || strings.Contains(text, hex) {
			assert.Fail(t, "a password is shown", "secret %d, in %s", i, what)
		}
	}
}
