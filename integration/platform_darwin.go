package integration

import (
	"bufio"
	"bytes"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// setParentDeath does nothing: only Linux has the signal. The next start ends what was left.
func setParentDeath(*syscall.SysProcAttr, syscall.Signal) {}

// halted cannot tell here, and takes a signal for obeyed.
func halted(int) bool { return true }

// alive reports whether a process runs.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// parents returns the parent of every process.
func parents() (map[int]int, error) {
	of := make(map[int]int)
	err := eachLine(func(fields []string) {
		pid, errPid := strconv.Atoi(fields[0])
		parent, errParent := strconv.Atoi(fields[1])
		if errPid == nil && errParent == nil {
			of[pid] = parent
		}
	}, "pid=,ppid=")
	return of, err
}

// processesIn returns the processes that name dir on their command line, as every server does;
// their children end with them.
func processesIn(dir string) ([]int, error) {
	var found []int
	err := eachLine(func(fields []string) {
		pid, err := strconv.Atoi(fields[0])
		if err == nil && strings.Contains(strings.Join(fields[1:], " "), dir+"/") {
			found = append(found, pid)
		}
	}, "pid=,command=")
	return found, err
}

func eachLine(visit func(fields []string), columns string) error {
	text, err := exec.Command("ps", "-axww", "-o", columns).Output()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 {
			visit(fields)
		}
	}
	return lines.Err()
}
