package integration_test

import (
	"bufio"
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

// A run that is killed in the midst of the installation has moved the machine's policy-rc.d. The next run puts it back, whatever
// becomes of that.
func TestInstallServers_killed(t *testing.T) {
	bin, root, none := t.TempDir(), t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"apt-get":   `case "$*" in *install*) [ -e ` + root + `/killed ] || { touch ` + root + `/killed; kill -9 $PPID; };; esac; exit 1`,
		"apt-cache": `case "$1" in policy) echo "  Candidate: 1";; *) echo "postgresql-17 - x";; esac`,
		"sudo":      `[ "$1" != -n ] || shift; exec "$@"`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	}
	policy := filepath.Join(root, "usr/sbin/policy-rc.d")
	for _, dir := range []string{"usr/sbin", "etc", "var/lib"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	const own = "#!/bin/sh\n# the machine's own\nexit 0\n"
	require.NoError(t, os.WriteFile(policy, []byte(own), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("BINDERY_INSTALL_ROOT", root)
	t.Setenv("BINDERY_PG_BIN", none)
	t.Setenv("BINDERY_MARIADB_BIN", none)
	said, err := exec.Command("../scripts/install-servers.sh").CombinedOutput()
	require.Error(t, err)
	text, err := os.ReadFile(policy)
	require.NoError(t, err)
	require.NotEqual(t, own, string(text), "it was killed while the policy was moved: %s", said)

	said, err = exec.Command("../scripts/install-servers.sh").CombinedOutput()
	require.Error(t, err, "apt-get fails")
	assert.Contains(t, string(said), "putting back what it had moved")
	text, err = os.ReadFile(policy)
	require.NoError(t, err)
	assert.Equal(t, own, string(text))
	info, err := os.Stat(policy)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for _, left := range []string{"usr/sbin/policy-rc.d.before-bindery", "etc/postgresql-common", "var/lib/bindery-install-servers"} {
		assert.NoFileExists(t, filepath.Join(root, left))
		assert.NoDirExists(t, filepath.Join(root, left))
	}
}

// A second run waits for one that is under way, and takes nothing of it for what a killed one left.
func TestInstallServers_together(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skipf("not run: %v: without it the script lets two run at a time", err)
	}
	bin, root, none := t.TempDir(), t.TempDir(), t.TempDir()
	began, end := filepath.Join(root, "began"), filepath.Join(root, "end")
	require.NoError(t, exec.Command("mkfifo", began, end).Run())
	for name, text := range map[string]string{
		"apt-get":   `case "$*" in *install*) [ -e ` + root + `/once ] || { touch ` + root + `/once; echo >` + began + `; read x <` + end + `; };; esac; exit 1`,
		"apt-cache": `case "$1" in policy) echo "  Candidate: 1";; *) echo "postgresql-17 - x";; esac`,
		"sudo":      `[ "$1" != -n ] || shift; exec "$@"`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	}
	for _, dir := range []string{"usr/sbin", "etc", "var/lib"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	policy := filepath.Join(root, "usr/sbin/policy-rc.d")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("BINDERY_INSTALL_ROOT", root)
	t.Setenv("BINDERY_PG_BIN", none)
	t.Setenv("BINDERY_MARIADB_BIN", none)
	first := exec.CommandContext(t.Context(), "../scripts/install-servers.sh")
	require.NoError(t, first.Start())
	_, err := os.ReadFile(began)
	require.NoError(t, err)

	second := exec.CommandContext(t.Context(), "../scripts/install-servers.sh")
	out, err := second.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, second.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	assert.Contains(t, lines.Text(), "another run is under way")
	assert.FileExists(t, policy, "the first run's still")
	require.NoError(t, os.WriteFile(end, []byte("go\n"), 0))
	require.Error(t, first.Wait(), "apt-get fails")
	for lines.Scan() {
		assert.NotContains(t, lines.Text(), "was killed")
	}
	require.Error(t, second.Wait())
	assert.NoFileExists(t, policy)
	assert.NoDirExists(t, filepath.Join(root, "var/lib/bindery-install-servers"))
}
