package sqlitebind

import (
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/bindery-go/bindery/binds/internal/dburi"
)

// settings are what a URI says.
type settings struct {
	path        string // absolute; "" for a memory database
	mode        string // ro, rw or rwc
	immutable   bool
	createDir   bool
	fileMode    fs.FileMode // of a file that is created
	exactMode   bool        // whatever the umask is
	allow       permissions
	journalMode string
	busyTimeout time.Duration
	pragmas     []pragma // of every connection
	writing     []pragma // of writing connections
}

func (s *settings) memory() bool { return s.path == "" }

// fileOnly are the parameters that mean nothing for a memory database.
var fileOnly = []string{"mode", "immutable", "create_dir", "file_mode", "journal_mode", "mmap_size", "wal_autocheckpoint"}

func parse(uri string) (*settings, error) {
	_, rest, ok := strings.Cut(uri, ":")
	if !ok {
		return nil, errors.New("malformed URI: it does not begin with the scheme sqlite")
	}
	if strings.Contains(rest, "#") {
		return nil, errors.New(`malformed URI: write "#" in a file's name as %23`)
	}
	name, query, _ := strings.Cut(rest, "?")
	path, err := pathOf(name)
	if err != nil {
		return nil, err
	}
	params, err := dburi.ParseParams(query)
	if err != nil {
		return nil, err
	}
	s := &settings{path: path}
	s.take(params)
	return s, params.Done()
}

// pathOf returns the absolute path of what stands between the scheme and the parameters, "" for a
// memory database.
func pathOf(name string) (string, error) {
	switch {
	case name == ":memory:":
		return "", nil
	case name == "", name == "//", name == "///":
		return "", errors.New("the URI names no file: write sqlite::memory:, sqlite:///absolute/path or sqlite:relative/path")
	case strings.HasSuffix(name, ":memory:"):
		return "", errors.New("a memory database is written sqlite::memory: and nothing else")
	case strings.HasPrefix(name, "////"):
		return "", errors.New("four slashes: an absolute path is written sqlite:///absolute/path")
	case strings.HasPrefix(name, "//") && !strings.HasPrefix(name, "///"):
		return "", errors.New("the URI names a host, and SQLite has none: write sqlite:///absolute/path or sqlite:relative/path")
	case strings.HasPrefix(name, "file:"):
		return "", errors.New("the URI holds another: leave out file: and its slashes")
	}
	path, err := url.PathUnescape(strings.TrimPrefix(name, "//"))
	switch {
	case err != nil:
		return "", errors.New(`malformed URI: a bad percent escape in the file's name: write "%" as %25`)
	case strings.ContainsRune(path, 0):
		return "", errors.New("malformed URI: a NUL in the file's name")
	case strings.HasSuffix(path, "/"):
		return "", errors.New("the URI names a directory: add the file's name")
	}
	return absolute(path)
}

// absolute fixes a path at this moment: against the working directory, and, as far as its directory
// exists, against symbolic links that may come to point elsewhere.
func absolute(path string) (string, error) {
	if runtime.GOOS == "windows" && filepath.VolumeName(strings.TrimPrefix(path, "/")) != "" {
		path = strings.TrimPrefix(path, "/") // sqlite:///C:/data/app.db
	}
	abs, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		return "", errors.New("a relative path needs a working directory, and there is none")
	}
	if whole, err := filepath.EvalSymlinks(abs); err == nil {
		return whole, nil
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(dir, filepath.Base(abs)), nil
	}
	return abs, nil
}

// take reads the parameters; what is wrong with them is for [dburi.Params.Done] to say.
func (s *settings) take(p *dburi.Params) {
	s.busyTimeout = p.Duration("busy_timeout", 5*time.Second, time.Millisecond)
	s.set(p.OneOf("synchronous", "normal", "off", "normal", "full", "extra"), "synchronous")
	s.set(onOff(p.Bool("foreign_keys", true)), "foreign_keys")
	s.set(onOff(p.Bool("trusted_schema", false)), "trusted_schema")
	s.allow = readAllow(p)
	s.set(p.OneOf("temp_store", "", "default", "file", "memory"), "temp_store")
	if p.Has("cache_size") {
		s.set(strconv.Itoa(p.Int("cache_size", 0, -1<<31+1, 1<<31-1)), "cache_size")
	}
	if s.memory() {
		s.refuseFileOnly(p)
		return
	}
	s.takeFile(p)
}

func (s *settings) takeFile(p *dburi.Params) {
	s.mode = p.OneOf("mode", "rwc", "ro", "rw", "rwc")
	s.immutable = p.Bool("immutable", false)
	s.createDir = p.Bool("create_dir", false)
	s.readFileMode(p)
	s.journalMode = p.OneOf("journal_mode", "wal", "wal", "delete", "truncate", "persist", "memory", "off")
	if p.Has("mmap_size") {
		s.set(strconv.Itoa(p.Int("mmap_size", 0, 0, 1<<31-1)), "mmap_size")
	}
	if p.Has("wal_autocheckpoint") {
		n := p.Int("wal_autocheckpoint", 1000, 0, 1<<31-1)
		s.writing = append(s.writing, pragma{"wal_autocheckpoint", strconv.Itoa(n)})
	}
	switch {
	case s.immutable && s.mode != "ro":
		p.Fail(`parameter "immutable" needs mode=ro: a file that is written changes`)
	case s.createDir && s.mode != "rwc":
		p.Fail(`parameter "create_dir" needs mode=rwc: a missing file is not created otherwise`)
	case p.Has("journal_mode") && s.mode == "ro":
		p.Fail(`parameter "journal_mode" cannot be set with mode=ro`)
	}
}

// readFileMode reads the mode of files that are created, in octal digits.
func (s *settings) readFileMode(p *dburi.Params) {
	s.fileMode = 0o600
	if !p.Has("file_mode") {
		return
	}
	n, err := strconv.ParseUint(p.String("file_mode", ""), 8, 32)
	if err != nil || n&^0o666 != 0 || n&0o600 != 0o600 {
		p.Fail("parameter %q must be a file's mode in octal digits that lets its owner read and write, and nobody run it, such as 0640 or 0660", "file_mode")
		return
	}
	if s.mode != "rwc" {
		p.Fail("parameter %q needs mode=rwc: a missing file is not created otherwise", "file_mode")
	}
	s.fileMode, s.exactMode = fs.FileMode(n), true
}

func (s *settings) refuseFileOnly(p *dburi.Params) {
	for _, name := range fileOnly {
		if p.Has(name) {
			p.Fail("parameter %q means nothing for a memory database", name)
		}
	}
}

func (s *settings) set(value, name string) {
	if value != "" {
		s.pragmas = append(s.pragmas, pragma{name, value})
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
