package manager_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/bindery-go/bindery/binds/pgbind"
	"github.com/bindery-go/bindery/manager"
)

// settingsOf reads a file of this text by "bind key".
func settingsOf(t *testing.T, text string) map[string]manager.Setting {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	list, err := manager.ReadSettings(path)
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprintf("%+v", list), "canary")
	found := make(map[string]manager.Setting)
	for _, s := range list {
		found[s.Bind.String()+" "+s.Key] = s
	}
	return found
}

func TestReadSettings(t *testing.T) {
	t.Setenv("SHOP_HOST", "db9")
	found := settingsOf(t, `lazy = true
[defaults]
max_lag = "5s"
pool = { max_open = 7 }
[binds]
audit = "sqlite:audit.db?journal_mode=wal"
[binds.shop]
writer = "postgres://app:canary%40pw@${SHOP_HOST}:5433/shop?sslmode=disable&options=canary"
readers = [
  "postgres://app@db2/shop?sslmode=disable&password=canary",
  { uri = "postgres://app:canary@[::1]:9/shop?sslmode=disable", weight = 3 },
]
max_lag = "off"
slow_query = "2s"
cursor_keys = ["Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5MDE="]
`)
	want := func(key string, value any, line int) {
		t.Helper()
		s, ok := found[key]
		require.True(t, ok, key)
		assert.Equal(t, value, s.Value, key)
		assert.Equal(t, line, s.Line, key)
	}
	want("shop writer", "postgres://app@db9:5433/shop?sslmode=disable&options=…", 8)
	assert.Equal(t, "${SHOP_HOST}", found["shop writer"].Variables)
	assert.Contains(t, found["shop writer"].Note, "with a password")
	want("shop readers.0.uri", "postgres://app@db2/shop?sslmode=disable&password=…", 10)
	assert.Contains(t, found["shop readers.0.uri"].Note, "with a password")
	want("shop readers.1.uri", "postgres://app@[::1]:9/shop?sslmode=disable", 11)
	want("shop readers.0.weight", 1, 0)
	want("shop readers.1.weight", 3, 11)
	want("shop max_lag", "off", 13)
	want("audit max_lag", "5s", 3)
	want("audit pool.max_open", 7, 4)
	want("audit pool.max_lifetime", "30m", 0)
	want("shop slow_query", "2s", 14)
	want("audit slow_query", nil, 0)
	want("audit lazy", true, 1)
	want("audit writer", "sqlite:audit.db?journal_mode=wal", 6)
	want("audit locks.max_waiting", 1000, 0)
	want("audit policy", "least_loaded", 0)
	want("shop cursor_keys", nil, 15)
	assert.Contains(t, found["shop cursor_keys"].Note, "1, which are not shown")

	lone := settingsOf(t, `uri = "sqlite:app.db"`)
	assert.Equal(t, 1, lone["default writer"].Line)
}

// A mistake is told as LoadConfig tells it.
func TestReadSettings_mistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(path, []byte("[binds.shop]\nwriter = \"sqlite:a.db\"\nmax_lagg = \"1s\"\n"), 0o600))
	_, err := manager.ReadSettings(path)
	var mistake *manager.ConfigError
	require.ErrorAs(t, err, &mistake)
	assert.Equal(t, 3, mistake.Line)
}

func ExampleReadSettings() {
	dir, err := os.MkdirTemp("", "bindery-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "config.toml")
	text := "[binds.shop]\nwriter = \"postgres://app:s3cret@db1/shop?sslmode=verify-full\"\nmax_lag = \"2s\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	settings, err := manager.ReadSettings(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range settings {
		switch s.Key {
		case "writer", "max_lag", "policy":
			fmt.Println(s.Bind, s.Key, s.Value, s.Line)
		}
	}
	// Output:
	// shop writer postgres://app@db1/shop?sslmode=verify-full 2
	// shop policy least_loaded 0
	// shop max_lag 2s 3
}
