package integration_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/binds/pgbind"
	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/manager"
)

// openLazily opens a configuration whose servers are not there, and returns what was logged, by engine.
func openLazily(t *testing.T, mode os.FileMode, text string) (*manager.DBManager, map[string][]string) {
	t.Helper()
	var drivers binds.Drivers
	drivers.Register(pgbind.Driver{}, "postgres")
	drivers.Register(mysqlbind.Driver{}, "mysql")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pw"), []byte("hunter2\n"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(dir, "pw"), mode))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keys"), []byte("a2V5LWZvci10ZXN0cy1vZi1jdXJzb3JzLTMyYnl0ZXM=\n"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(dir, "keys"), mode))
	file := filepath.Join(dir, "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.NoError(t, os.Chmod(file, mode))
	var log testlog.Buffer
	m, err := manager.Open(t.Context(), file, manager.WithDrivers(&drivers), manager.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	assert.NotContains(t, log.String(), "hunter2")
	told := map[string][]string{}
	for line := range strings.Lines(log.String()) {
		var l struct{ Msg, Engine, Reason string }
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		if l.Msg == "engine is opened unsafely" {
			told[l.Engine] = append(told[l.Engine], l.Reason)
		}
	}
	return m, told
}

// TestUnsafe tells of servers that nothing proves: in the log, once for each, and in Check's report.
func TestUnsafe(t *testing.T) {
	m, told := openLazily(t, 0o600, `
[defaults]
lazy = true
[binds.a]
writer = "postgres://app:hunter2@db1:1/a?hostaddr=127.0.0.1"
readers = ["postgres://app@db1:1/a?hostaddr=127.0.0.1&sslmode=verify-full", "postgres://app@db1:1/a?hostaddr=127.0.0.1"]
[binds.b]
writer = "mysql://app@192.0.2.1:1/b?connect_timeout=50ms"
[binds.c]
writer = "mysql://app@127.0.0.1:1/c"
`)
	require.Len(t, told, 3, "%v", told)
	for engine, want := range map[string]string{"a/writer": "give sslmode=verify-full", "a/reader-2": "give sslmode=verify-full", "b/writer": "give ssl-mode=VERIFY_IDENTITY"} {
		require.Len(t, told[engine], 1, engine)
		assert.Contains(t, told[engine][0], want)
		assert.NotContains(t, told[engine][0], "db1")
	}
	r := m.Check(t.Context())
	for _, e := range r.Binds[0].Engines {
		assert.Equal(t, told[e.Engine], e.Warnings, e.Engine)
	}
	assert.Contains(t, r.String(), "warning: the URI names no sslmode")
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"warnings":["the URI names no sslmode`)
}

// TestUnsafe_files tells of passwords that others can read.
func TestUnsafe_files(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing there")
	}
	t.Setenv("BINDERY_TEST_SECRET", "hunter2")
	t.Setenv("BINDERY_TEST_KEY", "a2V5LWZvci10ZXN0cy1vZi1jdXJzb3JzLTMyYnl0ZXM=")
	const text = `
[defaults]
lazy = true
[binds.written]
writer = "postgres://app@127.0.0.1:1/a"
readers = ["postgres://app:hunter2@127.0.0.1:1/a"]
[binds.parameter]
writer = "postgres://app@127.0.0.1:1/a?password=hunter2"
[binds.variable]
writer = "postgres://app:${BINDERY_TEST_SECRET}@127.0.0.1:1/a"
[binds.file]
writer = "postgres://app@127.0.0.1:1/a"
password_file = "pw"
[binds.key]
writer = "postgres://app@127.0.0.1:1/a"
cursor_keys = ["a2V5LWZvci10ZXN0cy1vZi1jdXJzb3JzLTMyYnl0ZXM="]
[binds.keys]
writer = "postgres://app@127.0.0.1:1/a"
cursor_keys_file = "keys"
[binds.none]
writer = "postgres://app@127.0.0.1:1/a"
cursor_keys = ["${BINDERY_TEST_KEY}"]
`
	_, told := openLazily(t, 0o600, text)
	assert.Empty(t, told)
	m, told := openLazily(t, 0o644, text)
	require.Len(t, told, 5, "%v", told)
	for engine, want := range map[string]string{"written/writer": "a password stands in the configuration", "parameter/writer": "a password stands in the configuration", "file/writer": "can read password_file",
		"key/writer": "cursor_keys stand in the configuration", "keys/writer": "can read cursor_keys_file"} {
		require.Len(t, told[engine], 1, engine)
		assert.Contains(t, told[engine][0], want)
		assert.Contains(t, told[engine][0], "chmod 600")
	}
	assert.Equal(t, told["file/writer"], m.Check(t.Context()).Binds[3].Engines[0].Warnings)
}
