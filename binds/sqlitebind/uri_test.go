package sqlitebind

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPath(t *testing.T) {
	wd, err := os.Getwd()
	require.NoError(t, err)
	for reason, row := range map[string]struct{ uri, want string }{
		"absolute":                     {"sqlite:///no/such/app.db", "/no/such/app.db"},
		"absolute, without authority":  {"sqlite:/no/such/app.db", "/no/such/app.db"},
		"relative":                     {"sqlite:app.db", filepath.Join(wd, "app.db")},
		"relative, with a dot":         {"sqlite:./app.db", filepath.Join(wd, "app.db")},
		"relative, upwards":            {"sqlite:../app.db", filepath.Join(filepath.Dir(wd), "app.db")},
		"upwards inside":               {"sqlite:///no/such/../app.db", "/no/app.db"},
		"a blank as it is":             {"sqlite:///no/a b.db", "/no/a b.db"},
		"a blank escaped":              {"sqlite:///no/a%20b.db", "/no/a b.db"},
		"a plus is no blank":           {"sqlite:///no/a+b.db", "/no/a+b.db"},
		"a percent sign":               {"sqlite:///no/100%25.db", "/no/100%.db"},
		"a question mark":              {"sqlite:///no/why%3F.db?busy_timeout=1", "/no/why?.db"},
		"a hash":                       {"sqlite:///no/c%23.db", "/no/c#.db"},
		"an at sign":                   {"sqlite:///no/a@b.db", "/no/a@b.db"},
		"a colon":                      {"sqlite:///no/a:b.db", "/no/a:b.db"},
		"another script":               {"sqlite:///no/データ.db", "/no/データ.db"},
		"memory":                       {"sqlite::memory:", ""},
		"memory with parameters":       {"sqlite::memory:?foreign_keys=off", ""},
		"a file that is called memory": {"sqlite:///no/memory", "/no/memory"},
		"the scheme in capitals":       {"SQLite:///no/such/app.db", "/no/such/app.db"},
	} {
		s, err := parse(row.uri)
		if assert.NoError(t, err, reason) {
			assert.Equal(t, row.want, s.path, reason)
		}
	}
}

