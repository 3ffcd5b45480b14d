package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	workspacePrefix = "bindery-"
	ownerFile       = "owner"

	// longestWorkspace is the longest name that a directory may have so that a socket in it stays
	// below the kernels' limit (104 bytes on macOS, 108 on Linux).
	longestWorkspace = 60
)

// A workspace is the temporary directory of one cluster.
type workspace struct {
	dir   string
	owner *os.File // locked while this process lives; the next start removes what nobody locks
	as    *account
}

func newWorkspace(ctx context.Context, as *account) (*workspace, error) {
	base := temporaryDirectory(as)
	_ = sweep(ctx, base) // what cannot be removed now does not stand in this cluster's way
	dir, err := os.MkdirTemp(base, workspacePrefix)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	w := &workspace{dir: dir, as: as}
	// The servers' user must pass through; what is inside protects itself.
	if err := errors.Join(os.Chmod(dir, 0o711), w.claim()); err != nil {
		return nil, errors.Join(fmt.Errorf("integration: %w", err), w.remove())
	}
	return w, nil
}

// claim makes the owner file appear with its lock already held, so that sweep never sees it free.
func (w *workspace) claim() error {
	name := w.path(ownerFile)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	w.owner = f
	locked, err := lockFile(f)
	if err == nil && !locked {
		err = errors.New("the owner file is locked")
	}
	_, errWrite := fmt.Fprintln(f, os.Getpid()) // for people; the lock is what counts
	return errors.Join(err, errWrite, os.Rename(name+".new", name))
}

func (w *workspace) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// mkdir makes a directory that only the servers may enter.
func (w *workspace) mkdir(parts ...string) error { return w.mkdirAt(w.path(parts...)) }

func (w *workspace) mkdirAt(path string) error {
	return w.inside(path, func(root *os.Root, name string) error {
		if err := root.Mkdir(name, 0o700); err != nil || !w.as.switched {
			return err
		}
		return root.Lchown(name, w.as.uid, w.as.gid)
	})
}

// write makes a file that only the servers may read.
func (w *workspace) write(path, text string) error {
	return w.writeNew(path, text, 0o600)
}

// remove deletes the directory, the owner file last: if it fails half-way, the next start goes on.
func (w *workspace) remove() error {
	err := removeWorkspace(w.dir)
	if w.owner != nil {
		err = errors.Join(err, w.owner.Close())
	}
	return err
}

func removeWorkspace(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.Name() != ownerFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// sweep removes the workspaces in base whose owners are dead, and ends servers left in them.
func sweep(ctx context.Context, base string) error {
	found, err := filepath.Glob(filepath.Join(base, workspacePrefix+"*"))
	for _, dir := range found {
		info, errStat := os.Lstat(dir)
		if errStat != nil || !info.IsDir() || !ownedByUs(info) {
			continue
		}
		err = errors.Join(err, sweepWorkspace(ctx, dir, info.ModTime()))
	}
	return err
}

func sweepWorkspace(ctx context.Context, dir string, modified time.Time) error {
	f, err := os.OpenFile(filepath.Join(dir, ownerFile), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		// Its owner is about to claim it, or died before it could; or it is not ours at all.
		if time.Since(modified) > time.Hour {
			_ = os.Remove(dir + "/" + ownerFile + ".new")
			_ = os.Remove(dir) // only if empty
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // gives the lock back
	if locked, err := lockFile(f); err != nil || !locked {
		return err
	}
	if err := endLeftovers(ctx, dir); err != nil {
		return err
	}
	return removeWorkspace(dir)
}

// endLeftovers kills the servers that still run in a dead owner's workspace.
func endLeftovers(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	(&workspace{dir: dir}).releaseLeftMemory()
	return poll(ctx, func() (bool, error) {
		left, err := processesIn(dir)
		for _, pid := range left {
			_ = signalProcess(pid, sigKill) // it may have ended by itself
		}
		return len(left) == 0, err
	})
}

// temporaryDirectory returns a directory that the account can reach and whose name is short enough
// to hold sockets.
func temporaryDirectory(as *account) string {
	base := os.TempDir()
	if len(base) <= longestWorkspace && (!as.switched || open(base)) {
		return base
	}
	return "/tmp"
}

// open reports whether every user may pass through path.
func open(path string) bool {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
	}
}
