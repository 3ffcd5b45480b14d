package sqlitebind

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lockHelper makes the test program a process that locks: "hold" or "count", a blank, and the database.
const lockHelper = "BINDERY_TEST_SQLITE_LOCK"

// quickPace lets a dead process's lock go soon.
var quickPace = lockPace{lease: time.Second, renewal: 50 * time.Millisecond, margin: 200 * time.Millisecond, proof: 500 * time.Millisecond}

func helpLocking() int {
	verb, path, _ := strings.Cut(os.Getenv(lockHelper), " ")
	if err := helper(context.Background(), verb, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func helper(ctx context.Context, verb, path string) (err error) {
	s, err := parse("sqlite://" + path)
	if err != nil {
		return err
	}
	ls := newSource(New(), s).NamedLocks().(*locks)
	ls.pace = quickPace
	defer func() { err = errors.Join(err, ls.Close()) }()
	l, err := ls.Open(ctx, "a")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if verb == "count" {
		return count(ctx, l.(*lock), path+".count")
	}
	if _, err := l.Acquire(ctx, time.Minute); err != nil {
		return err
	}
	fmt.Println("held", l.Fence())
	_, err = io.Copy(io.Discard, os.Stdin) // to be killed meanwhile
	return err
}

const counted = 40

// count adds to the number in a file, which only a lock makes safe.
func count(ctx context.Context, l *lock, file string) error {
	for range counted {
		if got, err := l.Acquire(ctx, time.Minute); err != nil || !got {
			return fmt.Errorf("not acquired: %w", err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(text))
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
			return err
		}
		if held, err := l.Release(ctx); err != nil || !held {
			return fmt.Errorf("not held: %w", err)
		}
	}
	return nil
}

func startHelper(t *testing.T, verb, path string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), lockHelper+"="+verb+" "+path)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe() // ends when this process does
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, out
}

// Four processes find no file, make it at the same time, and exclude each other.
func TestProcessesExcludeEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	require.NoError(t, os.WriteFile(path+".count", []byte("0"), 0o600))
	const processes = 4
	var cmds []*exec.Cmd
	for range processes {
		cmd, _ := startHelper(t, "count", path)
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		assert.NoError(t, cmd.Wait())
	}
	text, err := os.ReadFile(path + ".count")
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(processes*counted), string(text))
}

func TestLockOfAKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	cmd, out := startHelper(t, "hold", path)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	ls := locksOf(t, "sqlite://"+path)
	ls.pace = quickPace
	l := attempt(t, ls, "a")
	holder, err := l.Holder(t.Context())
	require.NoError(t, err)
	assert.Contains(t, holder, fmt.Sprintf("pid %d on ", cmd.Process.Pid))

	killed := time.Now()
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.True(t, acquire(t, l, time.Minute))
	t.Logf("a killed process's lock of %v was taken after %v", quickPace.lease, time.Since(killed))
	assert.Greater(t, fmt.Sprintf("held %d\n", l.Fence()), line)
}
