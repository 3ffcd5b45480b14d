package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// results are the rows in the order of the table.
type results []row

// A row is what was found on one server.
type row struct {
	Name    string          `json:"name"`
	Title   string          `json:"title"`
	Version string          `json:"version,omitempty"`
	Date    string          `json:"date"`
	Cells   map[string]cell `json:"suites"`

	whole bool // no suite is to come
}

// A cell is what became of a suite on a server.
type cell struct {
	Passed   int      `json:"passed,omitempty"`
	Failed   int      `json:"failed,omitempty"`
	Skipped  int      `json:"skipped,omitempty"` // each with its reason: what the server does not have
	Seconds  int      `json:"seconds,omitempty"`
	Failures []string `json:"failures,omitempty"`
	NotRun   string   `json:"not_run,omitempty"` // why; the counts are zero then
}

// String returns "41 passed", "1 of 41 failed" or "not run".
func (c cell) String() string {
	switch {
	case c.NotRun != "":
		return "not run"
	case c.Failed > 0:
		return fmt.Sprintf("%d of %d failed", c.Failed, c.Passed+c.Failed)
	default:
		return fmt.Sprintf("%d passed", c.Passed)
	}
}

func (c *cell) add(pkg string, other cell) {
	c.Passed += other.Passed
	c.Failed += other.Failed
	c.Skipped += other.Skipped
	for _, f := range other.Failures {
		c.Failures = append(c.Failures, pkg+" "+f)
	}
}

func (r row) failures() []string {
	var names []string
	for _, su := range suites {
		if c := r.Cells[su.name]; c.Failed > 0 {
			names = append(names, fmt.Sprintf("%s on %s (%s)", su.name, r.Name, c))
		}
	}
	return names
}

func (r row) summary() string {
	var parts []string
	for _, su := range suites {
		if c, ok := r.Cells[su.name]; ok {
			text := su.name + " " + c.String()
			if c.NotRun != "" {
				text += " (" + c.NotRun + ")"
			}
			parts = append(parts, text)
		}
	}
	return fmt.Sprintf("%s %s: %s\n", r.Title, r.Version, strings.Join(parts, ", "))
}

func readResults(file string) (results, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rs results
	if err := json.Unmarshal(text, &rs); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rs, nil
}

// with returns the results with a row; of suites that it does not have they keep what was known, and the date of the
// oldest is the row's then.
func (rs results) with(r row) results {
	r.Cells = maps.Clone(r.Cells)
	for _, old := range rs {
		if old.Name != r.Name || old.Version != r.Version {
			continue // another version is another server
		}
		for name, c := range old.Cells {
			known := slices.ContainsFunc(suites, func(s suite) bool { return s.name == name })
			if known && !r.has(name) {
				r.Cells[name] = c
				r.Date = min(r.Date, old.Date)
			}
		}
	}
	rest := slices.DeleteFunc(slices.Clone(rs), func(old row) bool { return old.Name == r.Name })
	rest = append(rest, r)
	place := func(r row) int { return slices.IndexFunc(servers, func(s server) bool { return s.name == r.Name }) }
	rest = slices.DeleteFunc(rest, func(r row) bool { return place(r) < 0 })
	slices.SortFunc(rest, func(a, b row) int { return place(a) - place(b) })
	return rest
}
