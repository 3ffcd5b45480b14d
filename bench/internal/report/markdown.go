package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteTo writes the section as Markdown whose tables are aligned, so that it is readable as it is.
func (s *Section) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", s.Title)
	for _, p := range s.About {
		fmt.Fprintf(&b, "%s\n\n", p)
	}
	for _, t := range s.Tables {
		t.write(&b)
	}
	if len(s.Bars) > 0 {
		bars := &Table{Columns: []string{"bar", "wanted", "measured", ""}}
		for _, bar := range s.Bars {
			bars.Add(bar.What, bar.Want, bar.Got, verdict(bar.Met))
		}
		bars.write(&b)
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	if len(s.Notes) > 0 {
		b.WriteByte('\n')
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

func (t *Table) write(b *strings.Builder) {
	if t.Title != "" {
		fmt.Fprintf(b, "**%s**\n\n", t.Title)
	}
	widths := make([]int, len(t.Columns))
	for _, row := range append([][]string{t.Columns}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(escape(cell)), 3)
		}
	}
	t.line(b, t.Columns, widths)
	for i, w := range widths {
		if i == 0 {
			fmt.Fprintf(b, "| %s ", strings.Repeat("-", w))
			continue
		}
		fmt.Fprintf(b, "| %s:", strings.Repeat("-", w))
	}
	b.WriteString("|\n")
	for _, row := range t.Rows {
		t.line(b, row, widths)
	}
	b.WriteByte('\n')
}

func (t *Table) line(b *strings.Builder, cells []string, widths []int) {
	for i, cell := range cells {
		cell = escape(cell)
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i == 0 {
			fmt.Fprintf(b, "| %s%s ", cell, pad)
			continue
		}
		fmt.Fprintf(b, "| %s%s ", pad, cell)
	}
	b.WriteString("|\n")
}

// escape keeps a cell in its column.
func escape(cell string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(cell)
}
