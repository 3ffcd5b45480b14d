package integration

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The servers own the directories that they write in, and may put there what they like. As root we would follow their links
// to any file of the machine: so what we do there goes through an os.Root of the directory at hand, which no link leads out of.

// inside calls do with a directory of the workspace and the name in it by which a path goes on. The directory is the first one below
// the workspace's own, whose entries we alone make.
func (w *workspace) inside(path string, do func(root *os.Root, name string) error) error {
	name, err := filepath.Rel(w.dir, path)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing was written by it
	if dir, rest, nested := strings.Cut(name, string(filepath.Separator)); nested {
		nestedRoot, err := root.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer func() { _ = nestedRoot.Close() }() // likewise
		root, name = nestedRoot, rest
	}
	return do(root, name)
}

// openInside opens a file there.
func (w *workspace) openInside(path string, flag int) (f *os.File, err error) {
	err = w.inside(path, func(root *os.Root, name string) error {
		f, err = root.OpenFile(name, flag, 0o600)
		return err
	})
	return f, err
}

// readInside reads a file there.
func (w *workspace) readInside(path string) ([]byte, error) {
	f, err := w.openInside(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(f)
}

// removeInside removes a file or directory there, with all that is in it.
func (w *workspace) removeInside(path string) error {
	return w.inside(path, (*os.Root).RemoveAll)
}

// writeNew makes a file with a mode that belongs to the servers, in place of what may be there.
func (w *workspace) writeNew(path, text string, mode fs.FileMode) error {
	return w.inside(path, func(root *os.Root, name string) error {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		if w.as.switched {
			err = errors.Join(err, f.Chown(w.as.uid, w.as.gid))
		}
		return errors.Join(err, f.Close())
	})
}

// appendTo adds text to a file of the servers.
func (w *workspace) appendTo(path, text string) error {
	f, err := w.openInside(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// tail returns the last lines of the file at path, starting at offset.
func (w *workspace) tail(path string, offset int64) string {
	const most = 4 << 10
	f, err := w.openInside(path, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // read only
	if info, err := f.Stat(); err == nil {
		offset = max(offset, info.Size()-most)
	}
	text := make([]byte, most)
	n, _ := f.ReadAt(text, offset) // a short read is the usual case
	return string(text[:n])
}
