//go:build !linux && !darwin

package integration

import (
	"os"
	"os/exec"
	"syscall"
)

// Nothing here is reached: a cluster is refused before it starts.
const (
	supported = false

	sigInterrupt = syscall.SIGINT
	sigTerminate = syscall.SIGTERM
	sigQuit      = syscall.SIGQUIT
	sigKill      = syscall.SIGKILL
	sigStop      = syscall.SIGKILL
	sigContinue  = syscall.SIGKILL
)

func signalProcess(int, syscall.Signal) error         { return errUnsupported }
func signalGroup(int, syscall.Signal) error           { return errUnsupported }
func prepareFork(*exec.Cmd, *account, syscall.Signal) {}
func lockFile(*os.File) (bool, error)                 { return false, errUnsupported }
func ownedByUs(os.FileInfo) bool                      { return false }
func releaseSharedMemory(string, string)              {}
func alive(int) bool                                  { return false }
func halted(int) bool                                 { return true }
func parents() (map[int]int, error)                   { return nil, errUnsupported }
func processesIn(string) ([]int, error)               { return nil, errUnsupported }
