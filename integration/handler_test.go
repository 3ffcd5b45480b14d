package integration_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
)

// What cannot be reached is shown with its address, and without its password, however a driver words its errors.
func TestHandlerShowsNoPassword(t *testing.T) {
	const password = "hunter2canary"
	var cfg manager.Config
	for key, uri := range map[binds.Key]string{
		"pg": "postgres://app:" + password + "@127.0.0.1:1/shop?sslmode=disable", "mysql": "mysql://app:" + password + "@127.0.0.1:1/shop?ssl-mode=DISABLED",
	} {
		cfg.Binds = append(cfg.Binds, manager.BindConfig{Key: key, Writer: binds.NewURI(uri), Lazy: true})
	}
	m, err := manager.New(t.Context(), &cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	h := m.Handler()
	for _, path := range []string{"/", "/ready", "/status.json"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		text, err := url.PathUnescape(w.Body.String())
		if err != nil {
			text = w.Body.String()
		}
		assert.NotContains(t, text, password, path)
		if path == "/status.json" {
			assert.Contains(t, text, "127.0.0.1:1", "an operator sees where")
		}
	}
}
