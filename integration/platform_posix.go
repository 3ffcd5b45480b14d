//go:build linux || darwin

package integration

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	supported = true

	sigInterrupt = syscall.SIGINT
	sigTerminate = syscall.SIGTERM
	sigQuit      = syscall.SIGQUIT
	sigKill      = syscall.SIGKILL
	sigStop      = syscall.SIGSTOP
	sigContinue  = syscall.SIGCONT
)

func signalProcess(pid int, sig syscall.Signal) error { return syscall.Kill(pid, sig) }
func signalGroup(pid int, sig syscall.Signal) error   { return syscall.Kill(-pid, sig) }

// prepareFork makes cmd run as account, in a process group of its own so that an interrupt typed at
// the terminal does not reach the server before the tests have ended.
func prepareFork(cmd *exec.Cmd, account *account, onParentDeath syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if account.switched {
		// At the fork, not by the server itself: a change of user clears the parent-death signal.
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(account.uid), Gid: uint32(account.gid)}
	}
	setParentDeath(cmd.SysProcAttr, onParentDeath)
}

// lockFile locks f unless another process has.
func lockFile(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// ownedByUs reports whether a file belongs to the user that runs this process.
func ownedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == uint32(os.Geteuid())
}

// releaseSharedMemory removes a System V segment that a killed server left, if it is of the user who owns the server's data directory. The
// number comes from a file that the user can write: where the segment is gone already, or is somebody else's, nothing happens.
func releaseSharedMemory(id, data string) {
	n, err := strconv.Atoi(id)
	if err != nil {
		return
	}
	info, err := os.Lstat(data)
	if err != nil {
		return
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	var about unix.SysvShmDesc
	if _, err := unix.SysvShmCtl(n, unix.IPC_STAT, &about); err == nil && ok && about.Perm.Cuid == owner.Uid {
		_, _ = unix.SysvShmCtl(n, unix.IPC_RMID, nil)
	}
}
