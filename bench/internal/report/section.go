// Package report holds what the benchmarks found and writes it as one readable page.
package report

import (
	"context"
	"fmt"
	"log"
)

// A Run is how one run of the benchmarks is to be done. Sections get it.
type Run struct {
	// Quick makes everything short: it shows that the benchmarks work, and its figures mean little.
	Quick bool
	// Log says what goes on; nil says nothing.
	Log *log.Logger
}

// Printf logs what a section is doing.
func (r *Run) Printf(format string, args ...any) {
	if r.Log != nil {
		r.Log.Printf(format, args...)
	}
}

// A Func runs one part of the benchmarks and says what it found. It starts what it needs and leaves
// nothing behind.
type Func func(ctx context.Context, run *Run) (*Section, error)

// A Section is what one part of the benchmarks found.
type Section struct {
	Title  string
	About  []string // paragraphs in Markdown: what was compared, and how
	Tables []*Table
	Bars   []Bar
	Notes  []string // what a reader must know to judge the figures, one sentence or two each

	Headlines []Headline // for the front page
}

// A Bar is what the library is held to, with the figure that was measured.
type Bar struct {
	What string // "point SELECT, time added"
	Want string // "at most 60 ns"
	Got  string // "41 ns"
	Met  bool
}

// Table adds an empty table with the given columns. The first column is text, the others are figures.
func (s *Section) Table(title string, columns ...string) *Table {
	t := &Table{Title: title, Columns: columns}
	s.Tables = append(s.Tables, t)
	return t
}

// Bar adds a bar.
func (s *Section) Bar(what, want, got string, met bool) {
	s.Bars = append(s.Bars, Bar{What: what, Want: want, Got: got, Met: met})
}

// Note adds a note.
func (s *Section) Note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// A Table has a title, which may be empty, columns and rows of as many cells.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
}

// Add adds a row. Cells are printed by [fmt.Sprint]; durations and shares are better formatted by
// [Duration], [Percent] and [Ratio].
func (t *Table) Add(cells ...any) {
	if len(cells) != len(t.Columns) {
		panic(fmt.Sprintf("report: table %q has %d columns, not %d", t.Title, len(t.Columns), len(cells)))
	}
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.Rows = append(t.Rows, row)
}
