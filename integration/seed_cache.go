package integration

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
)

// Most of a cluster's start goes into making the data directory that its servers start from. What the product's own program has made
// once, this process writes down again for every further cluster that wants the same.

// seeds are the data directories that were made so far, by all that decides what is in them.
var seeds = struct {
	sync.Mutex // held while one is made, so that the others wait for it
	made       map[[sha256.Size]byte]seed
}{made: make(map[[sha256.Size]byte]seed)}

// A seed is what a data directory holds: directories before what is in them.
type seed []seedFile

type seedFile struct {
	name string
	mode fs.FileMode
	size int64  // of the file, at least len(data)
	data []byte // without the zeros at its end
}

// makeSeed has make make the data directory, or takes what that has made before for the same key: all that
// decides what it holds. Renew changes that so that it is another cluster's; nil: there is nothing to change. What servers start from
// is then c.seed; where renew does not know its kind, that is nil, and they start from the directory.
func (c *Cluster) makeSeed(ctx context.Context, key []string, make func() error, renew func(seed) (seed, error)) error {
	id := sha256.Sum256([]byte(strings.Join(append(key, c.version.String()), "\x00"))) // there are passwords in it
	s, made, err := c.seedOf(ctx, id, make)
	if err != nil {
		return err
	}
	if renew != nil {
		if s, err = renew(s); err != nil && !made {
			return make()
		} else if err != nil {
			return nil
		}
	}
	c.startFrom(s)
	return nil
}

func (c *Cluster) startFrom(s seed) { c.seed = func() seed { return s } }

// seedOf returns what was made before, or else has it made, and keeps what that is.
func (c *Cluster) seedOf(ctx context.Context, id [sha256.Size]byte, make func() error) (s seed, made bool, err error) {
	seeds.Lock()
	defer seeds.Unlock()
	if s, known := seeds.made[id]; known {
		return s, false, nil
	}
	if err := make(); err != nil {
		return nil, true, err
	}
	if s, err = c.readSeed(ctx); err != nil {
		return nil, true, err
	}
	seeds.made[id] = s
	return s, true, nil
}

// inDirectory calls do with a directory of the workspace.
func (w *workspace) inDirectory(path string, do func(root *os.Root) error) error {
	return w.inside(path, func(root *os.Root, name string) error {
		dir, err := root.OpenRoot(name)
		if err != nil {
			return err
		}
		defer func() { _ = dir.Close() }() // nothing was written by it
		return do(dir)
	})
}

var errOddSeed = errors.New("integration: a data directory holds something other than files and directories")

func (c *Cluster) readSeed(ctx context.Context) (s seed, err error) {
	err = c.workspace.inDirectory(c.workspace.path(seedDir), func(root *os.Root) error {
		return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || name == "." {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			f := seedFile{name: name, mode: info.Mode()}
			switch {
			case d.IsDir():
			case !info.Mode().IsRegular():
				return errOddSeed
			default:
				file, err := root.Open(name)
				if err != nil {
					return err
				}
				f.data, err = io.ReadAll(file)
				_ = file.Close() // read only
				if err != nil {
					return err
				}
				f.size = int64(len(f.data))
				f.data = append([]byte(nil), withoutZeros(f.data)...)
			}
			s = append(s, f)
			return ctx.Err()
		})
	})
	return s, err
}

func withoutZeros(data []byte) []byte {
	for len(data) > 0 && data[len(data)-1] == 0 {
		data = data[:len(data)-1]
	}
	return data
}

// writeTo makes a data directory of the workspace that holds s.
func (s seed) writeTo(ctx context.Context, w *workspace, path string) error {
	if err := w.mkdirAt(path); err != nil {
		return err
	}
	return w.inDirectory(path, func(root *os.Root) error {
		for _, f := range s {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f.write(root, w.as); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *seedFile) write(root *os.Root, as *account) error {
	if f.mode.IsDir() {
		err := root.Mkdir(f.name, f.mode.Perm())
		if err == nil && as.switched {
			err = root.Lchown(f.name, as.uid, as.gid)
		}
		return err
	}
	file, err := root.OpenFile(f.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.mode.Perm())
	if err != nil {
		return err
	}
	_, err = file.Write(f.data)
	if err == nil && f.size > int64(len(f.data)) {
		err = file.Truncate(f.size)
	}
	if as.switched {
		err = errors.Join(err, file.Chown(as.uid, as.gid))
	}
	return errors.Join(err, file.Close())
}

// with returns s with more text at the end of one of its files, or, if anew is set, with nothing else in it.
func (s seed) with(name, text string, anew bool) seed {
	changed := slices.Clone(s)
	if f := changed.find(name); f != nil {
		before := string(f.data) + strings.Repeat("\x00", int(f.size)-len(f.data))
		if anew {
			before = ""
		}
		f.data = []byte(before + text)
		f.size = int64(len(f.data))
	}
	return changed
}

// find returns the file of that name, nil if there is none.
func (s seed) find(name string) *seedFile {
	for i := range s {
		if s[i].name == name {
			return &s[i]
		}
	}
	return nil
}
