package manager

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/models"
)

var (
	cursorKeyA = base64.StdEncoding.EncodeToString([]byte("a key of 32 bytes for the tests."))
	cursorKeyB = base64.StdEncoding.EncodeToString([]byte("another one of 32 bytes, as long"))
)

// TestCursorKeys reads keys from a list, from variables and from a file, for all binds and for one.
func TestCursorKeys(t *testing.T) {
	t.Setenv("BINDERY_TEST_KEY", cursorKeyB+"\n")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cursor.keys"), []byte("# the newest first\n"+cursorKeyA+"\r\n\n "+cursorKeyB+" \n"), 0o600))
	file := filepath.Join(dir, "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(`
[defaults]
cursor_keys_file = "cursor.keys"
[binds]
all = "postgres://x"
[binds.own]
uri = "postgres://x"
cursor_keys = ["${BINDERY_TEST_KEY}"]
[binds.file]
uri = "postgres://x"
cursor_keys_file = "`+filepath.ToSlash(filepath.Join(dir, "cursor.keys"))+`"
`), 0o600))
	cfg, err := loadConfig(t.Context(), file, nullDrivers())
	require.NoError(t, err)
	assert.Len(t, cfg.Binds[0].CursorKeys, 2)
	assert.Len(t, cfg.Binds[1].CursorKeys, 1)
	assert.Len(t, cfg.Binds[2].CursorKeys, 2)

	for text, want := range map[string]string{
		"":                                    "has no key: write one to a line",
		cursorKeyA + "\n#\n" + cursorKeyA:     "cursor.keys has the same key in lines 1 and 3: take one of them out",
		"# nothing\n":                         "has no key",
		cursorKeyA + "\n" + "s3cret":          "cursor.keys, line 2: a cursor key is 32 random bytes",
		strings.Repeat(cursorKeyA+"\n", 17):   "has 17 keys: at most 16",
		strings.Repeat("#\n", maxKeyFile/2+1): "is no file of keys",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cursor.keys"), []byte(text), 0o600))
		_, err := loadConfig(t.Context(), file, nullDrivers())
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "config.toml:3: defaults.cursor_keys_file: ")
		require.NotContains(t, err.Error(), "s3cret")
		require.NotContains(t, err.Error(), cursorKeyA[:8])
	}
}

// TestCursorKeysOfNew refuses keys that are none before anything is opened.
func TestCursorKeysOfNew(t *testing.T) {
	cfg := &Config{Binds: []BindConfig{{Key: "a", Writer: binds.NewURI("postgres://x"), CursorKeys: make([]models.CursorKey, 1)}}}
	_, err := New(t.Context(), cfg, WithDrivers(nullDrivers()))
	require.EqualError(t, err, "manager: config: binds.a.cursor_keys: a zero models.CursorKey: make it with models.NewCursorKey")
}

// TestCursorKeysTwice refuses a key that is given twice, in the configuration and in code.
func TestCursorKeysTwice(t *testing.T) {
	key, err := models.ParseCursorKey(cursorKeyA)
	require.NoError(t, err)
	cfg := &Config{Binds: []BindConfig{{Key: "a", Writer: binds.NewURI("postgres://x"), CursorKeys: []models.CursorKey{key, key}}}}
	_, err = New(t.Context(), cfg, WithDrivers(nullDrivers()))
	require.EqualError(t, err, "manager: config: binds.a.cursor_keys: keys 1 and 2 are the same: take one of them out")

	file := filepath.Join(t.TempDir(), "config.toml")
	text := "[binds.a]\nuri = \"postgres://x\"\ncursor_keys = ['" + strings.Join([]string{cursorKeyA, cursorKeyB, cursorKeyA}, "', '") + "']\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	_, err = loadConfig(t.Context(), file, nullDrivers())
	require.ErrorContains(t, err, "binds.a.cursor_keys: keys 1 and 3 are the same")
	require.NotContains(t, err.Error(), cursorKeyA[:8])
}

// TestSecretFilesEmpty refuses an empty name of a file, which would have the bind go without.
func TestSecretFilesEmpty(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.toml")
	for _, name := range []string{"cursor_keys_file", "password_file"} {
		for _, section := range []string{"[binds.a]\nuri = 'postgres://app@x'\n", "[binds]\na = 'postgres://app@x'\n[defaults]\n"} {
			if name == "password_file" && strings.Contains(section, "defaults") {
				continue // each bind has its own
			}
			require.NoError(t, os.WriteFile(file, []byte(section+name+" = ''\n"), 0o600))
			_, err := loadConfig(t.Context(), file, nullDrivers())
			require.ErrorContains(t, err, name+": must be the name of a file: leave it out to have none")
		}
	}
}
