package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bindery-go/bindery/integration"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMissingServer_saysHowToInstallIt(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("BINDERY_PG_BIN", empty)
	t.Setenv("BINDERY_MARIADB_BIN", empty)
	t.Setenv("BINDERY_MYSQL_BIN", empty)

	_, err := integration.NewPostgres(t.Context(), 0)
	var missing *integration.MissingServerError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, []string{empty}, missing.Searched)
	assert.ErrorContains(t, err, `install it with "make deps, or: apt-get install postgresql"`)
	assert.ErrorContains(t, err, "BINDERY_PG_BIN")

	_, err = integration.NewMariaDB(t.Context(), 0)
	require.ErrorAs(t, err, &missing)
	assert.ErrorContains(t, err, `install it with "make deps, or: apt-get install mariadb-server-core mariadb-client-core"`)

	_, err = integration.NewMySQL(t.Context(), 0)
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "MySQL", missing.Server)
	assert.ErrorContains(t, err, `install it with "scripts/servers.sh mysql-9.7", or set BINDERY_MYSQL_BIN`)
	_, err = integration.NewGroup(t.Context())
	assert.ErrorAs(t, err, &missing)

	for _, start := range []func(testing.TB, int, ...integration.Option) *integration.Cluster{
		integration.StartPostgres, integration.StartMariaDB, integration.StartMySQL,
	} {
		spy := &failing{TB: t}
		func() {
			defer func() { assert.Equal(t, errStopped, recover()) }()
			start(spy, 1)
		}()
		assert.Contains(t, spy.message, "install it with")
	}
}

// failing is a test that keeps why it failed.
type failing struct {
	testing.TB
	message string
}

const errStopped = "the test has stopped"

func (f *failing) Fatal(args ...any) {
	f.message = args[0].(error).Error()
	panic(errStopped) // as runtime.Goexit does, it does not return
}

// Both searches must agree: what the script leaves alone, the package finds.
func TestSearch_isTheScripts(t *testing.T) {
	initdb := installed(t, "initdb", "/usr/lib/postgresql/*/bin")
	link := t.TempDir()
	require.NoError(t, os.Symlink(initdb, filepath.Join(link, "initdb")))
	notExecutable := t.TempDir()
	for _, name := range []string{"initdb", "postgres"} {
		require.NoError(t, os.WriteFile(filepath.Join(notExecutable, name), nil, 0o644))
	}
	for reason, test := range map[string]struct {
		directories string
		found       bool
	}{
		"the usual places":            {"", true},
		"a lone link to initdb":       {link, true},
		"the second of two":           {t.TempDir() + ":" + filepath.Dir(initdb), true},
		"an empty directory":          {t.TempDir(), false},
		"files that are not programs": {notExecutable, false},
		"no directory":                {"/nonexistent", false},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Setenv("BINDERY_PG_BIN", test.directories)
			script := exec.Command("../scripts/install-servers.sh", "--check").Run()
			_, err := integration.NewPostgres(t.Context(), -1, integration.WithPassword("")) // found, then refused
			var missing *integration.MissingServerError
			if test.found {
				assert.NoError(t, script)
				assert.NotErrorAs(t, err, &missing)
			} else {
				assert.Error(t, script)
				assert.ErrorAs(t, err, &missing)
			}
		})
	}
}

// installed returns the real path of a program in PATH or in a place that the pattern names.
func installed(t *testing.T, program, pattern string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		found, err := filepath.Glob(filepath.Join(pattern, program))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		path = found[len(found)-1]
	}
	path, err = filepath.EvalSymlinks(path)
	require.NoError(t, err)
	return path
}

// MariaDB installs a link named mysqld to its own server, which is no MySQL.
func TestMySQL_isNotMariaDB(t *testing.T) {
	dir := t.TempDir()
	maria := filepath.Join(dir, "mariadbd")
	require.NoError(t, os.WriteFile(maria, []byte("#!/bin/sh\n"), 0o700))
	require.NoError(t, os.Symlink(maria, filepath.Join(dir, "mysqld")))
	t.Setenv("BINDERY_MYSQL_BIN", dir)
	_, err := integration.NewMySQL(t.Context(), 0)
	assert.ErrorAs(t, err, new(*integration.MissingServerError))
}

// Galera is the library beside MariaDB's server, or that of the setting.
func TestGalera_isFoundBySetting(t *testing.T) {
	t.Setenv("BINDERY_GALERA", filepath.Join(t.TempDir(), "libgalera_smm.so"))
	_, err := integration.NewGalera(t.Context())
	var missing *integration.MissingServerError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "Galera", missing.Server)
	assert.ErrorContains(t, err, "BINDERY_GALERA")
}
