package integration

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A segment is removed if it is of whoever owns the data directory, and no other's.
func TestReleaseSharedMemory(t *testing.T) {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, 0o600)
	require.NoError(t, err)
	defer func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) }() // gone already
	there := func() bool {
		var about unix.SysvShmDesc
		_, err := unix.SysvShmCtl(id, unix.IPC_STAT, &about)
		return err == nil
	}
	require.True(t, there())
	data := t.TempDir()
	if os.Geteuid() == 0 {
		others := t.TempDir()
		require.NoError(t, os.Chown(others, 65534, 65534))
		releaseSharedMemory(strconv.Itoa(id), others)
		require.True(t, there(), "somebody else's")
	}
	releaseSharedMemory("", data)
	releaseSharedMemory(strconv.Itoa(id), data+"/none")
	require.True(t, there())
	releaseSharedMemory(strconv.Itoa(id), data)
	require.False(t, there())
}
