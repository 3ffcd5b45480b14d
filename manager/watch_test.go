package manager

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/internal/testlog"
)

// Half a file may be without mistakes: its binds that are still to come must not be removed meanwhile.
func TestWatchTakesNoFileHalfWritten(t *testing.T) {
	const half = "[binds.shop]\nwriter = 'postgres://db1'\nlazy = true\n"
	const whole = half + "[binds.audit]\nwriter = 'postgres://db2'\nlazy = true\n"
	file := writeConfig(t, whole)
	var log testlog.Buffer
	m, err := Open(t.Context(), file, WithDrivers(nullDrivers()), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	w := &fileWatch{m: m, taken: sha256.Sum256([]byte(whole))}
	says := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	looks := func(binds int) {
		t.Helper()
		w.look()
		assert.Len(t, m.Binds(), binds)
	}
	looks(2)
	says("")
	looks(2)
	says(half)
	looks(2)
	says(whole + "# a comment\n")
	looks(2)
	assert.NotContains(t, log.String(), "configuration read again")
	looks(2)
	assert.Contains(t, log.String(), "configuration read again")
	says(half)
	looks(2)
	looks(1)

	// As a directory that Kubernetes mounts: the file is a link by a link, which is put in the place of another.
	require.NoError(t, os.Remove(file))
	looks(1)
	assert.NotContains(t, log.String(), "cannot be read")
	looks(1)
	looks(1)
	assert.Equal(t, 1, strings.Count(log.String(), "configuration cannot be read: everything stays as it is"))
	dir := filepath.Dir(file)
	mount := func(name, text string) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "config"), []byte(text), 0o600))
		require.NoError(t, os.Symlink(name, filepath.Join(dir, "..data.new")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data.new"), filepath.Join(dir, "..data")))
	}
	mount("..1", half)
	require.NoError(t, os.Symlink(filepath.Join("..data", "config"), file))
	looks(1)
	mount("..2", whole)
	looks(1)
	looks(2)
}
