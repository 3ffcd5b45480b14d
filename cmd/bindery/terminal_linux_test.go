package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: what is written to one side is read from the other.
func terminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = user.Close() })
	raw, err := user.SyscallConn()
	require.NoError(t, err)
	var n int
	var ioctl error
	require.NoError(t, raw.Control(func(fd uintptr) {
		if ioctl = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); ioctl == nil {
			n, ioctl = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}))
	require.NoError(t, ioctl)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return user, program
}

// On a terminal the table of status stays in place.
func TestStatusOnATerminal(t *testing.T) {
	t.Parallel()
	p := in(t, twoFiles)
	user, program := terminal(t)
	cmd, _, errs := p.command("status", "--interval", "100ms")
	cmd.Stdout = program
	shown := new(safeBuffer)
	go func() { _, _ = io.Copy(shown, user) }()
	require.NoError(t, cmd.Start())
	p.eventually(func() bool { return strings.Count(shown.String(), "\x1b[H\x1b[2J") > 2 }, "it is not drawn again")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	r := p.wait(cmd, shown, errs)
	assert.Equal(t, exitInterrupted, r.code)
	assert.Contains(t, r.out, "ENGINE")
}

// What will be undone is told, and only a yes undoes it.
func TestDownAsks(t *testing.T) {
	t.Parallel()
	p := in(t, "uri = \"sqlite:shop.db\"\n")
	p.write("migrations/default/1_items.up.sql", "CREATE TABLE items (id INTEGER)")
	p.write("migrations/default/1_items.down.sql", "DROP TABLE items")
	require.Equal(t, exitOK, p.run("migrate", "up").code)
	answer := func(text string) result {
		user, program := terminal(t)
		cmd, out, errs := p.command("migrate", "down")
		cmd.Stdin = program
		require.NoError(t, cmd.Start())
		p.eventually(func() bool { return strings.Contains(errs.String(), "Undo 1 migrations? [y/N] ") }, "it does not ask")
		assert.Contains(t, errs.String(), "default: will undo 1_items")
		assert.Empty(t, out.String())
		if text == "" {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		} else {
			_, err := user.WriteString(text)
			require.NoError(t, err)
		}
		return p.wait(cmd, out, errs)
	}
	r := answer("no\n")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "nothing was done")
	assert.Equal(t, exitInterrupted, answer("").code, "Ctrl-C is an answer, too")
	assert.Contains(t, p.run("migrate", "status").out, "applied")
	r = answer("y\n")
	assert.Equal(t, exitOK, r.code, r.err)
	assert.Contains(t, r.out, "1/1 down 1_items done in ")
	assert.NotContains(t, p.run("migrate", "status").out, "applied")
}
