package integration_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// helperVariable makes the test program a process that starts servers and then hangs.
const helperVariable = "BINDERY_TEST_HELPER"

// What the helper tells about a cluster.
type helperCluster struct {
	Directory string
	Running   []string // addresses of servers that answer
	Frozen    string   // of one that does not
}

func startAndHang() int {
	var clusters []helperCluster
	for _, name := range orphans() {
		c, err := teston.New(context.Background(), name, 2)
		if err == nil {
			err = c.Replicas[1].Freeze()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		clusters = append(clusters, helperCluster{
			Directory: filepath.Dir(c.Primary.SocketDir()),
			Running:   []string{c.Primary.Addr(), c.Replicas[0].Addr()},
			Frozen:    c.Replicas[1].Addr(),
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(clusters); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed, or the test itself is
	return 0
}

// orphans are the kinds that are left behind.
func orphans() []string { return slices.Sorted(maps.Keys(clusters(replicated...))) }

func TestServers_doNotOutliveTheirProcess(t *testing.T) {
	// A directory of its own, or another test program's start might end what is to end by itself.
	base, err := os.MkdirTemp("/tmp", "orphans-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.Remove(base)) })
	require.NoError(t, os.Chmod(base, 0o755))
	t.Setenv("TMPDIR", base)
	teston.Only(t, teston.Postgres, teston.MariaDB, teston.MySQL)
	mine := teston.Start(t, orphans()[0], 0)
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), helperVariable+"=1")
	helper.Stderr = os.Stderr
	stdin, err := helper.StdinPipe()
	require.NoError(t, err)
	defer func() { _ = stdin.Close() }() // nobody reads it any more
	stdout, err := helper.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, helper.Start())
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	var clusters []helperCluster
	if err == nil {
		err = json.Unmarshal(line, &clusters)
	}
	_ = helper.Process.Kill()
	_ = helper.Wait() // killed
	require.NoError(t, err)
	require.Len(t, clusters, len(orphans()))

	if runtime.GOOS == "linux" {
		for _, c := range clusters {
			for _, addr := range c.Running {
				assert.Eventually(t, func() bool { return refused(addr) }, 10*time.Second, 20*time.Millisecond, addr)
			}
		}
	}
	// The directories, and what was frozen, go with the next start; what is in use stays.
	teston.Start(t, orphans()[0], 0)
	for _, c := range clusters {
		assert.NoDirExists(t, c.Directory)
		for _, addr := range append(c.Running, c.Frozen) {
			assert.True(t, refused(addr), addr)
		}
	}
	assert.NoError(t, mine.Primary.Exec(t.Context(), "SELECT 1"))
}

func refused(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return true
	}
	_ = conn.Close() // nothing was sent
	return false
}
