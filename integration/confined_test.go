package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestConfined puts links where the servers' account may put them, to a file that is not theirs. None of what we do there reaches it.
func TestConfined(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	dir := t.TempDir()
	w := &workspace{dir: dir, as: &account{uid: os.Geteuid(), gid: os.Getegid(), switched: os.Geteuid() == 0}}
	if w.as.switched {
		w.as.uid, w.as.gid = 65534, 65534
	}
	require.NoError(t, w.mkdir("primary"))
	require.NoError(t, w.mkdir("primary", "data"))
	require.NoError(t, w.mkdir("replica"))
	link := w.path("primary", "link")
	folder := w.path("primary", "folder")
	for name, do := range map[string]func() error{
		"write":             func() error { return w.write(link, "ours") },
		"write in a folder": func() error { return w.write(filepath.Join(folder, "outside"), "ours") },
		"append":            func() error { return w.appendTo(link, "ours") },
		"log": func() error {
			f, err := w.openInside(link, os.O_CREATE|os.O_WRONLY|os.O_TRUNC)
			if err == nil {
				err = f.Close()
			}
			return err
		},
		"log in a folder": func() error {
			_, err := w.openInside(filepath.Join(folder, "outside"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC)
			return err
		},
		"read":               func() error { text, err := w.readInside(link); assert.Empty(t, text); return err },
		"tail":               func() error { assert.Empty(t, w.tail(link, 0)); return nil },
		"remove":             func() error { return w.removeInside(link) },
		"remove in a folder": func() error { return w.removeInside(filepath.Join(folder, "outside")) },
		"make a folder":      func() error { return w.mkdir("primary", "folder", "new") },
		"make it again":      func() error { return w.mkdir("primary", "link") },
		"copy": func() error {
			c := &Cluster{workspace: w}
			return c.copyRunning(w.path("primary"), w.path("replica", "data"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(outside, []byte("theirs"), 0o600))
			_, _ = os.Remove(link), os.Remove(folder)
			require.NoError(t, os.Symlink(outside, link))
			require.NoError(t, os.Symlink(filepath.Dir(outside), folder))
			before, err := os.Stat(outside)
			require.NoError(t, err)
			err = do()
			t.Log(err)
			text, errRead := os.ReadFile(outside)
			require.NoError(t, errRead)
			assert.Equal(t, "theirs", string(text))
			after, errStat := os.Stat(outside)
			require.NoError(t, errStat)
			assert.True(t, os.SameFile(before, after) && ownedByUs(after), "its owner")
			assert.Equal(t, before.Mode(), after.Mode())
			entries, errRead := os.ReadDir(filepath.Dir(outside))
			require.NoError(t, errRead)
			assert.Len(t, entries, 1)
			if name == "write" { // in place of the link
				require.NoError(t, err)
				text, err := os.ReadFile(link)
				require.NoError(t, err)
				assert.Equal(t, "ours", string(text))
			}
		})
	}
	assert.NoFileExists(t, w.path("replica", "data", "link"))
}