func TestRefusedURI(t *testing.T) {
	for reason, row := range map[string]struct{ uri, want string }{
		"nothing":                         {"sqlite:", "names no file"},
		"two slashes alone":               {"sqlite://", "names no file"},
		"the root alone":                  {"sqlite:///", "names no file"},
		"parameters alone":                {"sqlite:?mode=ro", "names no file"},
		"a host":                          {"sqlite://host/app.db", "names a host"},
		"a relative path as a host":       {"sqlite://app.db", "sqlite:relative/path"},
		"a user and password":             {"sqlite://u:s3cret@h/app.db", "names a host"},
		"four slashes":                    {"sqlite:////abs/app.db", "four slashes"},
		"memory behind two slashes":       {"sqlite://:memory:", "is written sqlite::memory:"},
		"memory behind three":             {"sqlite:///:memory:", "is written sqlite::memory:"},
		"SQLite's own URI":                {"sqlite:file:app.db", "leave out file:"},
		"a directory":                     {"sqlite:///var/", "names a directory"},
		"a fragment":                      {"sqlite:///app.db#x", "%23"},
		"a bad escape":                    {"sqlite:///s3cret%zz", "write \"%\" as %25"},
		"a NUL":                           {"sqlite:///a%00b", "a NUL"},
		"a misspelt parameter":            {"sqlite:a.db?busytimeout=1s", `unknown parameter "busytimeout" (did you mean "busy_timeout"?)`},
		"another driver's parameter":      {"sqlite:a.db?_pragma=foreign_keys(1)", `unknown parameter "_pragma"`},
		"a timeout that is none":          {"sqlite:a.db?busy_timeout=soon", `"busy_timeout" must be a duration`},
		"a negative timeout":              {"sqlite:a.db?busy_timeout=-1s", `"busy_timeout" must be a duration`},
		"a journal that is none":          {"sqlite:a.db?journal_mode=wall", `(did you mean "wal"?)`},
		"a bool that is none":             {"sqlite:a.db?foreign_keys=maybe", `"foreign_keys" must be true or false`},
		"a size that is none":             {"sqlite:a.db?cache_size=big", `"cache_size" must be a whole number`},
		"a size below zero":               {"sqlite:a.db?mmap_size=-1", `"mmap_size" must be a whole number`},
		"a parameter twice":               {"sqlite:a.db?mode=ro&mode=rw", `"mode" is given twice`},
		"immutable and writable":          {"sqlite:a.db?immutable=1", "needs mode=ro"},
		"create_dir without create":       {"sqlite:a.db?create_dir=1&mode=rw", "needs mode=rwc"},
		"a journal for a read-only file":  {"sqlite:a.db?journal_mode=wal&mode=ro", "cannot be set with mode=ro"},
		"a memory database on disk":       {"sqlite::memory:?create_dir=1", `"create_dir" means nothing for a memory database`},
		"a memory database with WAL":      {"sqlite::memory:?journal_mode=wal", `"journal_mode" means nothing`},
		"a mode that is none":             {"sqlite:a.db?file_mode=rw", `"file_mode" must be a file's mode in octal digits`},
		"a mode to run":                   {"sqlite:a.db?file_mode=0755", `"file_mode" must be`},
		"a mode that shuts its owner out": {"sqlite:a.db?file_mode=0440", `"file_mode" must be`},
		"a mode of no new file":           {"sqlite:a.db?file_mode=0640&mode=rw", "needs mode=rwc"},
		"a mode of a memory database":     {"sqlite::memory:?file_mode=0640", "means nothing for a memory database"},
		"a permission that is none":       {"sqlite:a.db?allow=attach,all", `"allow" must name attach or writable_schema`},
		"no permission":                   {"sqlite:a.db?allow=", `"allow" must name`},
		"shared cache":                    {"sqlite::memory:?cache=shared", `unknown parameter "cache"`},
		"a second mistake, also reported": {"sqlite:a.db?nonsense=1&mode=xx", `"mode" must be one of ro, rw, rwc`},
	} {
		_, err := parse(row.uri)
		if assert.ErrorContains(t, err, row.want, reason) {
			assert.NotContains(t, err.Error(), "s3cret", reason)
		}
	}
}

func TestParameters(t *testing.T) {
	s, err := parse("sqlite:a.db?busy_timeout=250&synchronous=full&foreign_keys=no&cache_size=-2000&mmap_size=65536" +
		"&temp_store=memory&wal_autocheckpoint=0&mode=rwc&create_dir=yes&journal_mode=truncate")
	require.NoError(t, err)
	assert.Equal(t, 250*time.Millisecond, s.busyTimeout)
	assert.Equal(t, "truncate", s.journalMode)
	assert.True(t, s.createDir)
	assert.ElementsMatch(t, []pragma{
		{"synchronous", "full"}, {"foreign_keys", "off"}, {"temp_store", "memory"},
		{"cache_size", "-2000"}, {"mmap_size", "65536"}, {"trusted_schema", "off"},
	}, s.pragmas)
	assert.Equal(t, []pragma{{"wal_autocheckpoint", "0"}}, s.writing)
}

// A path is fixed when the URI is read: neither a chdir nor a link that moves takes the database along.
func TestPathIsFixedAtOpen(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, d := range []string{"one", "two"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o750))
	}
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(filepath.Join(dir, "one"), link))
	t.Chdir(dir)
	relative, err := parse("sqlite:app.db")
	require.NoError(t, err)
	linked, err := parse("sqlite://" + link + "/app.db")
	require.NoError(t, err)
	t.Chdir(filepath.Join(dir, "two"))
	assert.Equal(t, filepath.Join(dir, "app.db"), relative.path)
	assert.Equal(t, filepath.Join(dir, "one", "app.db"), linked.path)
}

func FuzzParse(f *testing.F) {
	for _, uri := range []string{"sqlite:///a.db?mode=ro", "sqlite::memory:", "sqlite:%41#", "sqlite:?", "x"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		s, err := parse(uri)
		if err == nil && !s.memory() && !filepath.IsAbs(s.path) {
			t.Errorf("%q opens the relative path %q", uri, s.path)
		}
	})
}
