//go:build unix

package sqlitebind_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// TestFileMode creates files for their owner alone, or as the URI says, with all that SQLite and named locks put beside them; and
// leaves the modes of those that exist.
func TestFileMode(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	for reason, row := range map[string]struct {
		params string
		exists fs.FileMode // 0: it does not
		want   fs.FileMode
	}{
		"by default":         {"", 0, 0o600},
		"a rollback journal": {"?journal_mode=persist", 0, 0o600},
		"past the umask":     {"?file_mode=0660", 0, 0o660},
		"a group that reads": {"?file_mode=640", 0, 0o640},
		"it exists":          {"", 0o644, 0o644},
		"it exists, a mode":  {"?file_mode=0600", 0o664, 0o664},
		"in a new directory": {"?create_dir=1", 0, 0o600},
	} {
		for _, role := range []binds.Role{binds.Writer, binds.Reader} {
			t.Run(reason+", by a "+role.String(), func(t *testing.T) {
				dir := t.TempDir()
				if reason == "in a new directory" {
					dir = filepath.Join(dir, "new")
				}
				file := filepath.Join(dir, "app.db")
				if row.exists != 0 {
					require.NoError(t, os.WriteFile(file, nil, 0o600))
					require.NoError(t, os.Chmod(file, row.exists))
				}
				e := open(t, "sqlite://"+file+row.params, binds.As(role))
				require.NoError(t, e.Ping(t.Context()))
				if role == binds.Writer {
					run(t, e, "CREATE TABLE t (n)", "INSERT INTO t VALUES (1)")
					l, err := e.NamedLock(t.Context(), "x")
					require.NoError(t, err)
					defer func() { require.NoError(t, l.Close()) }()
					_, err = l.Acquire(t.Context(), 0)
					require.NoError(t, err)
				}
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				if role == binds.Writer {
					require.Greater(t, len(entries), 2, "%v", entries)
				}
				for _, entry := range entries {
					info, err := entry.Info()
					require.NoError(t, err)
					assert.Equal(t, row.want, info.Mode().Perm(), entry.Name())
				}
			})
		}
	}
}

// A link to a file that is not there yet makes that file, for its owner alone.
func TestFileMode_link(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(dir, "real.db"), filepath.Join(dir, "app.db")))
	e := open(t, "sqlite://"+filepath.Join(dir, "app.db"))
	run(t, e, "CREATE TABLE t (n)")
	info, err := os.Stat(filepath.Join(dir, "real.db"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}
