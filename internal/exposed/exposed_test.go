//go:build unix

package exposed

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFile(t *testing.T) {
	root := os.Getuid() == 0
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for mode, want := range map[os.FileMode]bool{
		0o600: false, 0o400: false, 0o700: false, 0o640: !root, 0o440: !root, 0o660: true, 0o650: true, 0o644: true, 0o604: true, 0o606: true, 0o777: true,
	} {
		require.NoError(t, os.Chmod(file, mode))
		assert.Equal(t, want, File(file), "%o", mode)
	}
	if root {
		require.NoError(t, os.Chown(file, 65534, 65534))
		require.NoError(t, os.Chmod(file, 0o640))
		assert.True(t, File(file), "another's")
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(file, link))
	assert.True(t, File(link) == File(file), "a link is as the file")
	assert.False(t, File(file+"-none"))
}
