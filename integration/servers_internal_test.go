package integration

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Between the choice of a port and the server's bind another program may listen there.
func TestBoot_choosesAnotherPortWhenItsOwnIsTaken(t *testing.T) {
	for name, find := range map[string]func() (system, error){
		"PostgreSQL": func() (system, error) {
			bin, err := findPostgres()
			return &postgres{bin: bin}, err
		},
		"MariaDB": func() (system, error) {
			server, installer, err := findMariaDB()
			return newMariaDB(server, installer), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			sys, err := find()
			require.NoError(t, err)
			o, err := readOptions(nil)
			require.NoError(t, err)
			c, err := prepareCluster(t.Context(), sys, 1, o)
			require.NoError(t, err)
			defer func() { assert.NoError(t, c.Close()) }()
			taken := []string{c.Primary.Addr(), c.Replicas[0].Addr()}
			for _, addr := range taken {
				l, err := net.Listen("tcp", addr)
				require.NoError(t, err)
				defer func() { _ = l.Close() }() // nothing was accepted
			}
			require.NoError(t, c.start(t.Context()))
			assert.NotEqual(t, taken[0], c.Primary.Addr())
			assert.NotEqual(t, taken[1], c.Replicas[0].Addr())
		})
	}
}

func TestReservePort_letsAServerListen(t *testing.T) {
	p, err := reservePort()
	require.NoError(t, err)
	defer p.release()
	s := Server{port: p}
	_, err = net.Dial("tcp", s.Addr())
	require.Error(t, err)
	for range 2 { // a server that stops and starts again
		l, err := net.Listen("tcp", s.Addr())
		require.NoError(t, err)
		conn, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.NoError(t, l.Close())
	}
}

func TestSweep_takesOnlyWhatIsAbandoned(t *testing.T) {
	base, err := os.MkdirTemp("/tmp", "sweep-")
	require.NoError(t, err)
	defer func() { assert.NoError(t, os.RemoveAll(base)) }()
	as := &account{uid: os.Geteuid(), gid: os.Getegid()}
	mkdir := func(name string, files ...string) string {
		dir := filepath.Join(base, name)
		require.NoError(t, os.Mkdir(dir, 0o700))
		for _, file := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
		}
		return dir
	}
	alive := &workspace{dir: mkdir("bindery-alive"), as: as}
	require.NoError(t, alive.claim())
	dead := mkdir("bindery-dead", ownerFile, "data")
	fresh := mkdir("bindery-fresh")
	interrupted := mkdir("bindery-interrupted", ownerFile+".new")
	long := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(interrupted, long, long))
	foreign := mkdir("bindery-foreign", "somebody's file")
	require.NoError(t, os.Chtimes(foreign, long, long))
	other := mkdir("other", ownerFile)
	target := mkdir("target", ownerFile)
	require.NoError(t, os.Symlink(target, filepath.Join(base, "bindery-link")))

	require.NoError(t, sweep(context.Background(), base))
	for reason, dir := range map[string]string{
		"its owner lives": alive.dir, "about to be claimed": fresh, "not one of ours": foreign,
		"another name": other, "behind a link": target,
	} {
		assert.DirExists(t, dir, reason)
	}
	assert.NoDirExists(t, dead)
	assert.NoDirExists(t, interrupted)
	require.NoError(t, alive.remove())
	assert.NoDirExists(t, alive.dir)
}

func TestVersion_ordersDirectories(t *testing.T) {
	for path, want := range map[string]int{
		"/usr/lib/postgresql/15/bin": 15, "/usr/lib/postgresql/9.6/bin": 9, "/opt/homebrew/opt/postgresql@17/bin": 17,
		"/usr/local/pgsql/bin": 0, "": 0,
	} {
		assert.Equal(t, want, version(path), path)
	}
}

func TestQuoting(t *testing.T) {
	assert.Equal(t, `'it''s \ "x"'`, quotePostgres(`it's \ "x"`))
	assert.Equal(t, `'it''s \\ "x"'`, quoteMySQL(`it's \ "x"`))
}

func TestGlob_takesNoNumberOfTheFolderForAVersion(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "user-2")
	for _, name := range []string{"postgres-12", "postgres-18", "postgres-13"} {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, name), 0o755))
	}
	var found []string
	for _, path := range glob([]string{filepath.Join(folder, "postgres-*")}) {
		found = append(found, filepath.Base(path))
	}
	assert.Equal(t, []string{"postgres-18", "postgres-13", "postgres-12"}, found)
}

// By its numbers a replica tells whether it holds what its new primary never had.
func TestAheadOf(t *testing.T) {
	for reason, row := range map[string]struct {
		replica, primary string
		want             bool
	}{
		"nothing":                         {"", "", false},
		"behind":                          {"0-1-21", "0-1-22", false},
		"level":                           {"0-1-22", "0-1-22", false},
		"ahead":                           {"0-1-22", "0-1-9", true},
		"level by another server":         {"0-1-22", "0-2-22", true},
		"ahead in its second domain":      {"0-1-22,5-1-3", "0-1-22,5-1-2", true},
		"a domain that the primary lacks": {"0-1-22,5-1-3", "0-1-22", false},
	} {
		assert.Equal(t, row.want, aheadOf(row.replica, row.primary), reason)
	}
}
