package report

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A Headline is one line of the short table on the project's front page.
type Headline struct {
	What string
	By   map[string]string // what was measured, by the libraries' names
}

// Headline adds a headline.
func (s *Section) Headline(what string, by map[string]string) {
	s.Headlines = append(s.Headlines, Headline{What: what, By: by})
}

// front are the libraries of the short table.
var front = []string{"bindery", "Bun + bunexp", "gorm + dbresolver", "xorm EngineGroup", "bxcodec/dbresolver"}

// The short table stands between these lines.
const (
	frontBegins = "<!-- figures: written by make bench -->"
	frontEnds   = "<!-- end of figures -->"
)

// Front returns the short table, with its date and the command.
func (p *Page) Front() string {
	t := &Table{Columns: append([]string{""}, front...)}
	for _, s := range p.Sections {
		for _, h := range s.Headlines {
			row := []any{h.What}
			for _, name := range front {
				if h.By[name] == "" {
					row = append(row, "–")
					continue
				}
				row = append(row, h.By[name])
			}
			t.Add(row...)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s by `make bench` (%s; %s).\n\n", p.Date.UTC().Format("2006-01-02"), machine(), p.Commit)
	t.write(&b)
	return b.String()
}

// WriteFront puts the short table into file, in place of the one that is there between the two lines
// that mark it.
func (p *Page) WriteFront(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(frontBegins+"\n"))
	_, after, ok2 := bytes.Cut(rest, []byte(frontEnds))
	if !ok || !ok2 {
		return fmt.Errorf("report: %s: no lines %q and %q", file, frontBegins, frontEnds)
	}
	return os.WriteFile(file, slices.Concat(before, []byte(frontBegins+"\n\n"+p.Front()+frontEnds), after), 0o644)
}
