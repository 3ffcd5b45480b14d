package integration_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bindery-go/bindery/integration"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPasswords_areNeverPrinted(t *testing.T) {
	onEach(t, func(t *testing.T, sys system) {
		c, password, option := sys.odd.get(t), oddPassword, integration.WithPassword(oddPassword)
		admin, err := url.Parse(c.Primary.AdminURI())
		require.NoError(t, err)
		adminPassword, _ := admin.User.Password()
		require.NotEmpty(t, adminPassword)

		failed := c.Primary.Exec(t.Context(), "SELECT nonsense FROM nowhere")
		require.Error(t, failed)
		for _, value := range []any{c, c.Primary, option, failed, []any{c.Replicas, c.Primary}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				noneIn(t, fmt.Sprintf(verb, value), password, adminPassword)
			}
		}
		for _, value := range []any{c, c.Primary} {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			noneIn(t, string(text), password, adminPassword)
		}
		noneIn(t, c.Primary.Log(), password, adminPassword)
		logs := 0
		require.NoError(t, filepath.WalkDir(filepath.Dir(c.Primary.SocketDir()), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && (entry.Name() == "log" || strings.HasPrefix(entry.Name(), "output-") || strings.HasSuffix(entry.Name(), ".sql")) {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				noneIn(t, string(text), password, "h0stile", adminPassword)
				logs++
			}
			return err
		}))
		assert.Equal(t, 3, logs, "one for each server, and nothing else")
	})
}

func noneIn(t *testing.T, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		assert.NotContains(t, text, secret)
		assert.NotContains(t, text, url.QueryEscape(secret))
		assert.NotContains(t, text, fmt.Sprintf("%x", secret))
	}
}
