package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A pooler is a running program between clients and servers of a [Cluster].
type pooler struct {
	server  *Server // whose database URI leads to
	name    string
	dir     string
	program string                   // "": the first that find returns
	find    func() ([]string, error) // all programs of its kind that there are
	port    port
	process *process
	version Version
	// readyWhen is in its log once it serves; "": it serves when it listens.
	readyWhen string
	// stopBy ends it at once and in order; 0: it has nothing to put in order, and is killed.
	stopBy syscall.Signal
}

// start runs the program, on another port if another program has taken the first. Configure writes its files
// for the port, and returns its arguments.
func (b *pooler) start(ctx context.Context, configure func() ([]string, error)) (err error) {
	if b.program == "" {
		programs, err := b.find()
		if err != nil {
			return err
		}
		b.program = programs[0]
	}
	if b.version, err = programVersion(ctx, b.name, b.program); err != nil {
		return err
	}
	c := b.server.cluster
	if b.dir, err = os.MkdirTemp(c.workspace.dir, filepath.Base(b.program)+"-"); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	if err := c.workspace.as.give(b.dir); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	for attempt := 1; ; attempt++ {
		err := b.launch(ctx, configure)
		if err == nil {
			return nil
		}
		if attempt == portAttempts || !strings.Contains(b.Log(), "Address already in use") {
			return errors.Join(fmt.Errorf("integration: start %s: %w\n%s", b.name, err, b.Log()), b.Close())
		}
	}
}

func (b *pooler) launch(ctx context.Context, configure func() ([]string, error)) (err error) {
	if b.port, err = choosePort(); err != nil {
		return err
	}
	arguments, err := configure()
	if err != nil {
		return err
	}
	log, err := b.server.cluster.workspace.openInside(b.logPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the pooler has its own descriptor
	c := b.server.cluster
	cmd := c.command(b.program, arguments...)
	cmd.Stdout, cmd.Stderr = log, log
	prepareFork(cmd, c.workspace.as, sigKill)
	if b.process, err = c.launcher.start(cmd); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		if !b.process.running() {
			return false, errors.New("it ended at once")
		}
		if !strings.Contains(b.Log(), b.readyWhen) {
			return false, nil
		}
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	})
}

// Close ends it, and so every connection through it. It may be called twice.
func (b *pooler) Close() error {
	if b.process == nil {
		return nil
	}
	ctx, cancel := within(context.Background())
	defer cancel()
	defer b.port.release()
	if b.stopBy != 0 && b.stop(ctx) {
		return nil
	}
	return b.process.endTree(ctx)
}

// orderly is how long a pooler has for its end in order.
const orderly = 5 * time.Second

// stop asks the pooler to end, and reports whether it did.
func (b *pooler) stop(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, orderly)
	defer cancel()
	children, err := descendants(b.process.pid)
	if err != nil || signalProcess(b.process.pid, b.stopBy) != nil {
		return false
	}
	return errors.Join(b.process.await(ctx), awaitGone(ctx, children)) == nil
}

// Version returns what runs: 1.26.1.
func (b *pooler) Version() Version { return b.version }

// Addr returns the address where it listens.
func (b *pooler) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port.number)) }

// URI returns the address of the server's database through the pooler, with the application's account and password.
func (b *pooler) URI() string {
	u, _ := url.Parse(b.server.URI()) // ours
	u.Host = b.Addr()
	return u.String()
}

// Log returns the end of its log.
func (b *pooler) Log() string { return b.server.cluster.workspace.tail(b.logPath(), 0) }

func (b *pooler) logPath() string { return filepath.Join(b.dir, logFile) }

// requirePoolers returns what find does. Without any the test is not run: it says so, and how to install one.
func requirePoolers(t testing.TB, find func() ([]string, error)) []string {
	t.Helper()
	programs, err := find()
	if err != nil {
		t.Skipf("not run: %v", err)
	}
	return programs
}
