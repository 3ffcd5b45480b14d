package integration

import (
	"context"
	"os/exec"
	"runtime"
)

// A launcher forks processes from one operating-system thread that lives as long as it does.
//
// The kernel's parent-death signal follows the thread that forked, not the process: a server
// forked from an ordinary goroutine dies when the Go runtime retires that goroutine's thread.
type launcher struct {
	requests chan func()
	stop     chan struct{}
	done     chan struct{}
}

func newLauncher() *launcher {
	l := &launcher{requests: make(chan func()), stop: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

func (l *launcher) run() {
	defer close(l.done)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for {
		select {
		case fork := <-l.requests:
			fork()
		case <-l.stop:
			return
		}
	}
}

// close ends the thread. Nothing that it forked may be alive.
func (l *launcher) close() {
	close(l.stop)
	<-l.done
}

// start forks cmd and reaps it when it ends.
func (l *launcher) start(cmd *exec.Cmd) (*process, error) {
	failed := make(chan error, 1)
	select {
	case l.requests <- func() { failed <- cmd.Start() }:
	case <-l.done:
		return nil, ErrClosed
	}
	if err := <-failed; err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// finish forks cmd and waits for its end, which it hastens when ctx is done.
func (l *launcher) finish(ctx context.Context, cmd *exec.Cmd) error {
	p, err := l.start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
		return p.err
	case <-ctx.Done():
		_ = signalGroup(p.pid, sigKill) // it may have ended by itself
		<-p.exited
		return ctx.Err()
	}
}
