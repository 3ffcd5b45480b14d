package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The two programs that the search looks for may be there without what they run.
func TestInstallServers_namesWhatAServerLacks(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // if we are root, the script tries as another user
	for name, text := range map[string]string{
		"mariadbd":           "exit 0",
		"mariadb-install-db": "echo 'FATAL ERROR: Could not find /usr/bin/my_print_defaults'; exit 1",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	}
	t.Setenv("BINDERY_MARIADB_BIN", dir)
	said, err := exec.Command("../scripts/install-servers.sh", "--check").CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Contains(t, string(said), dir+"/mariadbd does not work: mariadb-install-db needs my_print_defaults, which is missing")
}
