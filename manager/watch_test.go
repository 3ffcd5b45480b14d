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

// What could not be taken is tried again though the file stays as it is: what was missing elsewhere may be there by then.
func TestWatchTriesAgain(t *testing.T) {
	const before = "[binds.shop]\nwriter = 'sqlite::memory:'\n"
	dir := filepath.Join(t.TempDir(), "to come")
	after := before + "[binds.audit]\nwriter = 'sqlite://" + filepath.ToSlash(dir) + "/audit.db'\n"
	file := writeConfig(t, before)
	var log testlog.Buffer
	m, err := Open(t.Context(), file, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	w := &fileWatch{m: m, taken: sha256.Sum256([]byte(before))}
	tries := 0
	looks := func(n int) {
		for range n {
			was := w.again
			w.look()
			if w.again > was {
				tries++
			}
		}
	}
	require.NoError(t, os.WriteFile(file, []byte(after), 0o600))
	looks(2)
	assert.Equal(t, 1, tries)
	looks(2 + 4 + 8 - 1)
	assert.Equal(t, 3, tries, "after 2, 4 and 8 looks")
	looks(1)
	assert.Equal(t, 4, tries)
	assert.Equal(t, 1, strings.Count(log.String(), "configuration not taken"), "the same is told once")
	looks(1000)
	assert.Equal(t, lastPause, w.pause)
	assert.Len(t, m.Binds(), 1)
	require.NoError(t, os.Mkdir(dir, 0o700))
	looks(lastPause)
	assert.Len(t, m.Binds(), 2)
	assert.Zero(t, w.again)
	looks(lastPause)
	assert.Equal(t, 1, strings.Count(log.String(), "configuration read again"))
}
