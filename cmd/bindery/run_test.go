package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canary stands in every password and key of these tests, and in no output.
const canary = "c4nary"

// patience bounds every wait.
const patience = 30 * time.Second

// built is the command as users have it, built once.
var built string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bindery-command-*")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		built = filepath.Join(dir, "bindery")
		var out []byte
		if out, err = exec.Command("go", "build", "-buildvcs=false", "-o", built, ".").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// A place is a working directory with a configuration.
type place struct {
	t   *testing.T
	dir string
	env []string
}

// in makes one. The configuration is that text.
func in(t *testing.T, config string) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	p.write("config.toml", config)
	return p
}

func (p *place) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(p.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// A result is what a run left.
type result struct {
	code     int
	out, err string
}

func (p *place) command(args ...string) (*exec.Cmd, *safeBuffer, *safeBuffer) {
	cmd := exec.Command(built, args...)
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "BINDERY_CONFIG="), p.env...)
	out, errs := new(safeBuffer), new(safeBuffer)
	cmd.Stdout, cmd.Stderr = out, errs
	return cmd, out, errs
}

// run runs the command to its end.
func (p *place) run(args ...string) result {
	p.t.Helper()
	return p.feed("", args...)
}

func (p *place) feed(input string, args ...string) result {
	p.t.Helper()
	cmd, out, errs := p.command(args...)
	cmd.Stdin = strings.NewReader(input)
	require.NoError(p.t, cmd.Start())
	return p.wait(cmd, out, errs)
}

// wait waits for a command's end. Whatever it was, no secret is in what it said.
func (p *place) wait(cmd *exec.Cmd, out, errs *safeBuffer) result {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(p.t, err)
	}
	r := result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	assert.NotContains(p.t, r.out+r.err, canary, cmd.Args)
	assert.NotContains(p.t, r.out+r.err, "goroutine ", cmd.Args)
	for line := range strings.SplitSeq(strings.TrimSpace(r.err), "\n") {
		assert.False(p.t, r.code == exitUsage && line != "" && !strings.HasPrefix(line, "bindery: ") && !strings.Contains(line, ": will undo ") && !strings.Contains(r.err, "Usage:"), "%q is an error in another form", line)
	}
	return r
}

// interrupt sends Ctrl-C once the output has a text.
func (p *place) interrupt(after string, args ...string) result {
	p.t.Helper()
	cmd, out, errs := p.command(args...)
	require.NoError(p.t, cmd.Start())
	p.eventually(func() bool { return strings.Contains(out.String()+errs.String(), after) }, "it never said %q", after)
	require.NoError(p.t, cmd.Process.Signal(syscall.SIGINT))
	return p.wait(cmd, out, errs)
}

func (p *place) eventually(ok func() bool, format string, args ...any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.Fail(p.t, fmt.Sprintf(format, args...))
		}
	}
}

// decode reads a JSON document.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// lines reads one JSON object a line.
func lines[T any](t *testing.T, text string) (list []T) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		list = append(list, decode[T](t, line))
	}
	return list
}

// A safeBuffer may be read while a process writes to it.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
