package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
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

// A process is a child of this one.
type process struct {
	pid    int
	exited chan struct{} // closed once it is reaped
	err    error         // how it ended; valid once exited is closed
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// await waits until p has ended.
func (p *process) await(ctx context.Context) error {
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endTree kills p and every process that it started, and waits until they are gone.
func (p *process) endTree(ctx context.Context) error {
	// Stopped first, p cannot fork while its children are listed.
	_ = signalProcess(p.pid, sigStop)
	tree, err := descendants(p.pid)
	_ = signalProcess(p.pid, sigKill)
	for _, pid := range tree {
		_ = signalProcess(pid, sigKill) // it may have ended by itself
	}
	return errors.Join(err, p.await(ctx), awaitGone(ctx, tree))
}

// awaitGone waits until none of pids runs.
func awaitGone(ctx context.Context, pids []int) error {
	return poll(ctx, func() (bool, error) {
		for _, pid := range pids {
			if alive(pid) {
				return false, nil
			}
		}
		return true, nil
	})
}

// poll asks done until it says so, fails, or ctx ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

const (
	pollInterval   = 10 * time.Millisecond
	defaultTimeout = time.Minute // for a context without a deadline
)

// within gives ctx a deadline if it has none.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, defaultTimeout)
}

// environment is what a server's programs see of ours: nothing that would redirect them, such as
// PGDATA, MYSQL_HOME or NOTIFY_SOCKET.
func environment(home string) []string {
	env := []string{"HOME=" + home, "TMPDIR=" + home, "LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// tail returns the last lines of the file at path, starting at offset.
func tail(path string, offset int64) string {
	const most = 4 << 10
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // read only
	if info, err := f.Stat(); err == nil {
		offset = max(offset, info.Size()-most)
	}
	text := make([]byte, most)
	n, _ := f.ReadAt(text, offset) // a short read is the usual case
	return string(text[:n])
}

// commandError says which program failed and what it wrote.
func commandError(program string, err error, output string) error {
	if output == "" {
		return fmt.Errorf("%s: %w", program, err)
	}
	return fmt.Errorf("%s: %w\n%s", program, err, output)
}
