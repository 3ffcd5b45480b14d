package integration

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sharedMemoryOf counts the System V segments that a process has made.
func sharedMemoryOf(t *testing.T, pid int) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	require.NoError(t, err)
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == strconv.Itoa(pid) { // cpid
			n++
		}
	}
	return n
}

// Nobody else frees what Pgpool-II has: a machine that runs its tests for a day would be out of memory.
func TestPgpoolLeavesNoSharedMemory(t *testing.T) {
	RequirePgpools(t)
	b, err := NewPgpool(t.Context(), StartPostgres(t, 0, WithPassword("of the test")), PgpoolOptions{})
	require.NoError(t, err)
	pid := b.process.pid
	assert.Positive(t, sharedMemoryOf(t, pid))
	require.NoError(t, b.Close())
	assert.Zero(t, sharedMemoryOf(t, pid))
	assert.False(t, b.process.running())
}
