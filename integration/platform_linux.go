package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func setParentDeath(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// alive reports whether a process runs. One that only waits to be reaped does not.
func alive(pid int) bool {
	_, state, ok := readStat(pid)
	return ok && state != 'Z' && state != 'X'
}

// halted reports whether no thread of a process runs: all are stopped, or gone.
func halted(pid int) bool {
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	if err != nil {
		return false
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) > 0 && !bytes.ContainsRune([]byte("TtZXx"), rune(fields[0][0])) {
			return false
		}
	}
	return true
}

// readStat returns the parent and the state of a process.
func readStat(pid int) (parent int, state byte, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	// pid (name) state parent …, where the name may hold blanks and parentheses
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return parent, fields[0][0], err == nil
}

// parents returns the parent of every process.
func parents() (map[int]int, error) {
	of := make(map[int]int)
	err := eachProcess(func(pid int) {
		if parent, _, ok := readStat(pid); ok {
			of[pid] = parent
		}
	})
	return of, err
}

func eachProcess(visit func(pid int)) error {
	proc, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer func() { _ = proc.Close() }() // read only
	names, err := proc.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			visit(pid)
		}
	}
	return err
}

// processesIn returns the processes whose working directory is in dir, as that of every process of
// a server is.
func processesIn(dir string) ([]int, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var found []int
	err = eachProcess(func(pid int) {
		cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
		if err == nil && strings.HasPrefix(cwd, dir+"/") {
			found = append(found, pid)
		}
	})
	return found, err
}
