//go:build unix

package manager

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSecretFilesRegular names files whose opening would wait for ever.
func TestSecretFilesRegular(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	require.NoError(t, os.Symlink("pipe", filepath.Join(dir, "link")))
	file := filepath.Join(dir, "config.toml")
	for _, name := range []string{"pipe", "link", "."} {
		for _, key := range []string{"cursor_keys_file", "password_file"} {
			require.NoError(t, os.WriteFile(file, []byte("[binds.a]\nuri = 'postgres://app@x'\n"+key+" = '"+name+"'\n"), 0o600))
			done := make(chan error, 1)
			go func() {
				_, err := loadConfig(t.Context(), file, nullDrivers())
				done <- err
			}()
			select {
			case err := <-done:
				require.ErrorContains(t, err, "binds.a."+key+": ")
				require.ErrorContains(t, err, "is not a regular file")
			case <-time.After(10 * time.Second):
				require.Fail(t, "the call hangs", "%s = %s", key, name)
			}
		}
	}
}
