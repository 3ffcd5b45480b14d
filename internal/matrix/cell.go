package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A matrix is one run.
type matrix struct {
	root   string
	bin    string // holds test programs
	suites []suite
	began  time.Time
	limit  time.Duration

	building sync.Mutex // held while a test program is made
	fetching sync.Mutex // held while a server is fetched
}

// all tests the servers, some at once, and yields each row again and again as it grows, the last time whole.
func (m *matrix) all(ctx context.Context, chosen []server, at int) iter.Seq[row] {
	return func(yield func(row) bool) {
		next, rows := make(chan server, len(chosen)), make(chan row)
		for _, s := range chosen {
			next <- s
		}
		close(next)
		var working sync.WaitGroup
		for range max(at, 1) {
			working.Go(func() {
				for s := range next {
					m.test(ctx, s, func(r row) { rows <- r })
				}
			})
		}
		go func() { working.Wait(); close(rows) }()
		for r := range rows {
			if !yield(r) {
				return
			}
		}
	}
}

// test runs the suites on a server, and reports the row after each of them.
func (m *matrix) test(ctx context.Context, s server, report func(row)) {
	r := row{Name: s.name, Title: s.title, Date: time.Now().UTC().Format(time.DateOnly), Cells: map[string]cell{}}
	env, version, err := m.settings(ctx, s)
	r.Version = version
	for _, su := range m.suites {
		switch {
		case err != nil:
			r.Cells[su.name] = cell{NotRun: err.Error()}
		case m.limit > 0 && time.Since(m.began) > m.limit:
			r.Cells[su.name] = cell{NotRun: "the time of this run was over"}
		default:
			began := time.Now()
			c := m.run(ctx, s, su, env)
			c.Seconds = int(time.Since(began).Seconds())
			fmt.Printf("%-14s %-13s %s, %d s\n", s.name, su.name, c, c.Seconds)
			for _, f := range c.Failures {
				fmt.Println("    " + f)
			}
			r.Cells[su.name] = c
		}
		grown := r
		grown.Cells = maps.Clone(r.Cells)
		grown.whole = len(r.Cells) == len(m.suites)
		report(grown)
	}
}

// settings returns the environment by which tests find the server, which is fetched if it is missing, and its
// version.
func (m *matrix) settings(ctx context.Context, s server) (env []string, version string, err error) {
	if s.fetched == "" {
		return nil, "", errors.New(s.why)
	}
	m.fetching.Lock()
	defer m.fetching.Unlock()
	script := filepath.Join(m.root, "scripts", "servers.sh")
	cmd := exec.CommandContext(ctx, script, s.fetched)
	var complaints strings.Builder // what it does goes to its other output
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil {
		why, _, _ := strings.Cut(strings.TrimSpace(complaints.String()), "\n")
		return nil, "", fmt.Errorf("it could not be had: %s", cmp.Or(why, err.Error()))
	}
	out, err := exec.CommandContext(ctx, script, "--settings", s.fetched).Output()
	if err != nil {
		return nil, "", err
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name == "BINDERY_SERVER_VERSION" {
			version = value
		} else {
			env = append(env, name+"="+value)
		}
	}
	return append(env, "BINDERY_TEST_ON="+s.on, "BINDERY_SOAK_MINUTES=1"), version, nil
}

// run runs a suite on a server.
func (m *matrix) run(ctx context.Context, s server, su suite, env []string) cell {
	var c cell
	for _, p := range su.parts(s) {
		pattern, err := p.pattern(m.root)
		if err != nil {
			return cell{Failed: 1, Failures: []string{err.Error()}}
		}
		program, err := m.build(ctx, p.pkg)
		if err != nil {
			return cell{Failed: 1, Failures: []string{err.Error()}}
		}
		c.add(p.pkg, m.runPart(ctx, p, program, pattern, env))
	}
	if c.Passed+c.Failed == 0 {
		c.NotRun = "no test is for it"
	}
	return c
}

// build makes a package's test program, once.
func (m *matrix) build(ctx context.Context, pkg string) (string, error) {
	m.building.Lock()
	defer m.building.Unlock()
	program := filepath.Join(m.bin, strings.ReplaceAll(pkg, "/", "_"))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./"+pkg)
	cmd.Dir = m.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c ./%s: %w\n%s", pkg, err, out)
	}
	return program, nil
}

// An event is a line of go test -json.
type event struct {
	Action, Test, Output string
}

func (m *matrix) runPart(ctx context.Context, p part, program, pattern string, env []string) cell {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", program,
		"-test.v=test2json", "-test.shuffle=on", "-test.timeout=30m", "-test.run="+pattern)
	cmd.Dir = filepath.Join(m.root, p.pkg)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return cell{Failed: 1, Failures: []string{err.Error()}}
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return cell{Failed: 1, Failures: []string{err.Error()}}
	}
	c, rest := count(out)
	if err := cmd.Wait(); err != nil && c.Failed == 0 {
		c.Failed++
		c.Failures = append(c.Failures, fmt.Sprintf("the tests of %s ended: %v\n%s", p.pkg, err, rest))
	}
	return c
}

// count reads events. Counted are tests without subtests of their own. Rest is the end of what belongs to no test.
func count(out io.Reader) (c cell, rest string) {
	var inner, failed, skipped, passed []string
	output := map[string][]string{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			e = event{Action: "output", Output: lines.Text() + "\n"}
		}
		switch e.Action {
		case "run":
			if i := strings.LastIndexByte(e.Test, '/'); i > 0 {
				inner = append(inner, e.Test[:i])
			}
		case "output":
			output[e.Test] = append(output[e.Test], e.Output)
		case "pass", "fail", "skip":
			if e.Test == "" {
				continue
			}
			list := map[string]*[]string{"pass": &passed, "fail": &failed, "skip": &skipped}[e.Action]
			*list = append(*list, e.Test)
		}
	}
	parent := make(map[string]bool)
	for _, name := range inner {
		parent[name] = true
	}
	for _, name := range passed {
		if !parent[name] {
			c.Passed++
		}
	}
	for _, name := range skipped {
		if !parent[name] {
			c.Skipped++
		}
	}
	for _, name := range failed {
		inside := slices.ContainsFunc(failed, func(other string) bool { return strings.HasPrefix(other, name+"/") })
		if !inside { // a parent fails on account of its subtests
			c.Failed++
			c.Failures = append(c.Failures, name+": "+cause(output[name]))
		}
	}
	loose := strings.Join(output[""], "")
	return c, loose[max(0, len(loose)-2000):]
}

// places are files with their directories, which are this machine's. A test's own name has slashes, too, but none at its beginning.
var places = regexp.MustCompile(`(^|[\s"'(=:])(?:/[\w.@+-]+)*/([\w.@+-]+)`)

// cause returns what a failed test said, in one line.
func cause(output []string) string {
	var words []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "===") || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "Error Trace:") {
			continue
		}
		words = append(words, strings.Fields(line)...)
	}
	text := places.ReplaceAllString(strings.Join(words, " "), "$1$2")
	if i := strings.Index(text, "Error: "); i > 0 { // what was logged before it is longer, and says less
		text = text[i:]
	}
	const most = 400
	if len(text) > most {
		text = text[:most] + " …"
	}
	return text
}
