package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// write writes the results, the page that they make, and the README's part.
func write(root string, rs results) error {
	text, err := json.MarshalIndent(rs, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(resultsFile)), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, resultsFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, pageFile), []byte(page(rs)), 0o644); err != nil {
		return err
	}
	front := filepath.Join(root, frontFile)
	readme, err := os.ReadFile(front)
	if err != nil {
		return err
	}
	changed, err := between(string(readme), frontPart(rs))
	if err != nil {
		return err
	}
	return os.WriteFile(front, []byte(changed), 0o644)
}

// page returns docs/servers.md.
func page(rs results) string {
	var b strings.Builder
	b.WriteString(`# Servers

What was run on which server, and what became of it. ` + "`make matrix`" + ` writes this page; nothing in it is typed.
A number counts tests that passed, among them such as need no server; in brackets stand those that are not for this server, each of which says why when it
is run. *Not run* is never a pass. A server that is not in the table, or a version, is **untried**.

`)
	b.WriteString("| server | version | date |")
	for _, s := range suites {
		b.WriteString(" " + s.name + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", 3+len(suites)) + "\n")
	for _, r := range rs {
		fmt.Fprintf(&b, "| %s | %s | %s |", r.Title, orDash(r.Version), r.Date)
		for _, s := range suites {
			b.WriteString(" " + inTable(r.Cells[s.name], r.has(s.name)) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## What failed\n\n")
	b.WriteString(list(rs, func(r row, s suite, c cell) []string {
		var lines []string
		for _, f := range c.Failures {
			lines = append(lines, fmt.Sprintf("%s, %s: %s", r.Title, s.name, strings.ReplaceAll(f, "\n", " ")))
		}
		return lines
	}))
	b.WriteString("\n## What was not run\n\n")
	b.WriteString(list(rs, func(r row, s suite, c cell) []string {
		if !r.has(s.name) {
			return []string{fmt.Sprintf("%s, %s: never", r.Title, s.name)}
		}
		if c.NotRun == "" {
			return nil
		}
		return []string{fmt.Sprintf("%s, %s: %s", r.Title, s.name, c.NotRun)}
	}))
	b.WriteString(`
## The suites

| suite | what it tests |
| --- | --- |
| conformance | the driver, with ` + "`bindtest`" + `, on a primary with a replica |
| statements | whether a replica agrees with what ` + "`sqlkind`" + ` says of statements |
| servers | package ` + "`integration`" + `: stop, kill, freeze, pause, delay, promote, follow, rebuild |
| routing | which server answers what, and what users see when servers fail |
| freshness | ` + "`TestHistory`" + `: sessions that read and write while servers are delayed, killed, frozen and promoted |
| locks | named locks |
| transactions | ` + "`InTx`" + `, lost updates, deadlocks, lost connections |
| schema | ` + "`CreateTables`" + ` and migrations, by many processes at once |
| check | ` + "`Check`" + ` on healthy and on broken servers; that no password is shown |
| models | every helper of ` + "`models`" + ` |
`)
	return b.String()
}

func (r row) has(suite string) bool {
	_, ok := r.Cells[suite]
	return ok
}

func inTable(c cell, has bool) string {
	switch {
	case !has || c.NotRun != "":
		return "not run"
	case c.Failed > 0:
		return fmt.Sprintf("**%d of %d failed**", c.Failed, c.Passed+c.Failed)
	case c.Skipped > 0:
		return fmt.Sprintf("%d (%d)", c.Passed, c.Skipped)
	default:
		return fmt.Sprint(c.Passed)
	}
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// list returns what find finds, as a list, or "Nothing." Equal reasons of all suites of a row are one line.
func list(rs results, find func(row, suite, cell) []string) string {
	var b strings.Builder
	for _, r := range rs {
		var lines []string
		for _, s := range suites {
			lines = append(lines, find(r, s, r.Cells[s.name])...)
		}
		if why, ok := oneReason(r); ok && len(lines) == len(suites) {
			lines = []string{r.Title + ": " + why}
		}
		for _, line := range lines {
			b.WriteString("- " + line + "\n")
		}
	}
	if b.Len() == 0 {
		return "Nothing.\n"
	}
	return b.String()
}

// oneReason returns why no suite at all was run on a server.
func oneReason(r row) (string, bool) {
	why := r.Cells[suites[0].name].NotRun
	for _, s := range suites {
		if c := r.Cells[s.name]; c.NotRun != why || c.NotRun == "" {
			return "", false
		}
	}
	return why, true
}

const (
	frontBegin = "<!-- servers: written by make matrix -->"
	frontEnd   = "<!-- servers: end -->"
)

// frontPart returns the README's sentence.
func frontPart(rs results) string {
	var passed, partly, untried []string
	for _, r := range rs {
		var failed, notRun int
		for _, s := range suites {
			c := r.Cells[s.name]
			if c.Failed > 0 {
				failed++
			} else if !r.has(s.name) || c.NotRun != "" {
				notRun++
			}
		}
		name := r.Title
		switch {
		case notRun == len(suites):
			untried = append(untried, name)
		case failed > 0:
			partly = append(partly, fmt.Sprintf("%s (%d of %d suites fail)", name, failed, len(suites)-notRun))
		case notRun > 0:
			partly = append(partly, fmt.Sprintf("%s (%d of %d suites run)", name, len(suites)-notRun, len(suites)))
		default:
			passed = append(passed, name)
		}
	}
	var b strings.Builder
	sentence := func(begin string, names []string) {
		if len(names) > 0 {
			fmt.Fprintf(&b, "%s: %s.\n", begin, strings.Join(names, ", "))
		}
	}
	sentence("All suites pass on", passed)
	sentence("In part on", partly)
	sentence("Untried", append(untried, "every other version and product"))
	return b.String()
}

// between replaces what stands between the two marker lines.
func between(text, part string) (string, error) {
	before, rest, ok := strings.Cut(text, frontBegin+"\n")
	_, after, ok2 := strings.Cut(rest, frontEnd)
	if !ok || !ok2 {
		return "", fmt.Errorf("%s has no lines %q and %q", frontFile, frontBegin, frontEnd)
	}
	return before + frontBegin + "\n" + part + frontEnd + after, nil
}
